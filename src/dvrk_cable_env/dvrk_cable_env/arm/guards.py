"""Guards: conditions outside the robot that must hold before the arm may move. No ROS.

The operator's foot is on a dead-man pedal, nobody drives the arm from the console, and no other
node commands the arm. `guard_topics` feeds the guards. Times are seconds of wall time.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from ls3_common.parameters import parameter

DOWN = 1
"""Value of a pressed pedal's button in sensor_msgs/Joy; the dVRK sends 0 for up, 2 for a tap."""


@dataclasses.dataclass(frozen=True)
class GuardConfig:
    """Parameters `guards.*` of arm_node: topics and time limits of the guards."""

    pedal_topic: str = parameter(
        "",
        description="topic of the dead-man pedal (sensor_msgs/Joy), e.g. /footpedals/coag: the arm "
        "moves only while the first button is 1; empty: no pedal",
    )
    pedal_max_age: float = parameter(
        0.5,
        description="longest time without a message of the pedal; 0 for a pedal that publishes on "
        "change only, like the dVRK's: then only its publisher must exist",
        unit="s",
        low=0.0,
        high=10.0,
    )
    teleop_topics: tuple[str, ...] = parameter(
        (),
        description="topics (std_msgs/Bool) that are true while teleoperation drives the arm, "
        "e.g. /MTMR_PSM1/following",
    )
    sole_commander: bool = parameter(
        True, description="refuse while another node publishes on the arm's motion topics"
    )
    speed_ratio: float = parameter(
        0.0,
        description="share of the arm's full speed and acceleration of its own trajectories, sent "
        "to trajectory_j/set_ratio at ~/arm; the arm keeps this share afterwards; 0: not sent",
        low=0.0,
        high=1.0,
    )
    require_hold: bool = parameter(
        True,
        description="refuse while no program that drives an arm subscribes to <arm>/hold; false: "
        "an arm without hold is stopped by servo_jp to its setpoint and the state command pause, "
        "which ~/arm tries first",
    )


@dataclasses.dataclass(frozen=True)
class Objection:
    """Why a guard forbids a motion.

    reason: one line for people.
    latches: the arm stays held, even after the reason has gone, until an operator arms again.
    foreign: somebody else commands the arm, so the arm must not be held either.
    ends_with_arming: ~/arm itself removes the reason, so that ~/home need not wait for that.
    """

    reason: str
    latches: bool = False
    foreign: bool = False
    ends_with_arming: bool = False


class Guard(Protocol):
    """A condition that must hold before the arm may move, e.g. that a pedal is pressed."""

    def objection(self) -> Objection | None:
        """Return why the arm may not move now; None if it may."""


