"""gym_node: a gymnasium environment behind the topics of a robot; every command is one step.

gym_node takes the commands of ros2_control's forward controller and publishes a frame, TASK_STATE,
JOINT_STATES and /clock. Time stands still between commands, so that a plan may take any time: a
task with a control period of 20 ms does not need a computer that plans within 20 ms. The newest
messages are repeated with the same stamp, for subscribers that missed them.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64MultiArray, Header

from ls3_common import qos, topics
from ls3_common.domain import ENVIRONMENT, DomainSpec
from ls3_common.images import to_message
from ls3_common.ros import declare, facts, given, run, to_time
from ls3_interfaces.msg import TaskState
from ls3_interfaces.srv import ResetScene
from ls3_sim.registration import check_variations, make_task, variations_class

REPEAT_S = 0.2
"""Wall time between two repetitions of the newest messages, s."""
RESET_JUMP_NS = 1_000_000_000
"""Time by which a reset advances the clock, ns, so that frames before and after are told apart."""


@dataclass(frozen=True, kw_only=True)
class GymConfig:
    """Parameters of gym_node: the facts of the domain, and its variations (`_config_class`)."""

    domain: DomainSpec

    def __post_init__(self) -> None:
        if not self.domain.joints:
            raise ValueError("'domain.joints' is empty, but gym_node needs joints to command")


def _config_class(node: Node) -> tuple[type[GymConfig], dict[str, Any]]:
    """Return the class of a node's parameters, with the domain's variations, which are checked.

    An environment that declares no variations takes those that the node's parameters set.

    Returns:
        The class, and the variations that are on, by name.

    Raises:
        UserError: there is no such environment.
        ConfigError: the domain has no such variation, or a value is out of range.
    """
    domain = facts(node)
    if domain is None:
        return GymConfig, {}  # whose declaration names what is missing
    values = given(node, f"{ENVIRONMENT}.")  # which the launch passes on
    varied = check_variations(domain, values, f"{node.get_fully_qualified_name()}, {ENVIRONMENT}")
    declared = variations_class(domain)
    if declared is None:
        fields = [(name, _type_of(value)) for name, value in values.items()]
        declared = make_dataclass("Variations", fields, frozen=True)
    section: Any = (ENVIRONMENT, declared, field(default_factory=declared))
    return make_dataclass(
        "Config", [section], bases=(GymConfig,), frozen=True, kw_only=True
    ), varied


def _type_of(value: Any) -> Any:
    """The type of a parameter with this value; that of an empty list is a list of texts."""
    if isinstance(value, list):
        return tuple[(type(value[0]) if value else str), ...]  # type: ignore[misc]
    return type(value)


class GymNode(Node):
    """Steps an environment with each command, and publishes what a robot would.

    Physics, rendering and callbacks share one thread, because EGL requires it for rendering.
    """

    def __init__(self) -> None:
        # the node that publishes the clock must not follow it
        real = Parameter("use_sim_time", value=False)
        super().__init__("gym_node", parameter_overrides=[real])
        cls, variations = _config_class(self)
        domain: DomainSpec = declare(self, cls).domain
        self._domain = domain
        # without the time limit, because episode_node counts the steps
        env = make_task(domain, variations, render_mode="rgb_array")
        self._env: Any = env.unwrapped
        self._now = 1  # ns; 0 would mean invalid
        self._ended = False
        self._observation, self._info = self._env.reset(seed=0)
        self._clock_out = self.create_publisher(ClockMessage, "/clock", qos.NEWEST)
        self._joints = self.create_publisher(JointState, topics.JOINT_STATES, qos.RELIABLE)
        self._images = self.create_publisher(Image, topics.CAMERA_IMAGE, qos.RELIABLE)
        self._scenes = self.create_publisher(Image, topics.SCENE_IMAGE, qos.RELIABLE)
        self._tasks = self.create_publisher(TaskState, topics.TASK_STATE, qos.RELIABLE)
        self.create_subscription(
            Float64MultiArray, topics.controller(domain.interface), self._on_command, qos.RELIABLE
        )
        self.create_service(ResetScene, topics.RESET_SCENE, self._on_reset)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(REPEAT_S, self._publish, clock=steady)

    def close(self) -> None:
        """Release the renderers."""
        self._env.close()

    def _on_command(self, message: Float64MultiArray) -> None:
        command = message.data
        if len(command) != len(self._domain.joints) or not all(map(math.isfinite, command)):
            self.get_logger().warning(f"command dropped: {list(command)}")
            return
        action = np.asarray(command, np.float32)
        if not self._ended:  # an environment must not be stepped beyond its end: it stays as it is
            self._observation, _, self._ended, _, self._info = self._env.step(action)
        self._now += round(self._domain.period * 1e9)
        self._publish()

    def _on_reset(
        self, request: ResetScene.Request, response: ResetScene.Response
    ) -> ResetScene.Response:
        if request.seed < 0:
            response.message = f"seed {request.seed} is negative"
            return response
        self._ended = False
        self._observation, self._info = self._env.reset(seed=request.seed)
        self._now += RESET_JUMP_NS
        self._publish()
        response.message = json.dumps(self._env.varied)
        response.ok, response.stamp = True, self._stamp()
        return response

    def _stamp(self) -> Time:
        return to_time(self._now)

    def _publish(self) -> None:
        header = Header(stamp=self._stamp(), frame_id="camera")
        self._clock_out.publish(ClockMessage(clock=header.stamp))
        position = _position(self._info, len(self._domain.joints))
        self._joints.publish(JointState(header=header, name=self._domain.joints, position=position))
        if self._scenes.get_subscription_count():
            self._scenes.publish(to_message(self._env.render(), header))
        # the newest frame of a stack
        newest = self._observation[..., -self._domain.channels :]
        self._images.publish(to_message(newest, header))
        self._tasks.publish(
            TaskState(
                header=header,
                success=bool(self._info["success"]),
                constraint=bool(self._info["constraint"]),
            )
        )


def _position(info: Mapping[str, Any], joints: int) -> list[float]:
    """Return the joints' positions, none if `info` does not tell; the message advances time too."""
    try:
        found = np.asarray(info.get("angles", info.get("position", ())), float)
    except (TypeError, ValueError):
        return []
    return found.tolist() if found.shape == (joints,) else []


def main(args: list[str] | None = None) -> None:
    """Entry point of the process; `args` by default those of the command line."""
    sys.exit(run(GymNode, args))


if __name__ == "__main__":
    main()
