"""operator_node: a scripted operator who demonstrates in simulation, by PLAN and EPISODE_MARK.

operator_node replaces `teleop_node` and its gamepad beside sim_node, arm_node and a recorder, and
ends when its script is done. For each entry of the script it resets the scene, marks the start with
the name of the behaviour, drives the arm and marks the stop. An episode that cannot be driven to
its end is marked as discarded.
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

CHECK_PERIOD = 0.02
"""Wall seconds between two checks of what comes next."""
RECORDER_PERIOD = 0.5
"""Wall seconds between two checks for a recorder."""


@dataclasses.dataclass(frozen=True)
class OperatorConfig:
    """Parameters of operator_node. Time-outs are wall time."""

    script: str = parameter(description="script to perform, a JSON list of {kind, seed}")
    arm: str = parameter("PSM1", description="CRTK name of the arm")
    steps: int = parameter(
        default_factory=installed("cable_routing", "horizon"),
        description="T, length of an episode without a violation",
        low=1,
        domain="horizon",
    )
    max_step: float = parameter(
        default_factory=installed("cable_routing", "largest_action"),
        description="largest displacement per axis and step",
        unit="m",
        low=1e-4,
        domain="largest_action",
        may_be_less=True,
    )
    settle: float = parameter(
        0.1,
        description="rest between a motion and the frame that shows it, as in episode_node",
        unit="s",
        low=0.0,
        high=10.0,
    )
    recorded: bool = parameter(True, description="begin only when a recorder subscribes")
    start_timeout: float = parameter(
        120.0, description="longest wait for simulation, arm and recorder", unit="s", low=1.0
    )
    patience: float = parameter(
        30.0,
        description="time without a step after which an episode is discarded",
        unit="s",
        low=1.0,
    )


class OperatorNode(Node):
    """Performs the entries of the script: reset, start mark, steps, stop mark.

    code: exit code of the process.
    """

    def __init__(self) -> None:
        super().__init__("operator_node")
        self._config = config = declare(self, OperatorConfig)
        self._script = read_script(Path(config.script))
        self._layout = CableLayout()
        self._pilot, self._poses = Pilot(config.settle), PoseHistory()
        self._episode: ScriptedEpisode | None = None  # the running episode
        self._reset: Future | None = None
        self._reset_stamp = 0  # from which frames show the reset scene, ns
        self._frame = 0  # stamp of the newest frame, ns
        self._stopping = self._recorder = False
        self._index = -1
        self._recorder_checked = 0.0
        self._progress_at = time.monotonic()  # when something last succeeded
        self._waiting_for = ""
        self.code = 0
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
        # raw: only the stamp of a frame is needed
        self.create_subscription(
            Image, topics.CAMERA_IMAGE, self._on_frame, qos.BEST_EFFORT, raw=True
        )
        self.create_timer(
            CHECK_PERIOD, self._advance, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def _on_pose(self, message: PoseStamped) -> None:
        place = message.pose.position
        self._poses.add(nanoseconds(message.header.stamp), (place.x, place.y))

    def _on_frame(self, data: bytes) -> None:
        self._frame = header_stamp(data)
        self._pilot.receive_frame(self._frame, time.monotonic())
        self._advance()

    def _on_state(self, message: TaskState) -> None:
        if self._episode is not None and nanoseconds(message.header.stamp) >= self._reset_stamp:
            self._episode.violated |= message.constraint

    def _on_motion(self, message: MotionState) -> None:
        state = (message.moving, message.ready, message.reason)
        stamp = nanoseconds(message.header.stamp)
        self._pilot.receive_motion(MotionStatus(*state, stamp, message.episode, message.step))

    def _on_command(self, message: ArmCommand) -> None:
        stamp, now = nanoseconds(message.header.stamp), time.monotonic()
        is_own = self._pilot.receive_command(
            message.episode, message.step, message.outcome, stamp, now
        )
        if not is_own or self._episode is None:
            return
        if message.outcome == "refused":
            self.get_logger().warning(f"step {message.step} refused: {message.reason}")
            return
        self._episode.carried_out()
        self._progress_at = now

    def _advance(self) -> None:
        """Do what comes next, if it can be done now."""
        if not self.context.ok():
            return
        now = time.monotonic()
        self._publish_marks(now)
        refusal = self._pilot.refusal(now)  # also gives up on a plan without an answer
        stalled = now - self._progress_at > self._config.patience
        if self._episode is None:
            self._begin(now, refusal)
        elif self._stopping:
            if not self._pilot.running:
                self._progress_at, self._episode, self._stopping = now, None, False
                self._next_entry()
            elif now - self._progress_at > 2 * self._config.patience:
                self._finish("the mark of the end was not received")
        elif refusal == "arm_node does not answer" or stalled:
            # the arm may have made the step, so its number must not be used again
            self.get_logger().error(f"entry {self._index} discarded: {refusal or 'no step'}")
            self._end("discard", now)
        elif refusal or not self._pilot.running or self._pilot.waiting(now):
            return
        elif self._episode.over:
            self._end("stop", now)
        else:
            self._drive(self._episode, now)

    def _begin(self, now: float, missing: str) -> None:
        """Begin an episode when everything is ready; until then note what is `missing`."""
        if self._index < 0:
            self._next_entry()
            return
        if not self._scene.service_is_ready():
            missing = missing or f"no service {topics.RESET_SCENE}"
        if self._config.recorded and not self._recorder:
            missing = missing or self._missing_recorder(now)
        if now - self._progress_at > self._config.start_timeout:
            reason = missing or self._waiting_for
            self._finish(f"waited {self._config.start_timeout:g} s: {reason}")
        elif missing or self._pilot.waiting(now):
            self._waiting_for = missing or "the arm does not come to rest"
        elif self._reset is None:
            seed = self._script[self._index].seed
            self._reset = self._scene.call_async(ResetScene.Request(seed=seed))
        elif self._reset.done():
            self._start(now, self._reset.result())

    def _start(self, now: float, answer: ResetScene.Response) -> None:
        if not answer.ok:
            self._waiting_for, self._reset = f"{topics.RESET_SCENE}: {answer.message}", None
            return
        self._reset_stamp = nanoseconds(answer.stamp)
        if self._frame < self._reset_stamp + int(self._config.settle * 1e9):
            return  # no frame shows the reset scene yet
        config, entry = self._config, self._script[self._index]
        self._pilot.request_mark("start", now)
        self._episode = ScriptedEpisode(entry, self._layout, config.max_step, config.steps)
        self._progress_at, self._reset = now, None

    def _drive(self, episode: ScriptedEpisode, now: float) -> None:
        tool = self._poses.at(self._frame)
        if tool is None:
            return  # the pose of this frame has not arrived yet
        step = episode.next_step(self._pilot, tool, now)
        plan = unplanned(step.episode, step.step, step.stamp, step.action)
        self._plans.publish(plan)

    def _end(self, mark: str, now: float) -> None:
        self._pilot.request_mark(mark, now)
        self._progress_at, self._stopping = now, True

    def _next_entry(self) -> None:
        self._index += 1
        if self._index == len(self._script):
            self._finish()
            return
        entry = self._script[self._index]
        count = f"{self._index + 1} of {len(self._script)}"
        self.get_logger().info(f"episode {count}: {entry.kind}, seed {entry.seed}")

    def _publish_marks(self, now: float) -> None:
        lost = self._pilot.lost_mark(now)
        if lost:
            self._finish(f"the mark '{lost}' was not received: is another node marking?")
        for mark in self._pilot.due_marks(now):
            kind = f" {self._script[self._index].kind}" if mark == "start" else ""
            self._marks.publish(String(data=mark + kind))

    def _finish(self, fault: str = "") -> None:
        """End the process; a fault is logged and gives the exit code of a user's mistake."""
        if fault:
            self.get_logger().error(fault)
            self.code = UserError.exit_code
        else:
            self.get_logger().info(f"all {len(self._script)} episodes are done")
        self.context.try_shutdown()

    def _missing_recorder(self, now: float) -> str:
        """Which topic no recorder subscribes to; a bag without the beginning of one is useless."""
        if now - self._recorder_checked < RECORDER_PERIOD:
            return self._waiting_for or "looking for a recorder"
        self._recorder_checked = now
        pose = topics.arm(self._config.arm, "setpoint_cp")
        for topic in (
            *(topics.CAMERA_IMAGE, topics.TASK_STATE, topics.EPISODE_MARK),
            *(topics.ARM_COMMAND, topics.MOTION_STATE, pose),
        ):
            found = self.get_subscriptions_info_by_topic(self.resolve_topic_name(topic))
            if not any(info.node_name == RECORDER for info in found):
                return f"no recorder subscribes to {topic}"
        self._recorder = True
        return ""


def main(args: list[str] | None = None) -> None:
    """Entry point of the process; `args` by default those of the command line."""
    nodes: list[OperatorNode] = []

    def make() -> OperatorNode:
        nodes.append(OperatorNode())
        return nodes[0]

    code = run(make, args)
    sys.exit(code or (nodes[0].code if nodes else 0))


if __name__ == "__main__":
    main()