class DeadMan:
    """The dead-man pedal: it must be pressed, and its messages must be recent.

    present: whether the pedal's topic has a publisher; `guard_topics` sets it.
    """

    def __init__(
        self, topic: str, max_age: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Guard with the pedal on `topic`, whose messages may be `max_age` seconds old (0: any)."""
        self._topic, self._max_age, self._clock = topic, max_age, clock
        self._heard: float | None = None
        self._pressed = False
        self.present = True

    def receive(self, buttons: Sequence[int]) -> None:
        """Take the buttons of one Joy message. Without buttons the pedal counts as released."""
        self._heard, self._pressed = self._clock(), bool(buttons) and buttons[0] == DOWN

    def objection(self) -> Objection | None:
        """Return why the arm may not move now; None while the pedal is pressed."""
        if not self.present:
            self._pressed = False  # if the publisher returns, the pedal must be pressed anew
            return Objection(f"no node publishes the dead-man pedal {self._topic}", latches=True)
        if self._heard is None:
            return Objection(f"no message from the dead-man pedal {self._topic} yet")
        if self._max_age and self._clock() - self._heard > self._max_age:
            reason = f"no message from the dead-man pedal for {self._max_age:g} s"
            return Objection(reason, latches=True)
        return None if self._pressed else Objection("the dead-man pedal is not pressed")


class Teleoperation:
    """Forbids motions while a person drives the arm from the console, as one topic reports."""

    def __init__(self, topic: str) -> None:
        """Guard with `topic` (std_msgs/Bool, true while teleoperation drives the arm)."""
        self._topic = topic
        self._following: bool | None = None
        self._present = False

    @property
    def present(self) -> bool:
        """Whether the topic has a publisher. Without one, teleoperation does not run."""
        return self._present

    @present.setter
    def present(self, present: bool) -> None:
        self._present = present
        if not present:
            self._following = None

    def receive(self, following: bool) -> None:
        """Take one message of the topic: whether teleoperation drives the arm."""
        self._present, self._following = True, following

    def objection(self) -> Objection | None:
        """Return why the arm may not move now; None if teleoperation does not drive it."""
        if self._following:
            reason = f"teleoperation drives the arm ({self._topic} is true)"
            return Objection(reason, latches=True, foreign=True)
        if self._present and self._following is None:
            reason = f"no message on {self._topic} yet: teleoperation may be driving the arm"
            return Objection(reason, foreign=True)
        return None


NAMELESS = "_NODE_NAME_UNKNOWN_"
"""What rmw calls a node whose name it does not know."""


class SoleCommander:
    """Forbids motions while another node can command them: two commanders fight over the arm."""

    def __init__(self) -> None:
        self._publishers: tuple[str, ...] = ()
        self._nameless: set[str] = set()  # at the last look

    def see(self, publishers: Iterable[str]) -> None:
        """Take the present publishers of motions other than arm_node, as ``/node (topic)``.

        A publisher without a name counts when it is seen a second time: the name of a node that
        comes or goes may be unknown for a moment, while the publisher is already or still known.
        """
        found = set(publishers)
        nameless = {one for one in found if NAMELESS in one}
        self._publishers = tuple(sorted((found - nameless) | (nameless & self._nameless)))
        self._nameless = nameless

    def objection(self) -> Objection | None:
        """Return why the arm may not move now; None if arm_node is the only commander."""
        if not self._publishers:
            return None
        reason = f"the arm has another commander: {', '.join(self._publishers)}"
        return Objection(reason, latches=True, foreign=True)


class SpeedRatio:
    """Forbids motions until the arm has confirmed the share of full speed that it was sent.

    present: whether the arm subscribes to the share; `guard_topics` sets it.
    """

    def __init__(self, ratio: float) -> None:
        """Guard that the arm's trajectories run at `ratio` (0 to 1) of their full speed."""
        self._ratio = ratio
        self._reported: float | None = None
        self._confirmed = self._changed = False
        self.present = False

    def ask(self) -> None:
        """Forget that the share was changed; it is sent anew."""
        self._confirmed, self._changed = self._is_met(), False

    def receive(self, ratio: float) -> None:
        """Take the share that the arm reports."""
        self._reported = ratio
        self._changed |= self._confirmed and not self._is_met()
        self._confirmed |= self._is_met()

    def _is_met(self) -> bool:
        return self._reported is not None and abs(self._reported - self._ratio) < 1e-3

    def objection(self) -> Objection | None:
        """Return why the arm may not move now; None if it moves at the share that was sent."""
        if not self.present:
            reason = "the arm takes no trajectory_j/set_ratio: set guards.speed_ratio to 0"
            return Objection(reason, latches=True)
        if self._changed:  # also if changed back: the arm may have moved at another speed
            reason = f"the speed ratio of the arm was changed from {self._ratio:g}"
            again = f"{reason}: ~/arm sends it again"
            return Objection(again, latches=True, ends_with_arming=True)
        if self._is_met():
            return None
        reason = f"the arm has not confirmed the speed ratio {self._ratio:g}"
        return Objection(f"{reason}, which ~/arm sends", ends_with_arming=True)


class HoldHeard:
    """Forbids motions of an arm that does not hear CRTK `hold`.

    required: whether such an arm is refused; if not, this guard never objects, because
    `stopping.Stopping` stops that arm otherwise. heard: whether a program that drives an arm
    subscribes to `hold`; `guard_topics` sets it.
    """

    def __init__(self, topic: str, required: bool) -> None:
        """Guard with the subscribers of `topic`, the arm's `hold`."""
        self.topic, self.required = topic, required
        self.heard = False

    def objection(self) -> Objection | None:
        """Return why the arm may not move now; None if a stop can reach the arm."""
        if self.heard or not self.required:
            return None
        reason = (
            f"no program that drives an arm subscribes to {self.topic}: a stop would not be heard"
        )
        return Objection(reason, latches=True)
