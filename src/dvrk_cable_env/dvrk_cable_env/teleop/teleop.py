"""Decides when a person's step or mark is published. No ROS.

A step from a person is a plan like any other: it rests on a camera frame taken after the last
motion, and arm_node judges it. There is one step at a time; none is kept for later.

Unless said otherwise, times are seconds of a steady clock.
"""

from __future__ import annotations

import dataclasses
from collections import deque

from dvrk_cable_env.teleop.teleop_input import JoyConfig, PedalConfig
from ls3_common.domain import installed
from ls3_common.parameters import parameter

ANSWER_TIMEOUT = 2.0
"""Longest wait for arm_node's answer to a plan, or for the return of a published mark, s."""
FRAME_SILENCE = 1.0
"""Seconds without a camera frame after which no step is published."""
BACK_OFF = 0.5
"""Pause after a plan that arm_node refused, s."""
MARK_TIMEOUT = 5.0
"""Longest time for which a start or stop waits for the arm to come to rest, s."""


@dataclasses.dataclass(frozen=True)
class TeleopConfig:
    """Parameters of teleop_node; the description of a field says meaning and unit."""

    drive: bool = parameter(True, description="move the arm; false: only publish marks")
    keyboard: bool = parameter(True, description="read keys, if there is a terminal")
    max_step: float = parameter(
        default_factory=installed("cable_routing", "largest_action"),
        description="displacement per axis at full deflection; arm_node refuses steps above its "
        "limits.max_step",
        unit="m",
        low=1e-4,
        high=0.05,
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
    compressed: bool = parameter(
        False, description="subscribe to compressed camera frames (CompressedImage)"
    )
    joy: JoyConfig = dataclasses.field(default_factory=JoyConfig)
    pedals: PedalConfig = dataclasses.field(default_factory=PedalConfig)


@dataclasses.dataclass(frozen=True)
class TeleopStep:
    """One step to be published as a plan.

    stamp: of the camera frame that the step rests on, ns. action: (dx, dy), m.
    """

    episode: int
    step: int
    stamp: int
    action: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class MotionStatus:
    """The content of a MOTION_STATE message.

    moving: whether the arm moves. ready: whether it accepts plans. reason: why it does not.
    stamp: when the motion began or ended, ns. episode, step: of that motion.
    """

    moving: bool
    ready: bool
    reason: str
    stamp: int
    episode: int
    step: int


class Pilot:
    """Numbers steps and marks as the import of a bag expects them.

    Episodes count from 1; steps outside an episode have episode number 0. Whether an episode runs
    follows from the marks that are received, its own included, so that other nodes may mark too.

    episodes: number of episodes so far. running: whether an episode runs.

    Args:
        settle: rest between a motion and the frame that shows it, s, as in episode_node.
        drives: False to publish marks only; then nothing waits for the arm.
    """

    def __init__(self, settle: float, *, drives: bool = True) -> None:
        self._drives = drives
        self._settle = int(settle * 1e9)
        self._motion: MotionStatus | None = None
        self._frame, self._frame_time = 0, 0.0
        self._pending: TeleopStep | None = None  # arm_node has not answered it yet
        self._pending_since = 0.0
        self._under_way: tuple[int, int, int] | None = None  # episode, step, stamp of the command
        self._refused_at, self._refused_frame = -BACK_OFF, 0
        self._steps = {0: 0}  # next step of the episode that runs, and outside episodes
        self.episodes = 0
        self.running = False
        self._will_run = False  # whether an episode runs after all requested marks
        self._marks: deque[tuple[str, float]] = deque()
        self._unconfirmed: tuple[str, float] | None = None  # published, but not received yet

    def receive_frame(self, stamp: int, now: float) -> None:
        """Note a camera frame with this stamp (ns) that arrived at `now`."""
        if stamp > 0:
            self._frame, self._frame_time = stamp, now

    def receive_motion(self, motion: MotionStatus) -> None:
        """Note that a motion began or ended. An arm that is not ready ends the step under way."""
        self._motion = motion
        if not motion.ready:
            self._under_way = None

    def receive_command(
        self, episode: int, step: int, outcome: str, stamp: int, now: float
    ) -> bool:
        """Note arm_node's answer to a plan.

        Args:
            episode, step: numbers of the plan.
            outcome: `sent`, `clamped`, `held` or `refused`.
            stamp: of the answer, ns.
            now: when the answer arrived.

        Returns:
            Whether the answer belongs to the pending step.
        """
        pending = self._pending
        if pending is None or (pending.episode, pending.step) != (episode, step):
            return False
        self._pending = None
        if outcome == "refused":
            self._refused_at, self._refused_frame = now, pending.stamp
            return True
        self._steps[episode] = step + 1
        if outcome != "held":
            self._under_way = (episode, step, stamp)
        return True

    def refusal(self, now: float) -> str:
        """Return what a person must fix before the next step; empty if nothing."""
        if self._motion is None:
            return "no message from arm_node yet"
        if self._pending is not None and now - self._pending_since > ANSWER_TIMEOUT:
            self._pending = None  # if the answer still arrives, its frame is too old
            self._refused_at, self._refused_frame = now, self._frame
            return "arm_node does not answer"
        if not self._motion.ready:
            return f"the arm is not ready: {self._motion.reason}"
        if self._frame == 0:
            return "no camera frame yet"
        if now - self._frame_time > FRAME_SILENCE:
            return f"no camera frame for {FRAME_SILENCE:g} s"
        return ""

    def waiting(self, now: float) -> bool:
        """Whether the next step must wait for something that happens by itself."""
        return bool(
            not self._seen_at_rest()
            or self._frame == self._refused_frame
            or now - self._refused_at < BACK_OFF
            or self._marks
            or self._unconfirmed
        )

    def next_step(self, action: tuple[float, float], now: float) -> TeleopStep:
        """Return the next step with this action (dx, dy), m, and wait for arm_node's answer.

        Call it only if there is no `refusal` and no `waiting`.
        """
        episode = self.episodes if self.running else 0
        self._pending = TeleopStep(episode, self._steps[episode], self._frame, action)
        self._pending_since = now
        return self._pending

    def request_mark(self, mark: str, now: float) -> str:
        """Queue a mark, one of `MARKS`, which `due_marks` returns when it may be published.

        Returns:
            Why the mark was refused; empty if it was not.
        """
        if mark == "start" and self._will_run:
            return "an episode runs already: stop or discard it first"
        if mark == "stop" and not self._will_run:
            return "no episode runs"
        if not self.episodes and not self._will_run and mark != "start":
            return "no episode was started yet"
        self._marks.append((mark, now))
        if mark == "discard" and self._will_run:
            self._marks.append(("stop", now))
        if mark in ("start", "stop", "discard"):
            self._will_run = mark == "start"
        return ""

    def due_marks(self, now: float) -> list[str]:
        """Return the marks to publish now, in the order of the requests.

        A start or stop waits until a frame shows the arm at rest, so that each step lies entirely
        inside or outside the episode.
        """
        out: list[str] = []
        while self._marks and not self._unconfirmed:
            mark, since = self._marks[0]
            limits_episode = mark in ("start", "stop")
            if limits_episode and not self._seen_at_rest() and now - since < MARK_TIMEOUT:
                break
            self._marks.popleft()
            out.append(mark)
            if limits_episode:
                self._unconfirmed = (mark, now)
        return out

    def lost_mark(self, now: float) -> str:
        """Return a start or stop that was published but not received, and give up on it."""
        if self._unconfirmed is None or now - self._unconfirmed[1] < ANSWER_TIMEOUT:
            return ""
        mark = self._unconfirmed[0]
        self._unconfirmed, self._will_run = None, self.running
        self._marks.clear()
        return mark

    def receive_mark(self, text: str) -> None:
        """Note a mark that was published, by this node or another."""
        mark = text.strip().lower().partition(" ")[0]
        if self._unconfirmed and self._unconfirmed[0] == mark:
            self._unconfirmed = None
        elif mark in ("start", "stop"):
            self._will_run = mark == "start"  # another node's mark
        if mark == "start":
            self.running = True
            self.episodes += 1
            self._steps = {0: self._steps[0], self.episodes: 0}
        elif mark == "stop":
            self.running = False

    def _seen_at_rest(self) -> bool:
        """Whether the newest frame shows the arm at rest after the last step."""
        motion = self._motion
        if not self._drives:
            return True
        if self._pending is not None or motion is None or motion.moving:
            return False
        if self._under_way is not None:
            episode, step, began = self._under_way
            if (motion.episode, motion.step) != (episode, step) or motion.stamp < began:
                return False
        self._under_way = None
        return self._frame >= motion.stamp + self._settle
