"""gym_node: a gymnasium environment behind the topics of a robot, one step per command.

Commands of ros2_control's forward controller go in; a frame, TASK_STATE, JOINT_STATES and /clock
come out. Time stands still between commands, so that a plan may take as long as it takes: a task
whose control period is 20 ms needs no computer that plans in 20 ms. What is newest is published
again now and then, with the same stamp, for those who missed it.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from builtin_interfaces.msg import Time
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64MultiArray, Header

import ls3_sim  # noqa: F401, registers the environments
from ls3_common import qos, topics
from ls3_common.errors import ConfigError
from ls3_common.images import to_message
from ls3_common.parameters import parameter
from ls3_common.ros import declare, run, to_time
from ls3_interfaces.msg import TaskState
from ls3_interfaces.srv import ResetScene

AGAIN_S = 0.2
"""Wall time between two repetitions of what is newest."""
LEAP_NS = 1_000_000_000
"""How far a reset moves the clock: nobody takes two scenes for one."""
COLOURS = 3


@dataclass(frozen=True, kw_only=True)
class GymConfig:
    """Section `gym_node` of a domain's YAML."""

    environment: str = parameter(description="gymnasium id; the launch takes it from `algorithm`")
    joints: tuple[str, ...] = parameter(description="names of the joints, one per action")
    interface: str = parameter(
        choices=("effort", "velocity"), description="what the joints take, as in ros2_control"
    )
    period: float = parameter(description="control period, simulated", unit="s", low=1e-3, high=10)


class GymNode(Node):
    """Everything happens in one thread: physics, rendering (EGL insists) and callbacks."""

    def __init__(self) -> None:
        # who makes the clock cannot follow it
        real = Parameter("use_sim_time", value=False)
        super().__init__("gym_node", parameter_overrides=[real])
        self._config = config = declare(self, GymConfig)
        try:
            # without its time limit: episode_node counts the steps
            made = gymnasium.make(config.environment, render_mode="rgb_array")
        except gymnasium.error.Error as error:
            known = ", ".join(name for name in gymnasium.registry if name.startswith("LS3/"))
            raise ConfigError(str(error), where="gym_node, environment", do=known) from None
        self._env: Any = made.unwrapped
        actions = made.action_space
        assert isinstance(actions, gymnasium.spaces.Box)
        self._size = len(actions.low)
        if len(config.joints) != self._size:
            raise ConfigError(
                f"{len(config.joints)} joints for {self._size} actions", where="gym_node, joints"
            )
        self._now = 1  # ns; 0 would mean invalid
        self._observation, self._info = self._env.reset(seed=0)
        self._clock_out = self.create_publisher(ClockMessage, "/clock", qos.NEWEST)
        self._joints = self.create_publisher(JointState, topics.JOINT_STATES, qos.RELIABLE)
        self._images = self.create_publisher(Image, topics.CAMERA_IMAGE, qos.RELIABLE)
        self._scenes = self.create_publisher(Image, topics.SCENE_IMAGE, qos.RELIABLE)
        self._tasks = self.create_publisher(TaskState, topics.TASK_STATE, qos.RELIABLE)
        self.create_subscription(
            Float64MultiArray, topics.controller(config.interface), self._on_command, qos.RELIABLE
        )
        self.create_service(ResetScene, topics.RESET_SCENE, self._on_reset)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(AGAIN_S, self._publish, clock=steady)

    def close(self) -> None:
        self._env.close()

    def _on_command(self, message: Float64MultiArray) -> None:
        command = message.data
        if len(command) != self._size or not all(map(math.isfinite, command)):
            self.get_logger().warning(f"command dropped: {list(command)}")
            return
        action = np.asarray(command, np.float32)
        self._observation, _, _, _, self._info = self._env.step(action)
        self._now += round(self._config.period * 1e9)
        self._publish()

    def _on_reset(
        self, request: ResetScene.Request, response: ResetScene.Response
    ) -> ResetScene.Response:
        if request.seed < 0:
            response.message = f"seed {request.seed} is negative"
            return response
        self._observation, self._info = self._env.reset(seed=request.seed)
        self._now += LEAP_NS
        self._publish()
        response.ok, response.stamp = True, self._stamp()
        return response

    def _stamp(self) -> Time:
        return to_time(self._now)

    def _publish(self) -> None:
        header = Header(stamp=self._stamp(), frame_id="camera")
        self._clock_out.publish(ClockMessage(clock=header.stamp))
        place = self._info.get("angles", self._info["position"])
        joints = JointState(header=header, name=self._config.joints, position=place.tolist())
        self._joints.publish(joints)
        if self._scenes.get_subscription_count():
            self._scenes.publish(to_message(self._env.render(), header))
        # of an observation that stacks frames, the newest
        self._images.publish(to_message(self._observation[..., -COLOURS:], header))
        self._tasks.publish(
            TaskState(
                header=header,
                success=bool(self._info["success"]),
                constraint=bool(self._info["constraint"]),
            )
        )


def main(args: list[str] | None = None) -> None:
    """Entry point of the process; `args` by default those of the command line."""
    sys.exit(run(GymNode, args))


if __name__ == "__main__":
    main()
