"""What sim_node tells of its arm's state over real DDS, to a client like the dVRK's.

test_dvrk_client.py runs the client itself where it is installed.
"""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from crtk_client import EVENTS, HEARD, START, nanoseconds
from geometry_msgs.msg import PoseStamped
from std_msgs.msg import Float64, Float64MultiArray

from crtk_msgs.msg import OperatingState
from ls3_common import qos
from ls3_sim.crtk_server import CrtkServer
from ls3_sim.kinematics import TipPose
from ls3_sim.psm import Psm


def test_what_it_hears_before_and_after_homing(client):
    """A client hears no state until the next event; what is not valid has stamp 0."""
    streams = [name for name in HEARD if name not in EVENTS]
    client.sim.until(lambda: all(client.heard[name] for name in streams))
    stamped = [name for name in streams if HEARD[name] is not Float64MultiArray]
    assert all(nanoseconds(client.heard[name][-1]) == 0 for name in stamped)
    assert client.command("enable") == [("ENABLED", False, False)]
    assert client.command("home")[0] == ("ENABLED", False, True)
    client.sim.until(lambda: client.states[-1] == ("ENABLED", True, False))
    forces = {"body/measured_cf", "spatial/measured_cf"}
    client.sim.until(
        lambda: {name for name in stamped if nanoseconds(client.heard[name][-1]) == 0} == forces
    )
    names = ["yaw", "pitch", "insertion", "roll", "wrist_pitch", "wrist_yaw"]
    assert list(client.heard["measured_js"][-1].name) == names
    assert list(client.heard["jaw/measured_js"][-1].name) == ["jaw"]
    frames = {client.heard[name][-1].header.frame_id for name in HEARD if name.endswith("_cp")}
    assert frames == {"PSM1_base"}


def test_a_state_command_is_answered_even_when_nothing_changes(psm):
    """So a client that comes late learns of the state; but nothing is said unasked."""
    for name in ("enable", "home"):
        assert psm.command(name) == [("ENABLED", True, False)]
    count = len(psm.states)
    psm.sim.wait(2.0)
    psm.say("state_command", "dance")
    psm.sim.wait(0.5)
    assert len(psm.states) == count
    stamps = [nanoseconds(state) for state in psm.heard["operating_state"]]
    assert (np.diff(stamps) > 0).all()


def test_a_move_is_busy_and_then_not_however_short(psm):
    for _ in range(5):
        assert psm.do("move_cp", psm.sim.pose(*START)) == [
            ("ENABLED", True, True),
            ("ENABLED", True, False),
        ]


def test_a_move_is_heard_of_with_the_next_tick_and_no_earlier(bench, listener):
    """At the time of the command the client's clock would not take the motion for its own."""
    arm, now = Psm(TipPose((*START, -0.12)), 0.05, homing_time=0.0), [10_000_000]
    arm.state_command("home")
    server = CrtkServer(bench.node, "PSM2", arm, lambda: now[0])
    heard = bench.collect(OperatingState, "PSM2/operating_state", qos.CHANGES)
    moves = bench.node.create_publisher(PoseStamped, "PSM2/move_cp", qos.RELIABLE)
    bench.until(lambda: heard and moves.get_subscription_count())
    moves.publish(listener.pose(*START, frame="PSM2_base"))
    bench.until(lambda: arm.is_busy)
    time.sleep(0.2)
    assert [state.is_busy for state in heard] == [False]
    now[0] += 10_000_000
    arm.advance(0.01)
    server.publish()
    bench.until(lambda: len(heard) == 3)
    assert [state.is_busy for state in heard] == [False, True, False]
    assert [nanoseconds(state) for state in heard] == [10_000_000, 20_000_000, 20_000_001]


def test_who_comes_late_hears_the_present_state_and_ratio_alone(psm, bench):
    """As of arm_node's motion_state: the first message that an operator sees must be true."""
    for name in ("pause", "resume", "pause", "resume"):
        psm.command(name)
    states = bench.collect(OperatingState, "PSM1/operating_state", qos.CHANGES)
    ratios = bench.collect(Float64, "PSM1/trajectory_j/ratio", qos.CHANGES)
    bench.until(lambda: states and ratios)
    time.sleep(0.5)
    assert [state.state for state in states] == ["ENABLED"]
    assert [ratio.data for ratio in ratios] == [1.0]


def test_a_move_that_replaces_another_is_answered_too(psm):
    before = len(psm.states)
    psm.say("move_cp", psm.sim.pose(-0.09, 0.12))
    psm.sim.until(lambda: len(psm.states) > before)
    assert psm.do("move_cp", psm.sim.pose(-0.09, 0.02)) == [
        ("ENABLED", True, True),
        ("ENABLED", True, False),
    ]
    assert psm.now("measured_cp").pose.position.y == pytest.approx(0.02, abs=1e-3)


def test_pause_ends_a_move_and_resume_lets_the_next_begin(psm):
    psm.say("move_cp", psm.sim.pose(-0.09, 0.12))
    psm.sim.until(lambda: psm.states[-1][2])
    assert psm.command("pause") == [("PAUSED", True, False)]
    held = psm.joints("setpoint_js")
    psm.say("move_cp", psm.sim.pose(*START))
    psm.say("servo_jp", held + 0.01)
    psm.sim.wait(0.3)
    assert psm.joints("setpoint_js") == pytest.approx(held)
    assert psm.command("resume") == [("ENABLED", True, False)]
    assert len(psm.do("move_cp", psm.sim.pose(*START))) == 2


def test_a_tracking_error_is_a_fault_that_enable_clears(psm):
    """A setpoint on the far side at once: no motor follows, the power goes."""
    before = len(psm.states)
    psm.say("servo_cp", psm.sim.pose(0.09, 0.1))
    psm.sim.until(lambda: psm.states[before:])
    assert psm.states[before:] == [("FAULT", True, False)]
    psm.sim.wait(0.3)
    measured, setpoint = psm.joints(), psm.joints("setpoint_js")
    assert setpoint[:3] == pytest.approx(measured[:3], abs=0.1)
    assert math.hypot(*(setpoint[:2] - [math.atan2(0.09, 0.12), 0.6])) > 0.5  # it never got there
    psm.say("move_cp", psm.sim.pose(*START))
    psm.sim.wait(0.3)
    assert psm.states[-1] == ("FAULT", True, False)
    assert psm.command("enable") == [("ENABLED", True, False)]


def test_free_and_hold_end_a_move(psm):
    for name in ("free", "hold"):
        psm.say("move_cp", psm.sim.pose(-0.09, 0.12))
        psm.sim.until(lambda: psm.states[-1][2])
        psm.say(name)
        psm.sim.until(lambda: not psm.states[-1][2])
        assert psm.states[-1] == ("ENABLED", True, False)


def test_the_streams_come_at_100_hz_of_simulated_time(psm):
    psm.heard["measured_js"].clear()
    psm.sim.until(lambda: len(psm.heard["measured_js"]) >= 100)
    stamps = np.array([nanoseconds(message) for message in psm.heard["measured_js"]])
    gaps = np.diff(stamps)
    assert (gaps > 0).all()
    assert (gaps % 10_000_000 == 0).all()
    assert gaps.min() == 10_000_000  # a slow client misses some of them


def test_it_keeps_pace_while_a_client_hears_everything(psm):
    """Fifteen streams to one client: the simulation must still be faster than the wall."""

    def rate():
        wall, simulated = time.monotonic(), psm.sim.now()
        psm.sim.wait(1.0)
        return (psm.sim.now() - simulated) * 1e-9 / (time.monotonic() - wall)

    assert psm.sim.until(lambda: rate() > 1.0)
