"""Who else must agree before the arm is moved: the operator's foot, and nobody at the console.

Pure: no ROS. `guard_topics` tells these what it hears. Times are seconds of wall time.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from ls3_common.parameters import parameter

DOWN = 1
"""The button of a pedal that is pressed; the dVRK's 0 is up and 2 a tap."""


@dataclasses.dataclass(frozen=True)
class GuardConfig:
    """Where to hear of pedal, teleoperation and other commanders."""

    pedal_topic: str = parameter(
        "",
        description="dead-man pedal (sensor_msgs/Joy), e.g. /footpedals/coag: the arm moves only "
        "while its first button is 1; empty: none",
    )
    pedal_max_age: float = parameter(
        0.5,
        description="longest time without a message of the pedal; 0 for one that publishes on "
        "change only, as the dVRK's: then only its publisher must be there",
        unit="s",
        low=0.0,
        high=10.0,
    )
    teleop_topics: tuple[str, ...] = parameter(
        (),
        description="std_msgs/Bool, true while teleoperation drives the arm, "
        "e.g. /MTMR_PSM1/following",
    )
    sole_commander: bool = parameter(
        True, description="refuse while another node publishes on the arm's motion topics"
    )


@dataclasses.dataclass(frozen=True)
class Objection:
    """Why the arm may not be moved.

    `latches`: an arm that was ready is not so again before an operator arms it. `foreign`:
    somebody else has the arm, who must not be disturbed by a hold either.
    """

    reason: str
    latches: bool = False
    foreign: bool = False


class Guard(Protocol):
    """One that may object."""

    def objection(self) -> Objection | None: ...


class DeadMan:
    """A pedal that must be pressed, and must be heard."""

    def __init__(
        self, topic: str, max_age: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._topic, self._max_age, self._clock = topic, max_age, clock
        self._heard: float | None = None
        self._pressed = False
        self.present = True
        """Whether anybody publishes the pedal."""

    def hear(self, buttons: Sequence[int]) -> None:
        """A message of the pedal; one without buttons is one that is not pressed."""
        self._heard, self._pressed = self._clock(), bool(buttons) and buttons[0] == DOWN

    def objection(self) -> Objection | None:
        if not self.present:
            self._pressed = False  # what it was is not what it will be
            return Objection(f"nobody publishes the dead-man pedal on {self._topic}", latches=True)
        if self._heard is None:
            return Objection(f"nothing heard of the dead-man pedal on {self._topic} yet")
        if self._max_age and self._clock() - self._heard > self._max_age:
            return Objection(f"the dead-man pedal is silent for {self._max_age:g} s", latches=True)
        return None if self._pressed else Objection("the dead-man pedal is not pressed")


class Teleoperation:
    """One topic that says whether a person drives the arm from the console."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._following: bool | None = None
        self._present = False

    @property
    def present(self) -> bool:
        """Whether anybody publishes the topic. Who does not run does not follow."""
        return self._present

    @present.setter
    def present(self, present: bool) -> None:
        self._present = present
        if not present:
            self._following = None

    def hear(self, following: bool) -> None:
        """A message of the topic."""
        self._present, self._following = True, following

    def objection(self) -> Objection | None:
        if self._following:
            reason = f"teleoperation follows ({self._topic})"
            return Objection(reason, latches=True, foreign=True)
        if self._present and self._following is None:
            reason = f"whether teleoperation follows is not known: {self._topic} has not said so"
            return Objection(reason, foreign=True)
        return None


class SoleCommander:
    """Nobody else may be able to command a motion: two of them fight over the arm."""

    def __init__(self) -> None:
        self._others: tuple[str, ...] = ()

    def see(self, others: Iterable[str]) -> None:
        """Other publishers there are now, as ``/node (topic)``."""
        self._others = tuple(sorted(set(others)))

    def objection(self) -> Objection | None:
        if not self._others:
            return None
        reason = f"the arm has another commander: {', '.join(self._others)}"
        return Objection(reason, latches=True, foreign=True)
