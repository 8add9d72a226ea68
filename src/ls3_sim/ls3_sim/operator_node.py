"""operator_node: a scripted person who demonstrates, in simulation: PLAN and EPISODE_MARK.

Takes the place of `teleop_node` and its gamepad beside sim_node, arm_node and a recorder, and ends
when its script is done. Of each entry it resets the scene, marks the start with the behaviour's
name, drives, and marks the stop; what cannot be driven to its end is marked as discarded.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path

from geometry_msgs.msg import PoseStamped
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import Image
from std_msgs.msg import String

from dvrk_cable_env.teleop.recording import RECORDER, header_stamp
from dvrk_cable_env.teleop.teleop import MotionStatus, Pilot
from ls3_common import qos, topics
from ls3_common.domain import installed
from ls3_common.errors import UserError
from ls3_common.parameters import parameter
from ls3_common.plan_message import unplanned
from ls3_common.ros import declare, nanoseconds, run
from ls3_interfaces.msg import ArmCommand, MotionState, Plan, TaskState
from ls3_interfaces.srv import ResetScene
from ls3_sim.cable_scene import CableLayout
from ls3_sim.scripted import PoseHistory, ScriptedEpisode, read_script

TICK = 0.02
"""Wall seconds between looks at what came."""
LOOK = 0.5
"""Wall seconds between looks at who records."""


@dataclasses.dataclass(frozen=True)
class OperatorConfig:
    """Parameters of operator_node. Time-outs are wall time."""

    script: str = parameter(description="JSON file: a list of {kind, seed}")
    arm: str = parameter("PSM1", description="CRTK name of the arm")
    steps: int = parameter(
        default_factory=installed("cable_routing", "horizon"),
        description="T, of an episode that violates nothing",
        low=1,
        domain="horizon",
    )
    max_step: float = parameter(
        default_factory=installed("cable_routing", "largest_action"),
        description="longest step per axis",
        unit="m",
        low=1e-4,
        domain="largest_action",
        may_be_less=True,
    )
    settle: float = parameter(0.1, description="as of episode_node", unit="s", low=0.0, high=10.0)
    recorded: bool = parameter(True, description="begin only once a recorder listens")
    start_timeout: float = parameter(
        120.0, description="until simulation, arm and recorder are there", unit="s", low=1.0
    )
    patience: float = parameter(
        30.0, description="without a step; then the episode is discarded", unit="s", low=1.0
    )


class OperatorNode(Node):
    """One entry after another: reset, start mark, steps, stop mark."""

    def __init__(self) -> None:
        super().__init__("operator_node")
        self._config = config = declare(self, OperatorConfig)
        self._script = read_script(Path(config.script))
        self._layout = CableLayout()
        self._pilot, self._poses = Pilot(config.settle), PoseHistory()
        self._play: ScriptedEpisode | None = None  # the running episode
        self._reset: Future | None = None
        self._stands = 0  # stamp of the reset scene (ns)
        self._frame = 0  # stamp of the newest (ns)
        self._stopping = self._recorder = False
        self._index = -1
        self._looked = 0.0
        self._since = time.monotonic()  # the last thing that went well
        self._waits = ""
        self.code = 0
        """Of the process."""
        self._plans = self.create_publisher(Plan, topics.PLAN, qos.RELIABLE)
        self._marks = self.create_publisher(String, topics.EPISODE_MARK, qos.RELIABLE)
        self._scene = self.create_client(ResetScene, topics.RESET_SCENE)
        pose = topics.arm(config.arm, "measured_cp")
        for kind, topic, callback, profile in (
            (TaskState, topics.TASK_STATE, self._on_state, qos.BEST_EFFORT),
            (PoseStamped, pose, self._on_pose, qos.BEST_EFFORT),
            (ArmCommand, topics.ARM_COMMAND, self._on_command, qos.RELIABLE),
            (MotionState, topics.MOTION_STATE, self._on_motion, qos.LATCHED),
            (String, topics.EPISODE_MARK, lambda m: self._pilot.receive_mark(m.data), qos.RELIABLE),
        ):
            self.create_subscription(kind, topic, callback, profile)
        # raw: of a frame only its stamp is wanted
        self.create_subscription(
            Image, topics.CAMERA_IMAGE, self._on_frame, qos.BEST_EFFORT, raw=True
        )
        self.create_timer(TICK, self._advance, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _on_pose(self, message: PoseStamped) -> None:
        place = message.pose.position
        self._poses.add(nanoseconds(message.header.stamp), (place.x, place.y))

    def _on_frame(self, data: bytes) -> None:
        self._frame = header_stamp(data)
        self._pilot.receive_frame(self._frame, time.monotonic())
        self._advance()

    def _on_state(self, message: TaskState) -> None:
        if self._play is not None and nanoseconds(message.header.stamp) >= self._stands:
            self._play.violated |= message.constraint

    def _on_motion(self, message: MotionState) -> None:
        state = (message.moving, message.ready, message.reason)
        stamp = nanoseconds(message.header.stamp)
        self._pilot.receive_motion(MotionStatus(*state, stamp, message.episode, message.step))

    def _on_command(self, message: ArmCommand) -> None:
        stamp, now = nanoseconds(message.header.stamp), time.monotonic()
        ours = self._pilot.receive_command(
            message.episode, message.step, message.outcome, stamp, now
        )
        if not ours or self._play is None:
            return
        if message.outcome == "refused":
            self.get_logger().warning(f"step {message.step} refused: {message.reason}")
            return
        self._play.carried_out()
        self._since = now

    def _advance(self) -> None:
        """Whatever is next, if it can be done now."""
        if not self.context.ok():
            return
        now = time.monotonic()
        self._mark(now)
        waits = self._pilot.refusal(now)  # forgets a plan that is not answered
        if self._play is None:
            self._begin(now, waits)
        elif self._stopping:
            if not self._pilot.running:
                self._since, self._play, self._stopping = now, None, False
                self._next()
            elif now - self._since > 2 * self._config.patience:
                self._leave("the mark of the end did not come back")
        elif waits == "arm_node does not answer" or now - self._since > self._config.patience:
            # whether the arm made the step nobody knows: its number would be used twice
            self.get_logger().error(f"entry {self._index} discarded: {waits or 'no step'}")
            self._end("discard", now)
        elif waits or not self._pilot.running or self._pilot.waiting(now):
            return
        elif self._play.over:
            self._end("stop", now)
        else:
            self._drive(self._play, now)

    def _begin(self, now: float, waits: str) -> None:
        """Before an episode: the first of these that is not so is waited for."""
        if self._index < 0:
            self._next()
            return
        if not self._scene.service_is_ready():
            waits = waits or f"no service {topics.RESET_SCENE}"
        if self._config.recorded and not self._recorder:
            waits = waits or self._unrecorded(now)
        if now - self._since > self._config.start_timeout:
            self._leave(f"waited {self._config.start_timeout:g} s: {waits or self._waits}")
        elif waits or self._pilot.waiting(now):
            self._waits = waits or "the arm does not come to rest"
        elif self._reset is None:
            seed = self._script[self._index].seed
            self._reset = self._scene.call_async(ResetScene.Request(seed=seed))
        elif self._reset.done():
            self._start(now, self._reset.result())

    def _start(self, now: float, answer: ResetScene.Response) -> None:
        if not answer.ok:
            self._waits, self._reset = f"{topics.RESET_SCENE}: {answer.message}", None
            return
        self._stands = nanoseconds(answer.stamp)
        if self._frame < self._stands + int(self._config.settle * 1e9):
            return  # not seen yet
        config, entry = self._config, self._script[self._index]
        self._pilot.request_mark("start", now)
        self._play = ScriptedEpisode(entry, self._layout, config.max_step, config.steps)
        self._since, self._reset = now, None

    def _drive(self, play: ScriptedEpisode, now: float) -> None:
        tool = self._poses.at(self._frame)
        if tool is None:
            return  # its pose is on its way
        order = play.next_step(self._pilot, tool, now)
        plan = unplanned(order.episode, order.step, order.stamp, order.action)
        self._plans.publish(plan)

    def _end(self, mark: str, now: float) -> None:
        self._pilot.request_mark(mark, now)
        self._since, self._stopping = now, True

    def _next(self) -> None:
        self._index += 1
        if self._index == len(self._script):
            self._leave()
            return
        entry = self._script[self._index]
        count = f"{self._index + 1} of {len(self._script)}"
        self.get_logger().info(f"episode {count}: {entry.kind}, seed {entry.seed}")

    def _mark(self, now: float) -> None:
        lost = self._pilot.lost_mark(now)
        if lost:
            self._leave(f"the mark '{lost}' did not come back: is another node marking?")
        for mark in self._pilot.due_marks(now):
            kind = f" {self._script[self._index].kind}" if mark == "start" else ""
            self._marks.publish(String(data=mark + kind))

    def _leave(self, fault: str = "") -> None:
        """End the process; a fault is the reader's, not a traceback."""
        if fault:
            self.get_logger().error(fault)
            self.code = UserError.exit_code
        else:
            self.get_logger().info(f"all {len(self._script)} episodes are done")
        self.context.try_shutdown()

    def _unrecorded(self, now: float) -> str:
        """What no recorder listens to yet; a bag that lacks the beginning of a topic is useless."""
        if now - self._looked < LOOK:
            return self._waits or "looking for a recorder"
        self._looked = now
        pose = topics.arm(self._config.arm, "setpoint_cp")
        for topic in (
            *(topics.CAMERA_IMAGE, topics.TASK_STATE, topics.EPISODE_MARK),
            *(topics.ARM_COMMAND, topics.MOTION_STATE, pose),
        ):
            found = self.get_subscriptions_info_by_topic(self.resolve_topic_name(topic))
            if not any(info.node_name == RECORDER for info in found):
                return f"no recorder listens to {topic}"
        self._recorder = True
        return ""


def main(args: list[str] | None = None) -> None:
    nodes: list[OperatorNode] = []

    def make() -> OperatorNode:
        nodes.append(OperatorNode())
        return nodes[0]

    code = run(make, args)
    sys.exit(code or (nodes[0].code if nodes else 0))


if __name__ == "__main__":
    main()
