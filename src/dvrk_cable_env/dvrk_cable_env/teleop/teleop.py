"""When a person's wish becomes a step, and when a mark goes out. Pure: no ROS.

A step asked for by a person is a plan like any other: it names a camera frame that was taken after
the last motion had ended, and arm_node judges it. One at a time; none is kept for later.
"""

from __future__ import annotations

import dataclasses
from collections import deque

from dvrk_cable_env.teleop.teleop_input import MAX_STEP, JoyConfig, PedalConfig
from ls3_common.parameters import parameter

ANSWER_TIMEOUT = 2.0
"""Seconds in which arm_node answers a plan, and a mark comes back to who sent it."""
FRAME_SILENCE = 1.0
"""Seconds without a camera frame after which nothing is ordered."""
BACK_OFF = 0.5
"""Seconds between a plan that was refused and the next."""
MARK_PATIENCE = 5.0
"""Seconds that a start or a stop waits for the arm to rest."""


@dataclasses.dataclass(frozen=True)
class TeleopConfig:
    """Parameters of teleop_node."""

    drive: bool = parameter(True, description="move the arm; false: only mark")
    keyboard: bool = parameter(True, description="take keys, where there is a terminal")
    max_step: float = parameter(
        MAX_STEP,
        description="displacement per axis at full deflection; arm_node refuses what exceeds its "
        "limits.max_step",
        unit="m",
        low=1e-4,
        high=0.05,
    )
    settle: float = parameter(0.1, description="as of episode_node", unit="s", low=0.0, high=10.0)
    compressed: bool = parameter(False, description="the camera's frames are CompressedImage")
    joy: JoyConfig = dataclasses.field(default_factory=JoyConfig)
    pedals: PedalConfig = dataclasses.field(default_factory=PedalConfig)


@dataclasses.dataclass(frozen=True)
class Order:
    """One step to be published as a plan."""

    episode: int
    step: int
    stamp: int  # of the camera frame it rests on (ns)
    action: tuple[float, float]  # (dx, dy), m


@dataclasses.dataclass(frozen=True)
class MotionStatus:
    """MOTION_STATE."""

    moving: bool
    ready: bool
    reason: str
    stamp: int  # ns
    episode: int
    step: int


class Pilot:
    """Numbers steps and marks as the import of a bag expects them.

    Episodes count from 1; steps outside an episode have number 0 and belong to none. What runs is
    known from the marks that are heard, its own among them, so that others may mark too.

    Args:
        settle: rest between a motion and the frame that shows it (s), as of episode_node.
        drives: false for one that only marks; nothing waits for the arm then.
    """

    def __init__(self, settle: float, *, drives: bool = True) -> None:
        self._drives = drives
        self._settle = int(settle * 1e9)
        self._motion: MotionStatus | None = None
        self._frame, self._frame_came = 0, 0.0
        self._asked: Order | None = None  # the arm has not answered it yet
        self._asked_at = 0.0
        self._under_way: tuple[int, int, int] | None = None  # episode, step, stamp of the command
        self._refused_at, self._refused_frame = -BACK_OFF, 0
        self._steps = {0: 0}  # of each episode; those of the past are over
        self.episodes = 0
        self.running = False
        self._will_run = False  # once all marks asked for are out
        self._marks: deque[tuple[str, float]] = deque()
        self._unheard: tuple[str, float] | None = None

    def see(self, stamp: int, now: float) -> None:
        """A camera frame, by its stamp (ns)."""
        if stamp > 0:
            self._frame, self._frame_came = stamp, now

    def watch(self, motion: MotionStatus) -> None:
        """The arm's motion has begun or ended. An arm that is not ready ends none of ours."""
        self._motion = motion
        if not motion.ready:
            self._under_way = None

    def answer(self, episode: int, step: int, outcome: str, stamp: int, now: float) -> bool:
        """What arm_node made of a plan, at `stamp` (ns); whether the plan was one of ours."""
        order = self._asked
        if order is None or (order.episode, order.step) != (episode, step):
            return False
        self._asked = None
        if outcome == "refused":
            self._refused_at, self._refused_frame = now, order.stamp
            return True
        self._steps[episode] = step + 1
        if outcome != "held":
            self._under_way = (episode, step, stamp)
        return True

    def refusal(self, now: float) -> str:
        """What a person must cure before any step; empty where there is nothing."""
        if self._motion is None:
            return "nothing heard of arm_node"
        if self._asked is not None and now - self._asked_at > ANSWER_TIMEOUT:
            self._asked = None  # should it still come, its frame is too old by then
            self._refused_at, self._refused_frame = now, self._frame
            return "arm_node does not answer"
        if not self._motion.ready:
            return f"the arm is not ready: {self._motion.reason}"
        if self._frame == 0:
            return "no camera frame yet"
        if now - self._frame_came > FRAME_SILENCE:
            return f"no camera frame for {FRAME_SILENCE:g} s"
        return ""

    def waiting(self, now: float) -> bool:
        """Whether the next step has to wait for something that comes by itself."""
        return bool(
            not self._seen_at_rest()
            or self._frame == self._refused_frame
            or now - self._refused_at < BACK_OFF
            or self._marks
            or self._unheard
        )

    def order(self, action: tuple[float, float], now: float) -> Order:
        """The next step; only where there is neither a `refusal` nor `waiting`."""
        episode = self.episodes if self.running else 0
        self._asked = Order(episode, self._steps[episode], self._frame, action)
        self._asked_at = now
        return self._asked

    def ask(self, mark: str, now: float) -> str:
        """A person marks; it goes out with `due`. Returns why it does not."""
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

    def due(self, now: float) -> list[str]:
        """The marks that are to be published now, in the order in which they were asked for.

        A start or a stop waits until the arm is seen at rest, so that each step lies on one side.
        """
        out: list[str] = []
        while self._marks and not self._unheard:
            mark, since = self._marks[0]
            turns = mark in ("start", "stop")
            if turns and not self._seen_at_rest() and now - since < MARK_PATIENCE:
                break
            self._marks.popleft()
            out.append(mark)
            if turns:
                self._unheard = (mark, now)
        return out

    def unheard(self, now: float) -> str:
        """The start or stop that was published and never came back; it is given up then."""
        if self._unheard is None or now - self._unheard[1] < ANSWER_TIMEOUT:
            return ""
        mark = self._unheard[0]
        self._unheard, self._will_run = None, self.running
        self._marks.clear()
        return mark

    def heard(self, text: str) -> None:
        """A mark was published, by whomever."""
        mark = text.strip().lower().partition(" ")[0]
        if self._unheard and self._unheard[0] == mark:
            self._unheard = None
        elif mark in ("start", "stop"):
            self._will_run = mark == "start"  # another's
        if mark == "start":
            self.running = True
            self.episodes += 1
            self._steps = {0: self._steps[0], self.episodes: 0}
        elif mark == "stop":
            self.running = False

    def _seen_at_rest(self) -> bool:
        """Whether the newest frame shows the arm at rest after all that was ordered."""
        motion = self._motion
        if not self._drives:
            return True
        if self._asked is not None or motion is None or motion.moving:
            return False
        if self._under_way is not None:
            episode, step, began = self._under_way
            if (motion.episode, motion.step) != (episode, step) or motion.stamp < began:
                return False
        self._under_way = None
        return self._frame >= motion.stamp + self._settle
