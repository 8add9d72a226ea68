"""What sticks, buttons, pedals and keys mean."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvrk_cable_env.teleop.teleop_input import (
    NEUTRAL,
    InputFault,
    JoyConfig,
    Joystick,
    Pedal,
    displacement,
)
from dvrk_cable_env.teleop.teleop_keys import Keys

pytestmark = pytest.mark.background

AXES, BUTTONS = [0.0, 0.0], [0] * 8
START, DEAD_MAN = JoyConfig().start_button, JoyConfig().enable_button
HELD = [int(index == DEAD_MAN) for index in range(8)]
RIGHT = [-1.0, 0.0]
"""Joy's left is +1."""


def receive(
    stick: Joystick, axes: Any = AXES, buttons: Any = BUTTONS, age: float = 0.01, now: float = 0.0
):
    return stick.receive(axes, buttons, age=age, now=now)


def buttons(*pressed: int) -> list[int]:
    return [int(index in pressed) for index in range(8)]


def at_rest(**settings: Any) -> Joystick:
    """A gamepad that was seen released."""
    stick = Joystick(JoyConfig(**settings))
    receive(stick)
    return stick


def test_a_stick_moves_the_tip_as_it_points() -> None:
    stick = at_rest()
    receive(stick, [-1.0, 0.5], HELD)
    assert stick.deflection(0.0) == (1.0, 0.5)
    assert displacement(stick.deflection(0.0), 0.01) == pytest.approx((0.01, 0.005))
    receive(stick, [0.1, -0.1], HELD)
    assert stick.deflection(0.0) == NEUTRAL, "in the dead zone it is released"


def test_a_stick_that_is_deflected_from_the_first_message_on_moves_nothing() -> None:
    stick = Joystick(JoyConfig())
    for _ in range(3):
        receive(stick, RIGHT, HELD)
        assert stick.deflection(0.0) == NEUTRAL
        assert "stick was not seen released" in stick.reason
    receive(stick, AXES, HELD)
    receive(stick, RIGHT, HELD)
    assert stick.deflection(0.0) == NEUTRAL, "the button was held from the first message on"
    assert "dead-man button was not seen released" in stick.reason
    receive(stick, RIGHT)
    assert stick.deflection(0.0) == NEUTRAL
    assert (
        stick.reason == f"hold button {DEAD_MAN} (joy.enable_button) while the stick moves the arm"
    )
    receive(stick, RIGHT, HELD)
    assert stick.deflection(0.0) == (1.0, 0.0)


def test_a_gamepad_that_comes_back_deflected_after_a_silence_moves_nothing() -> None:
    """A second member of the class: a driver that was started anew, or a lost radio link."""
    for rests in (True, False):
        stick = at_rest()
        receive(stick, AXES if rests else RIGHT, HELD, now=10.0)
        receive(stick, RIGHT, HELD, now=10.6)
        assert stick.deflection(10.6) == NEUTRAL
        receive(stick, now=10.7)
        receive(stick, RIGHT, HELD, now=10.8)
        assert stick.deflection(10.8) == (1.0, 0.0)


def test_a_gamepad_that_is_deflected_after_a_bad_message_moves_nothing() -> None:
    """A third member: what happened during the bad messages is unknown."""
    stick = at_rest()
    receive(stick, RIGHT, HELD)
    with pytest.raises(InputFault):
        receive(stick, [math.nan, 0.0], HELD)
    receive(stick, RIGHT, HELD)
    assert stick.deflection(0.0) == NEUTRAL
    assert "not seen released" in stick.reason


def test_without_a_dead_man_button_the_stick_must_still_be_seen_released() -> None:
    stick = Joystick(JoyConfig(enable_button=-1))
    receive(stick, RIGHT)
    assert stick.deflection(0.0) == NEUTRAL
    receive(stick)
    receive(stick, RIGHT)
    assert stick.deflection(0.0) == (1.0, 0.0)


def test_a_marking_button_counts_after_a_silence() -> None:
    """Without autorepeat a driver publishes on change only, and a mark moves nothing."""
    stick = at_rest()
    assert receive(stick, buttons=buttons(START), now=60.0) == ["start"]


@pytest.mark.parametrize(
    ("axes", "pressed", "age", "reason"),
    [
        ([math.nan, 0.0], BUTTONS, 0.0, "not finite"),
        ([1.0, math.inf], BUTTONS, 0.0, "not finite"),
        ([1.5, 0.0], BUTTONS, 0.0, "beyond 1"),
        ([1.0], BUTTONS, 0.0, "has 1 axes, 2 are needed"),
        ([], BUTTONS, 0.0, "has 0 axes"),
        ([1.0, 0.0], [0] * 7, 0.0, "has 7 buttons, 8 are needed"),
        ([1.0, 0.0], BUTTONS, 0.6, "more than 0.5 s old"),
        ([1.0, 0.0], BUTTONS, -0.6, "ahead of this computer's clock"),
        ([1.0, 0.0], BUTTONS, math.inf, "no stamp"),
    ],
)
def test_a_bad_message_moves_and_marks_nothing(
    axes: list[float], pressed: list[int], age: float, reason: str
) -> None:
    stick = at_rest()
    receive(stick, [1.0, 0.0], HELD)
    assert stick.deflection(0.0) != NEUTRAL
    with pytest.raises(InputFault, match=reason):
        receive(stick, axes, pressed, age)
    assert stick.deflection(0.0) == NEUTRAL, "nor does the message before it"


