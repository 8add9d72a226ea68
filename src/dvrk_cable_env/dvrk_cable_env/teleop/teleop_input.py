"""The meaning of sticks, buttons and pedals: a displacement, a mark, the clutch. No ROS.

No input lasts: a stick counts only while its messages keep arriving. No level is taken for a wish
before it was seen at rest: a driver may report a full deflection before the first event.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from dvrk_cable_env.arm.guards import DOWN
from dvrk_cable_env.bags.records import MARKS
from ls3_common.parameters import parameter

NEUTRAL = (0.0, 0.0)
"""The deflection of a released stick."""
ROUNDED = 1e-3
"""By how much a driver's rounding may bring an axis beyond 1."""


@dataclasses.dataclass(frozen=True)
class JoyConfig:
    """Axes and buttons of a gamepad; the defaults are those of joy for an Xbox controller."""

    max_age: float = parameter(
        0.5,
        description="a message that is older, by its stamp or its arrival, moves nothing",
        unit="s",
        low=0.02,
        high=2.0,
    )
    axis_x: int = parameter(0, description="axis that moves the tip along x", low=0, high=63)
    axis_y: int = parameter(1, description="axis that moves the tip along y", low=0, high=63)
    reverse_x: bool = parameter(True, description="reverse axis_x: in joy the stick's left is +1")
    reverse_y: bool = parameter(False, description="reverse axis_y")
    deadzone: float = parameter(
        0.15, description="largest deflection that counts as released", low=0.01, high=0.9
    )
    enable_button: int = parameter(
        5,
        description="dead-man button, which must be held for the stick to move the arm; -1: none",
        low=-1,
        high=63,
    )
    clutch_button: int = parameter(
        4, description="button that disconnects the stick while pressed; -1: none", low=-1, high=63
    )
    start_button: int = parameter(7, description="marks the start; -1: none", low=-1, high=63)
    stop_button: int = parameter(6, description="marks the stop; -1: none", low=-1, high=63)
    success_button: int = parameter(0, description="marks success; -1: none", low=-1, high=63)
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
        """Index of each button by its meaning; -1 for none."""
        names = ("enable", "clutch", *MARKS)
        return {name: getattr(self, f"{name}_button") for name in names}


class InputFault(ValueError):
    """An input that must not move the arm; the text gives the reason."""


