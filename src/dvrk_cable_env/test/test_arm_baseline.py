"""What must stay as it was at ~/arm, and what an arm does or says that must hold it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from arm_rig import HOME, MS, SECOND, Rig

from dvrk_cable_env.arm.base import Base
from dvrk_cable_env.arm.limits import ArmLimits
from dvrk_cable_env.arm.pose import IDENTITY, Pose, angle, base_of
from dvrk_cable_env.arm.speed import Speed

pytestmark = pytest.mark.background

DEGREE = math.radians(1.0)
EFFORTS = (2.0, 2.0, 10.0, 0.2, 0.2, 0.2)


def about(axis: int, degrees: float) -> tuple[float, ...]:
    """The quaternion of a rotation about a coordinate axis."""
    half = degrees * DEGREE / 2
    return (*(math.sin(half) * (i == axis) for i in range(3)), math.cos(half))


def base(x: float = 0.0, degrees: float = 0.0) -> Pose:
    return Pose((x, 0.1, -0.2), about(0, degrees))


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.tick(base=base())
    rig.controller.rearm()
    assert rig.tick().ready
    return rig


def test_errors_of_height_and_orientation_do_not_add_up(rig: Rig) -> None:
    """Each step ends 0.12 mm too high and turned by 0.05 degrees, as inverse kinematics may."""
    for step in range(100):
        end = 0.005 * ((step + 1) % 2)
        assert rig.plan(0.005 if end else -0.005, 0.0).outcome == "sent"
        goal = rig.arm.goals[-1]
        assert (goal.position[2], goal.rotation) == (HOME[2], IDENTITY)
        rig.tick(is_busy=True)
        place, turn = (end, 0.0, goal.position[2] + 0.00012), about(1, 0.05)
        fields: dict[str, Any] = {"setpoint": place, "measured": place}
        fields |= {"setpoint_rotation": turn, "measured_rotation": turn}
        assert not rig.tick(200, is_busy=False, **fields).moving
    assert rig.tick().ready


def lifted(metres: float) -> tuple[float, ...]:
    return (*HOME[:2], HOME[2] + metres)


STRAY = [
    # height and orientation
    ({"setpoint": lifted(0.0021)}, "the setpoint has left its height at ~/arm by more than 2 mm"),
    ({"measured": lifted(-0.0021)}, "the measured tip has left its height"),
    ({"setpoint_rotation": about(2, 2.1)}, "the setpoint has turned by more than 2 degrees"),
    ({"measured_rotation": about(0, -2.1)}, "the measured tip has turned by more than 2 degrees"),
    # the arm's base: a camera arm turned or driven in, a setup joint moved
    ({"base": base(degrees=0.6)}, "has moved against the arm's base by more than 1 mm or 0.5"),
    ({"base": base(0.0011)}, "was the camera arm or a setup joint moved"),
    ({"base": base(math.nan)}, "against the arm's base"),
]
WITHIN: list[dict[str, Any]] = [
    {"setpoint": lifted(0.0019), "measured": lifted(-0.0019)},
    {"setpoint_rotation": about(2, 1.9), "measured_rotation": about(0, -1.9)},
    {"base": base(0.0009, 0.4)},
    # one orientation has two quaternions, and a message's may be a little off the norm
    {"setpoint_rotation": (0.0, 0.0, 0.0, -1.0), "measured_rotation": (0.0, 0.0, 0.0, 1.004)},
]


@pytest.mark.parametrize(("fields", "text"), STRAY)
@pytest.mark.parametrize("moving", [False, True])
def test_an_arm_that_strays_is_held_and_latches(
    rig: Rig, fields: dict[str, Any], text: str, moving: bool
) -> None:
    if moving:
        rig.plan(0.001, 0.0)
        rig.tick(is_busy=True)
    status = rig.tick(**fields)
    assert not status.ready and text in status.reason
    assert rig.arm.sent[-1] == "hold"
    was = {"setpoint": HOME, "measured": HOME, "base": base(), "is_busy": False}
    was |= {"setpoint_rotation": IDENTITY, "measured_rotation": IDENTITY}
    assert not rig.tick(**was).ready, "back by itself, still latched"
    assert text in rig.plan(0.001, 0.0).reason
    assert rig.controller.rearm() == ""
    assert rig.tick().ready and rig.plan(0.001, 0.0).outcome == "sent"


@pytest.mark.parametrize("fields", WITHIN)
def test_what_is_within_the_limits_is_no_stray(rig: Rig, fields: dict[str, Any]) -> None:
    assert rig.tick(**fields).ready
    assert rig.plan(0.001, 0.0).outcome == "sent"


def test_arming_again_keeps_what_the_operator_saw_then(rig: Rig) -> None:
    rig.tick(setpoint=lifted(0.01), measured=lifted(0.01), base=base(0.05))
    assert rig.controller.rearm() == ""
    assert rig.tick().ready
    assert rig.plan(0.001, 0.0).outcome == "sent"
    assert rig.arm.goals[-1].position[2] == lifted(0.01)[2]


@pytest.mark.parametrize("ask", ["stop", "pause", "reset", "deactivate"])
def test_a_base_that_moved_while_nobody_watched_is_told_at_the_next_arming(
    rig: Rig, ask: str
) -> None:
    controller = rig.controller
    {
        "stop": lambda: controller.stop("stopped"),
        "pause": lambda: controller.pause("paused"),
        "reset": controller.reset,
        "deactivate": controller.deactivate,
    }[ask]()
    controller.activate()
    rig.tick(base=base(degrees=3.0), setpoint=lifted(0.02), measured=lifted(0.02))
    assert "base" not in rig.tick().reason and "height" not in rig.tick().reason
    assert "measure the box again, then call ~/arm again" in controller.rearm()
    assert not rig.tick().ready
    assert controller.rearm() == "", "the operator was told"
    assert rig.tick().ready and rig.plan(0.001, 0.0).outcome == "sent"
    controller.stop("stopped")
    assert controller.rearm() == "", "where the base is now is known"


def test_height_is_that_of_arming_though_the_pedal_is_pressed_later() -> None:
    """What is kept is of ~/arm, although the arm becomes ready later."""
    rig = Rig()
    rig.tick()
    rig.controller.rearm()
    rig.arm.set(setpoint=lifted(0.01), measured=lifted(0.01))
    assert rig.plan(0.001, 0.0).outcome == "refused"
    assert "height" in rig.tick().reason


def test_a_base_that_the_arm_tells_only_after_arming_is_watched_from_then() -> None:
    rig = Rig()
    assert rig.tick().ready, "the arm tells no base"
    assert rig.tick(base=base()).ready
    assert "base" in rig.tick(base=base(0.002)).reason


@pytest.mark.parametrize("moving", [False, True])
def test_a_base_that_is_no_longer_told_is_a_late_state(rig: Rig, moving: bool) -> None:
    rig.tick(base_stamp=rig.now)
    if moving:
        rig.plan(0.001, 0.0)
    assert rig.tick(200, is_busy=moving).ready
    status = rig.tick(100)
    assert not status.ready and "no pose on local/setpoint_cp for 0.25 s" in status.reason
    assert "local/setpoint_cp" in rig.controller.rearm()


@pytest.mark.parametrize(
    ("effort", "text"),
    [
        ((0.0, 0.0, -10.1, 0.0, 0.0, 0.0), "the effort of joint insertion is above 10"),
        ((0.0, 2.1, 0.0, 0.0, 0.0, 0.0), "the effort of joint pitch is above 2"),
        ((0.0, 0.0, 0.0, 0.0, 0.0, math.nan), "the effort of joint wrist yaw is above 0.2"),
        ((), "measured_js has 0 efforts, limits.max_effort has 6"),
    ],
)
@pytest.mark.parametrize("moving", [False, True])
def test_an_arm_that_presses_is_held_and_latches(
    effort: tuple[float, ...], text: str, moving: bool
) -> None:
    rig = Rig(limits=ArmLimits(max_effort=EFFORTS))
    rig.tick(effort=EFFORTS, effort_stamp=rig.now)
    assert rig.controller.rearm() == ""
    assert rig.tick(effort_stamp=rig.now).ready, "at its limits"
    if moving:
        rig.plan(0.001, 0.0)
    assert text in rig.tick(effort=effort, is_busy=moving).reason
    assert rig.arm.sent[-1] == "hold"
    assert text in rig.controller.rearm()
    assert text in rig.tick(effort=EFFORTS, is_busy=False).reason, "latched"
    assert rig.controller.rearm() == ""


def test_efforts_that_are_no_longer_told_latch_and_those_without_a_limit_are_not_asked() -> None:
    rig = Rig(limits=ArmLimits(max_effort=EFFORTS))
    rig.tick(effort=EFFORTS, effort_stamp=rig.now)
    rig.controller.rearm()
    assert rig.tick().ready
    assert "measured_js are older than 0.25 s" in rig.tick(300).reason
    assert Rig().tick(effort=(1e9,) * 6).ready


def test_a_tip_that_is_too_fast_in_a_motion_is_held_and_latches(rig: Rig) -> None:
    assert rig.tick(speed=9.0).ready, "not a motion of arm_node: a simulation places its arm anew"
    rig.plan(0.001, 0.0)
    assert rig.tick(is_busy=True, speed=0.2).ready
    assert "the tip is faster than 0.2 m/s" in rig.tick(speed=0.21).reason
    assert rig.arm.sent[-1] == "hold"
    assert not rig.tick(is_busy=False, speed=0.0).ready


@pytest.mark.parametrize(
    ("period_ms", "jitter_ms"), [(1, 0.2), (2, 0.4), (10, 0.5), (20, 1.0), (100, 5.0)]
)
def test_speed_is_measured_at_every_rate(period_ms: int, jitter_ms: float) -> None:
    speed = Speed()
    for i in range(150):
        stamp = SECOND + int(MS * (i * period_ms + jitter_ms * (i % 2)))
        speed.add(stamp, (0.0, 0.03 * i * period_ms * 1e-3, -0.1))
        speed.add(0, (9.0, 9.0, 9.0))  # invalid
        if i * period_ms > 60:
            assert speed.value == pytest.approx(0.03, rel=0.1)
    speed.add(SECOND // 2, (0.0, 0.5, -0.1))
    assert speed.value == 0.0, "the clock was set back: another time"


def test_poses_that_are_stamped_late_are_no_fast_tip() -> None:
    """As a busy simulator stamps them: 20 ms apart, by turns in time and 15 ms late."""
    speed, fastest = Speed(), 0.0
    for i in range(100):
        stamp = SECOND + MS * (20 * i + 15 * (i % 2))
        speed.add(stamp, (0.03 * i * 20e-3, 0.0, -0.1))
        fastest = max(fastest, speed.value)
    assert 0.03 <= fastest < 0.06


def test_a_short_motion_that_is_too_fast_is_seen() -> None:
    """15 mm in 25 ms."""
    speed, fastest = Speed(), 0.0
    for ms in range(0, 300, 5):
        speed.add(SECOND + MS * ms, (min(max(ms - 100, 0) * 0.6e-3, 0.015), 0.0, -0.1))
        fastest = max(fastest, speed.value)
    assert fastest > 0.2


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("jitter", [0, MS])
def test_a_tip_that_moves_does_not_look_like_a_base_that_moves(
    order: tuple[int, int], jitter: int
) -> None:
    """Topics come one after the other, some are lost, and a clock may stand still meanwhile."""
    found = Base()
    for step in range(60):
        stamp = SECOND + MS * 10 * min(step, 40)  # 10 mm at each step, and the clock stops
        place = Pose((0.01 * step, 0.0, -0.1))
        for topic in order:
            if step < 40 and step % (3 + topic) == 0:
                continue  # lost
            if topic == 0:
                found.add_setpoint(stamp, place)
            else:
                found.add_local(stamp + jitter, place)
            assert found.pose is None or found.pose.position == pytest.approx((0.0, 0.0, 0.0))
    assert found.pose is not None and found.stamp >= SECOND + 400 * MS
    found.add_setpoint(SECOND // 2, place)
    found.add_local(SECOND // 2 + 3 * MS, Pose((0.0, 0.0, 0.0)))
    assert found.pose.position == pytest.approx((0.0, 0.0, 0.0)), "not of one instant"


@pytest.mark.parametrize("late", [3, 7, 15])
def test_a_base_is_seen_at_rest_though_each_topic_has_stamps_of_its_own(late: int) -> None:
    """As a busy simulator stamps its poses: a tip moves, rests, and then its base moves."""
    found, shift = Base(), Pose((0.0, 0.002, 0.0))
    for step in range(40):
        tip, stamp = 0.01 * min(step, 20), SECOND + 20 * MS * step
        moved = step >= 30
        found.add_setpoint(stamp, Pose((tip, 0.002 * moved, -0.1)))
        found.add_local(stamp + late * MS, Pose((tip, 0.0, -0.1)))
        if step > 22:
            assert found.pose in (Pose((0.0, 0.0, 0.0)), *[shift] * moved), "never in between"
            assert found.stamp == stamp + late * MS
        else:
            assert found.pose in (None, Pose((0.0, 0.0, 0.0))), "unknown in a motion"
    assert found.pose == shift


def test_topics_that_are_read_one_after_the_other_while_the_clock_stands_still() -> None:
    found, places = Base(), [Pose((0.01 * step, 0.0, -0.1)) for step in range(3)]
    for place in places:
        found.add_setpoint(SECOND, place)
    for place in places:
        found.add_local(SECOND, place)
        assert found.pose == Pose((0.0, 0.0, 0.0))


@pytest.mark.parametrize("level", ["error", "warning"])
@pytest.mark.parametrize("busy", [False, True])
def test_a_motion_that_the_arm_complains_about_has_ended(rig: Rig, level: str, busy: bool) -> None:
    rig.plan(0.001, 0.0)
    rig.tick(is_busy=busy)
    rig.controller.complain(level, "PSM1: cannot solve inverse kinematics")
    status = rig.controller.status()
    assert f"the arm reports the {level} 'PSM1: cannot solve inverse kinematics'" in status.reason
    assert rig.arm.sent[-1] == "hold"
    rig.tick(is_busy=False)
    assert "inverse kinematics" in rig.plan(0.001, 0.0).reason
    assert rig.controller.rearm() == ""


def test_homing_that_the_arm_rejects_does_not_wait_for_its_timeout() -> None:
    rig = Rig()
    rig.tick(state="DISABLED", is_homed=False)
    assert rig.controller.home() == ""
    rig.tick()
    rig.controller.complain("warning", "the instrument is not known")
    assert "not armed" in rig.tick(state="ENABLED").reason or rig.arm.sent[-1] == "home"
    rig.controller.complain("error", "a potentiometer is off")
    assert "while enabling the arm reports the error 'a potentiometer is off'" in rig.tick().reason


def test_a_complaint_at_rest_ends_nothing(rig: Rig) -> None:
    rig.controller.complain("error", "a fan is slow")
    assert rig.tick().ready


@pytest.mark.parametrize("turn", [IDENTITY, about(0, 30.0), about(2, -170.0)])
def test_the_base_is_found_from_any_pose_of_the_tip(turn: tuple[float, ...]) -> None:
    camera = Pose((0.1, -0.2, 0.3), about(1, 40.0))
    for local in (Pose((0.0, 0.0, -0.1), turn), Pose((0.03, 0.05, -0.12), about(1, 77.0))):
        moved = camera.rotate(local.position)
        place = tuple(a + b for a, b in zip(camera.position, moved, strict=True))
        x, y, z, w = camera.rotation
        a, b, c, d = local.rotation
        product = (
            w * a + x * d + y * c - z * b,
            w * b - x * c + y * d + z * a,
            w * c + x * b - y * a + z * d,
            w * d - x * a - y * b - z * c,
        )
        found = base_of(Pose(place, product), local)
        assert found.position == pytest.approx(camera.position)
        assert angle(found.rotation, camera.rotation) == pytest.approx(0.0, abs=1e-7)