def test_silence_is_a_released_stick() -> None:
    stick = Joystick(JoyConfig())
    receive(stick, now=9.9)
    receive(stick, [1.0, 0.0], HELD, now=10.0)
    assert stick.deflection(10.4) != NEUTRAL
    with pytest.raises(InputFault, match=r"no message from the joystick for 0\.5 s"):
        stick.deflection(10.6)
    assert stick.deflection(10.6) == NEUTRAL, "said once"


def test_clutch_and_enable_buttons() -> None:
    stick = at_rest(enable_button=6, stop_button=5)
    receive(stick, [1.0, 0.0])
    assert stick.deflection(0.0) == NEUTRAL
    receive(stick, [1.0, 0.0], buttons(6))
    assert stick.deflection(0.0) != NEUTRAL
    receive(stick, [1.0, 0.0], buttons(6, 4))
    assert stick.deflection(0.0) == NEUTRAL
    assert not stick.reason, "who holds the clutch knows"


def test_a_button_marks_when_it_goes_down_and_was_seen_up() -> None:
    stick = Joystick(JoyConfig())
    assert receive(stick, buttons=buttons(START)) == [], "it was down before anybody looked"
    assert receive(stick) == []
    assert receive(stick, buttons=buttons(START)) == ["start"]
    assert receive(stick, buttons=buttons(START)) == []
    receive(stick)
    with pytest.raises(InputFault):
        receive(stick, age=9.0)
    assert receive(stick, buttons=buttons(START)) == [], "nobody knows since when it is down"


def test_a_button_with_two_meanings_is_refused() -> None:
    with pytest.raises(ValueError, match="two meanings"):
        JoyConfig(start_button=4)
    with pytest.raises(ValueError, match="same axis"):
        JoyConfig(axis_x=1)


numbers = st.floats(allow_nan=True, allow_infinity=True, width=32)


@given(
    axes=st.lists(numbers, max_size=4),
    pressed=st.lists(st.integers(-1, 2), max_size=12),
    age=numbers,
    silence=st.floats(0.0, 2.0),
    max_step=st.floats(1e-4, 0.05),
)
def test_no_message_asks_for_more_than_a_step(
    axes: list[float], pressed: list[int], age: float, silence: float, max_step: float
) -> None:
    stick = at_rest(enable_button=-1)
    try:
        stick.receive(axes, pressed, age=age, now=0.0)
        deflection = stick.deflection(silence)
    except InputFault:
        deflection = stick.deflection(silence)
        assert deflection == NEUTRAL
    assert all(abs(value) <= max_step for value in displacement(deflection, max_step))
    if abs(age) > 0.5 or silence > 0.5:
        assert deflection == NEUTRAL


def test_a_deflection_that_is_not_finite_is_no_displacement() -> None:
    with pytest.raises(InputFault):
        displacement((math.nan, 0.0), 0.01)


def test_a_pedal_counts_when_it_goes_down() -> None:
    pedal = Pedal()
    assert pedal.receive([1]), "the first word of one that publishes on change only"
    assert not pedal.receive([1])
    assert pedal.down
    assert not pedal.receive([0])
    assert pedal.receive([1])
    assert not pedal.receive([2]), "a tap of the dVRK's comes after its 1 and 0"
    assert not pedal.receive([])
    assert not pedal.down


def test_a_key_is_one_step_and_lapses() -> None:
    keys = Keys()
    keys.press("\x1b[C", 0.0)
    assert keys.deflection(0.1) == (1.0, 0.0)
    assert keys.deflection(Keys.MAX_AGE + 0.01) == NEUTRAL
    keys.press("w", 1.0)
    keys.consume()
    assert keys.deflection(1.0) == NEUTRAL


def test_keys_mark_clutch_and_choose_the_size() -> None:
    keys = Keys()
    assert keys.press("1x2345", 0.0) == ["start", "stop", "success", "violation", "discard"]
    keys.press("-e", 0.0)
    assert keys.deflection(0.0) == (0.5, 0.5)
    keys.press("+++w", 0.0)
    assert keys.deflection(0.0) == (0.0, 1.0), "never beyond a whole step"
    keys.press(" w", 0.0)
    assert keys.deflection(0.0) == NEUTRAL
    keys.press(" ", 0.0)
    assert keys.deflection(0.0) == NEUTRAL, "what was pressed while clutched is forgotten"
    assert keys.press("\x1b[15~", 0.0) == [], "F5 is neither a start nor a discard"
