"""sim_node: simulates scene, camera and arm of cable routing behind the topics of the robot.

sim_node publishes CAMERA_IMAGE and TASK_STATE (from physics, same stamp), serves RESET_SCENE,
speaks CRTK on `<arm>/*` (crtk_server), and publishes /clock, on which all other nodes must run
(use_sim_time). From ARM_COMMAND it takes the holds, which are steps without a motion.

The arm's base frame is the table frame, moved up to the remote centre: x and y are the same. The
scene is planar, so the tool's height and orientation are passed through and not simulated. After a
violation the scene is frozen until RESET_SCENE; the arm keeps working and follows its setpoint.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from ls3_common import qos, topics
from ls3_common.domain import load_spec
from ls3_common.images import to_message
from ls3_common.parameters import parameter
from ls3_common.ros import declare, facts, run, to_time
from ls3_interfaces.msg import ArmCommand, TaskState
from ls3_interfaces.srv import ResetScene
from ls3_sim.cable_scene import CableLayout, CableScene, Vector
from ls3_sim.crtk_server import CrtkServer
from ls3_sim.disturbance import Disturbance
from ls3_sim.kinematics import TipPose
from ls3_sim.pacing import Pacer
from ls3_sim.psm import Psm
from ls3_sim.variations import CableVariations, EpisodeDraws, switched_on

WAKE = 0.005
"""Shortest wall time between two looks at the clock, s, so that no factor makes a busy loop."""
CATCH_UP = 0.05
"""Longest delay in wall time that is made up at once, s."""


@dataclasses.dataclass(frozen=True)
class SimConfig:
    """Parameters of sim_node; the description of a field says what it means and in which unit."""

    arm: str = parameter("PSM1", description="CRTK name of the arm")
    real_time_factor: float = parameter(
        1.0,
        description="simulated seconds per wall second, as far as the computer is fast enough",
        low=0.01,
        high=100.0,
    )
    state_rate: int = parameter(
        100, description="rate of /clock and the arm's state, in simulated time", unit="Hz", low=1
    )
    camera_rate: int = parameter(
        10, description="rate of the camera, in simulated time", unit="Hz", low=1
    )
    image_size: int = parameter(
        128,
        description="side of the camera's square frames; frames above 146 exceed a datagram: "
        "launch with transport:=shared_memory",
        unit="px",
        low=16,
        high=640,
    )
    remote_centre_height: float = parameter(
        0.12,
        description="height of the remote centre above the table",
        unit="m",
        low=0.06,
        high=0.2,
    )
    homing_time: float = parameter(0.5, description="duration of homing", unit="s", low=0.0)
    environment: CableVariations = dataclasses.field(default_factory=CableVariations)
    layout: CableLayout = dataclasses.field(default_factory=CableLayout)

    def __post_init__(self) -> None:
        if self.state_rate % self.camera_rate:
            raise ValueError("state_rate must be a multiple of camera_rate")


class SimNode(Node):
    """Simulates the scene, its camera and the arm, and publishes them as a robot would.

    Physics, rendering and callbacks share one thread, because EGL requires it for rendering.
    """

    def __init__(self) -> None:
        # the node that publishes the clock must not follow it
        real = Parameter("use_sim_time", value=False)
        super().__init__("sim_node", parameter_overrides=[real])
        self._config = config = declare(self, SimConfig)
        self._tick = round(1e9 / config.state_rate)  # ns
        self._ticks = 0
        self._scene = CableScene(config.layout, config.image_size)
        domain = facts(self) or load_spec("cable_routing")
        self._disturbance = Disturbance(config.environment, domain.image_size)
        self._was_moving = False
        self._psm = Psm(self._tool_pose(), config.layout.tool_speed, config.homing_time)
        self._psm.end_of_motion = self._end_of_motion
        self._scene.render()  # if the OpenGL library is missing, fail before anything runs

        self._clock_out = self.create_publisher(ClockMessage, "/clock", qos.NEWEST)
        self._images = self.create_publisher(Image, topics.CAMERA_IMAGE, qos.RELIABLE)
        self._task = self.create_publisher(TaskState, topics.TASK_STATE, qos.RELIABLE)
        self.create_subscription(ArmCommand, topics.ARM_COMMAND, self._on_command, qos.RELIABLE)
        self._crtk = CrtkServer(self, config.arm, self._psm, self._now)
        self.create_service(ResetScene, topics.RESET_SCENE, self._on_reset)
        period = self._tick * 1e-9 / config.real_time_factor
        wake = max(period, WAKE)
        longest = max(1, round(max(CATCH_UP, 2 * wake) / period))
        self._pacer = Pacer(period, time.monotonic(), longest)
        self._slipped = 0.0
        self.create_timer(wake, self._run, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def close(self) -> None:
        """Release the renderer."""
        self._scene.close()

    def _run(self) -> None:
        for _ in range(self._pacer.due(time.monotonic())):
            self._advance()
        slipped = self._pacer.slipped - self._slipped
        if slipped > 1.0:
            self._slipped = self._pacer.slipped
            self.get_logger().info(
                f"this computer is too slow for a real_time_factor of "
                f"{self._config.real_time_factor:g}: {slipped:.1f} s behind since the last notice",
                throttle_duration_sec=10.0,
            )

    def _advance(self) -> None:
        """Advance by one tick of simulated time."""
        duration = self._tick * 1e-9
        if self._psm.is_moving and not self._was_moving:
            self._disturbance.next_step()
        self._psm.advance(duration)
        self._was_moving = self._psm.is_moving
        self._scene.advance(np.array(self._psm.setpoint.position[:2]), duration)
        tip = self._psm.setpoint.position if self._scene.violated else self._tip()
        self._psm.measure(tip, duration)
        self._ticks += 1
        self._clock_out.publish(ClockMessage(clock=self._stamp()))
        self._crtk.publish()
        if self._ticks % (self._config.state_rate // self._config.camera_rate) == 0:
            self._publish_frame()

    def _now(self) -> int:
        """Simulated time, ns; never 0, which would mean invalid."""
        return (self._ticks + 1) * self._tick

    def _stamp(self) -> Time:
        return to_time(self._now())

    def _end_of_motion(self, begin: Vector, goal: Vector) -> Vector:
        return self._scene.end_of_motion(begin, goal, self._disturbance.gain)

    def _tip(self) -> tuple[float, ...]:
        return (*self._scene.tool.tolist(), self._psm.setpoint.position[2])

    def _tool_pose(self) -> TipPose:
        return TipPose((*self._scene.tool.tolist(), -self._config.remote_centre_height))

    def _on_command(self, command: ArmCommand) -> None:
        if command.outcome == "held":  # a step without a motion; a refused plan is no step
            self._disturbance.next_step()

    def _on_reset(
        self, request: ResetScene.Request, response: ResetScene.Response
    ) -> ResetScene.Response:
        if self._psm.is_moving:
            response.message = "the arm is moving: hold it first"
        elif request.seed < 0:
            response.message = f"seed {request.seed} is negative"
        else:
            rng = np.random.default_rng(request.seed)
            draws = EpisodeDraws(rng)
            self._scene.begin(rng, self._config.environment, draws)
            self._disturbance.begin(draws, self._scene.in_picture(self._scene.cable()))
            self._psm.place(self._tool_pose())
            varied = {"on": switched_on(self._config.environment), "drawn": draws.drawn}
            response.message = json.dumps(varied)
            response.ok, response.stamp = True, self._stamp()
        return response

    def _publish_frame(self) -> None:
        picture = self._disturbance.expose(self._disturbance.move(self._scene.render()))
        frame = self._disturbance.arrive(picture)
        image = to_message(frame, Header(stamp=self._stamp(), frame_id="camera"))
        self._images.publish(image)
        self._task.publish(
            TaskState(
                header=image.header,
                success=self._scene.at_goal,
                constraint=self._scene.violated,
            )
        )


def main(args: list[str] | None = None) -> None:
    """Entry point of the process; `args` by default those of the command line."""
    sys.exit(run(SimNode, args))


if __name__ == "__main__":
    main()
