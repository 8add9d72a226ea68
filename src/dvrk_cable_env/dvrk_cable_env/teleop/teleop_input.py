"""What sticks, buttons and pedals mean: a displacement, a mark, the clutch. Pure: no ROS.

Nothing an input says lasts: a stick counts while its messages keep coming.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from dvrk_cable_env.arm.guards import DOWN
from dvrk_cable_env.arm.limits import ArmLimits
from dvrk_cable_env.bags.records import MARKS
from ls3_common.parameters import parameter

STILL = (0.0, 0.0)
ROUNDED = 1e-3
"""By that a driver may round an axis beyond 1."""


@dataclasses.dataclass(frozen=True)
class JoyConfig:
    """How a gamepad lies in the hand; the defaults are joy's for an Xbox controller."""

    max_age: float = parameter(
        0.5,
        description="a message older than that, by its stamp or since it came, moves nothing",
        unit="s",
        low=0.02,
        high=2.0,
    )
    axis_x: int = parameter(0, description="axis that moves the tip along x", low=0, high=63)
    axis_y: int = parameter(1, description="axis that moves the tip along y", low=0, high=63)
    reverse_x: bool = parameter(True, description="the stick's left is +1 in joy, and -x here")
    reverse_y: bool = parameter(False, description="as reverse_x")
    deadzone: float = parameter(
        0.15, description="deflection up to which a stick counts as released", low=0.01, high=0.9
    )
    enable_button: int = parameter(
        -1, description="must be pressed for the stick to move the arm; -1: none", low=-1, high=63
    )
    clutch_button: int = parameter(
        4, description="while pressed the stick moves nothing; -1: none", low=-1, high=63
    )
    start_button: int = parameter(7, description="marks a start; -1: none", low=-1, high=63)
    stop_button: int = parameter(6, description="marks a stop; -1: none", low=-1, high=63)
    success_button: int = parameter(0, description="marks a success; -1: none", low=-1, high=63)
    violation_button: int = parameter(1, description="marks a violation; -1: none", low=-1, high=63)
    discard_button: int = parameter(
        2, description="discards the episode; -1: none", low=-1, high=63
    )

    def __post_init__(self) -> None:
        if self.axis_x == self.axis_y:
            raise ValueError("axis_x and axis_y are the same axis")
        used = [button for button in self.buttons.values() if button >= 0]
        if len(set(used)) != len(used):
            raise ValueError("one button has two meanings")

    @property
    def buttons(self) -> Mapping[str, int]:
        """Index of each button by its meaning, -1 for none."""
        names = ("enable", "clutch", *MARKS)
        return {name: getattr(self, f"{name}_button") for name in names}


class InputFault(ValueError):
    """Why an input moves nothing."""


class Joystick:
    """A gamepad. Times are seconds; those of stamps by the system's clock, ages by a steady one."""

    def __init__(self, config: JoyConfig) -> None:
        self._config = config
        self._pressed: dict[str, bool] = {}
        self._wish, self._heard = STILL, -math.inf

    def hear(
        self, axes: Sequence[float], buttons: Sequence[int], *, age: float, now: float
    ) -> list[str]:
        """One sensor_msgs/Joy; returns the marks whose buttons went down with it.

        A button that is down in the first message, or in the first good one after a bad one, was
        not seen to go down.

        Args:
            age: since its stamp; not finite for one that has none.
            now: when it came, by the steady clock.

        Raises:
            InputFault: it moves nothing and marks nothing.
        """
        try:
            self._check(axes, buttons, age)
        except InputFault:
            self._wish, self._pressed = STILL, {}
            raise
        config, before = self._config, self._pressed
        down = {
            name: index >= 0 and buttons[index] == DOWN for name, index in config.buttons.items()
        }
        self._pressed = down
        allowed = not down["clutch"] and (down["enable"] or config.enable_button < 0)
        self._wish = self._stick(axes) if allowed else STILL
        self._heard = now
        return [mark for mark in MARKS if down[mark] and before.get(mark) is False]

    @property
    def clutched(self) -> bool:
        """Whether its clutch was down in the newest message, however old that is."""
        return self._pressed.get("clutch", False)

    def wish(self, now: float) -> tuple[float, float]:
        """Where the stick points, each axis in [-1, 1].

        Raises:
            InputFault: it pointed somewhere, and nothing is heard of it any more.
        """
        if self._wish != STILL and now - self._heard > self._config.max_age:
            self._wish = STILL
            raise InputFault(f"nothing heard of the joystick for {self._config.max_age:g} s")
        return self._wish

    def _check(self, axes: Sequence[float], buttons: Sequence[int], age: float) -> None:
        config = self._config
        needed = max(config.axis_x, config.axis_y) + 1
        if len(axes) < needed:
            raise InputFault(f"the joystick has {len(axes)} axes, {needed} are needed")
        needed = max(config.buttons.values()) + 1
        if len(buttons) < needed:
            raise InputFault(f"the joystick has {len(buttons)} buttons, {needed} are needed")
        used = (axes[config.axis_x], axes[config.axis_y])
        if not all(map(math.isfinite, used)):
            raise InputFault("an axis of the joystick is not finite")
        if max(map(abs, used)) > 1.0 + ROUNDED:
            raise InputFault("an axis of the joystick is beyond 1")
        if not math.isfinite(age):
            raise InputFault("the joystick's message has no stamp: nobody knows how old it is")
        if abs(age) > config.max_age:
            side = "old" if age > 0 else "ahead of this computer's clock"
            raise InputFault(f"the joystick's message is more than {config.max_age:g} s {side}")

    def _stick(self, axes: Sequence[float]) -> tuple[float, float]:
        config = self._config
        x = axes[config.axis_x] * (-1 if config.reverse_x else 1)
        y = axes[config.axis_y] * (-1 if config.reverse_y else 1)
        return self._beyond(x), self._beyond(y)

    def _beyond(self, value: float) -> float:
        return min(max(value, -1.0), 1.0) if abs(value) > self._config.deadzone else 0.0


@dataclasses.dataclass(frozen=True)
class PedalConfig:
    """Foot pedals, each a sensor_msgs/Joy of one button as the dVRK publishes them."""

    clutch: str = parameter(
        "", description="topic of the clutch: while pressed nothing moves, e.g. /console/clutch"
    )
    episode: str = parameter(
        "", description="topic of a pedal that starts an episode and, pressed again, stops it"
    )
    success: str = parameter("", description="topic of a pedal that marks a success")
    violation: str = parameter("", description="topic of a pedal that marks a violation")
    discard: str = parameter("", description="topic of a pedal that discards the episode")


class Pedal:
    """One pedal: is it down, and did it just go down?"""

    def __init__(self) -> None:
        self.down: bool | None = None  # not heard yet

    def hear(self, buttons: Sequence[int]) -> bool:
        """A message of it; whether it went down. One without buttons is not pressed.

        The first message may already say so: the dVRK's pedals publish on change only.
        """
        before, self.down = self.down, bool(buttons) and buttons[0] == DOWN
        return self.down and not before


def displacement(wish: Sequence[float], max_step: float) -> tuple[float, float]:
    """(dx, dy) in metres, each axis at most `max_step`, of a wish in [-1, 1] per axis.

    Raises:
        InputFault: the wish is not finite.
    """
    if not all(map(math.isfinite, wish)):
        raise InputFault("the wish is not finite")
    x, y = (min(max(value, -1.0), 1.0) * max_step for value in wish)
    return x, y


MAX_STEP = ArmLimits().max_step
"""arm_node's default (m)."""