class Joystick:
    """Interprets the messages of a gamepad. Times are seconds of a steady clock.

    A deflection is (x, y), each in [-1, 1]; (1, 1) is a displacement of max_step on both axes.

    reason: why a stick that is deflected moves nothing, for the person; empty if it moves the arm,
        is released or is clutched.
    """

    def __init__(self, config: JoyConfig) -> None:
        """Interpret axes and buttons as `config` says."""
        self._config = config
        self._pressed: dict[str, bool] = {}
        self._deflection, self._received = NEUTRAL, -math.inf
        self._seen_released = {"stick": False, "dead-man button": False}
        self.reason = ""

    def receive(
        self, axes: Sequence[float], buttons: Sequence[int], *, age: float, now: float
    ) -> list[str]:
        """Take one sensor_msgs/Joy.

        The stick and the dead-man button count after each was seen released, since the first
        message, the last invalid message and the last silence of `max_age`.

        A button marks when it goes down. A button that is down in the first message, or in the
        first valid message after an invalid one, does not mark: when it went down is unknown.

        Args:
            axes, buttons: of the message.
            age: time since the message's stamp, s; not finite without a stamp.
            now: when the message arrived.

        Returns:
            The marks of the buttons that went down, out of `MARKS`.

        Raises:
            InputFault: the message is not valid; it moves nothing and marks nothing.
        """
        try:
            self._check(axes, buttons, age)
        except InputFault:
            self._pressed = {}
            self._forget()
            raise
        if now - self._received > self._config.max_age:
            self._forget()  # but no mark: without autorepeat, drivers publish on change only
        before, down = self._pressed, self._down(buttons)
        self._pressed, self._received = down, now
        stick = self._stick(axes)
        self._seen_released["stick"] |= stick == NEUTRAL
        self._seen_released["dead-man button"] |= not down["enable"]
        pulls = stick != NEUTRAL and not down["clutch"]
        self.reason = self._refusal(down["enable"]) if pulls else ""
        self._deflection = stick if pulls and not self.reason else NEUTRAL
        return [mark for mark in MARKS if down[mark] and before.get(mark) is False]

    def _down(self, buttons: Sequence[int]) -> dict[str, bool]:
        return {
            name: index >= 0 and buttons[index] == DOWN
            for name, index in self._config.buttons.items()
        }

    def _refusal(self, enabled: bool) -> str:
        button = self._config.enable_button
        for name, seen in self._seen_released.items():
            if not seen:
                return f"the joystick's {name} was not seen released yet: release it first"
        if button >= 0 and not enabled:
            return f"hold button {button} (joy.enable_button) while the stick moves the arm"
        return ""

    def _forget(self) -> None:
        self._deflection, self.reason = NEUTRAL, ""
        self._seen_released = dict.fromkeys(self._seen_released, False)

    @property
    def clutched(self) -> bool:
        """Whether the clutch button was down in the newest valid message, however old it is."""
        return self._pressed.get("clutch", False)

    def deflection(self, now: float) -> tuple[float, float]:
        """Return the deflection (x, y) of the stick, each in [-1, 1].

        Raises:
            InputFault: the stick was deflected, and its messages have stopped.
        """
        if self._deflection != NEUTRAL and now - self._received > self._config.max_age:
            self._forget()
            raise InputFault(f"no message from the joystick for {self._config.max_age:g} s")
        return self._deflection

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
            raise InputFault("the joystick's message has no stamp, so its age is unknown")
        if abs(age) > config.max_age:
            side = "old" if age > 0 else "ahead of this computer's clock"
            raise InputFault(f"the joystick's message is more than {config.max_age:g} s {side}")

    def _stick(self, axes: Sequence[float]) -> tuple[float, float]:
        config = self._config
        x = axes[config.axis_x] * (-1 if config.reverse_x else 1)
        y = axes[config.axis_y] * (-1 if config.reverse_y else 1)
        return self._outside_deadzone(x), self._outside_deadzone(y)

    def _outside_deadzone(self, value: float) -> float:
        return min(max(value, -1.0), 1.0) if abs(value) > self._config.deadzone else 0.0


@dataclasses.dataclass(frozen=True)
class PedalConfig:
    """Topics of foot pedals, each a sensor_msgs/Joy with one button, as the dVRK publishes them."""

    clutch: str = parameter(
        "",
        description="topic of the clutch, which disconnects every input while pressed, "
        "e.g. /console/clutch",
    )
    episode: str = parameter(
        "", description="topic of a pedal that starts an episode, and stops it when pressed again"
    )
    success: str = parameter("", description="topic of a pedal that marks success")
    violation: str = parameter("", description="topic of a pedal that marks a violation")
    discard: str = parameter("", description="topic of a pedal that discards the episode")


class Pedal:
    """One foot pedal.

    down: whether the pedal is down; None before its first message.
    """

    def __init__(self) -> None:
        self.down: bool | None = None

    def receive(self, buttons: Sequence[int]) -> bool:
        """Take the buttons of one Joy message; without buttons the pedal counts as released.

        Returns:
            Whether the pedal went down. The first message may say so, because the dVRK's pedals
            publish on change only.
        """
        before, self.down = self.down, bool(buttons) and buttons[0] == DOWN
        return self.down and not before


def displacement(deflection: Sequence[float], max_step: float) -> tuple[float, float]:
    """Convert a deflection (x, y) in [-1, 1] to a displacement (dx, dy), m.

    Args:
        deflection: (x, y); values beyond 1 count as 1.
        max_step: displacement per axis at full deflection, m.

    Raises:
        InputFault: the deflection is not finite.
    """
    if not all(map(math.isfinite, deflection)):
        raise InputFault("the deflection is not finite")
    x, y = (min(max(value, -1.0), 1.0) * max_step for value in deflection)
    return x, y
