"""sim_node as its own process over real DDS: what the rest of the graph rests upon."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from crtk_msgs.msg import OperatingState
from dvrk_cable_env.camera.segmentation import segment_cable
from ls3_common import qos
from ls3_common.images import to_array
from ls3_sim.kinematics import forward

ACTIONS = [(0.0, 0.015), (0.011, 0.009), (0.015, 0.015), (0.015, -0.004)]


def nanoseconds(message):
    stamp = message.header.stamp
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def xy(pose):
    return np.array([pose.pose.position.x, pose.pose.position.y])


@pytest.fixture(scope="module")
def running(bench, listener):
    with bench.start("ls3_sim.sim_node", real_time_factor=4.0) as child:
        listener.matched()
        yield listener
        assert child.runs, "sim_node died"


@pytest.fixture
def sim(running):
    """The shared sim_node with its arm ready and the scene at its start."""
    running.ready()
    assert running.reset().ok
    running.wait(0.1)
    return running


def test_before_homing_poses_are_invalid_and_moves_are_dropped(running):
    assert [state.state for state in running.states] == ["DISABLED"]
    assert nanoseconds(running.measured[-1]) == 0
    before = xy(running.measured[-1])
    running.moves.publish(running.pose(-0.05, 0.05))
    running.wait(1.0)
    assert xy(running.measured[-1]) == pytest.approx(before)
    assert len(running.states) == 1


def test_frames_come_at_the_cameras_rate_with_their_task_state(sim):
    sim.images.clear()
    sim.tasks.clear()
    sim.until(lambda: len(sim.images) >= 5 and len(sim.tasks) >= 5)
    image = sim.images[-1]
    assert (image.width, image.height, image.encoding) == (128, 128, "rgb8")
    assert image.header.frame_id == "camera"
    stamps = [nanoseconds(image) for image in sim.images]
    assert all(gap % 100_000_000 == 0 and gap > 0 for gap in np.diff(stamps))
    both = set(stamps) & {nanoseconds(task) for task in sim.tasks}
    assert len(both) >= 4
    assert not sim.tasks[-1].success
    assert not sim.tasks[-1].constraint


def test_move_cp_moves_the_tool_and_is_busy_until_then(sim):
    before = len(sim.states)
    begin = sim.now()
    end = sim.move(-0.06, 0.045)  # 5 cm: one second
    news = sim.states[before:]
    assert [(state.state, state.is_busy) for state in news] == [
        ("ENABLED", True),
        ("ENABLED", False),
    ]
    assert (end - begin) * 1e-9 == pytest.approx(1.0, abs=0.5)
    assert end - nanoseconds(news[0]) == pytest.approx(1e9, abs=0.03e9)
    sim.wait(0.1)
    assert xy(sim.measured[-1]) == pytest.approx([-0.06, 0.045], abs=1e-3)
    assert xy(sim.setpoints[-1]) == pytest.approx([-0.06, 0.045], abs=1e-6)
    assert sim.measured[-1].header.frame_id == "PSM1_base"
    assert list(sim.joints[-1].name[:3]) == ["yaw", "pitch", "insertion"]
    tip = forward(np.array(sim.joints[-1].position))[0]
    assert tip == pytest.approx([-0.06, 0.045, -0.12], abs=1e-3)


def test_operating_state_is_latched_and_published_on_change_only(sim):
    late = sim.hear(OperatingState, "PSM1/operating_state", qos.LATCHED)
    sim.until(lambda: late)
    assert late[-1] == sim.states[-1]
    count = len(sim.states)
    sim.wait(2.0)
    assert len(sim.states) == count
    stamps = [nanoseconds(state) for state in sim.states]
    assert all(gap > 0 for gap in np.diff(stamps))


@pytest.mark.parametrize("kind", ["nan", "frame", "unreachable"])
def test_bad_goals_are_dropped(sim, kind):
    pose = {
        "nan": sim.pose(math.nan, 0.0),
        "frame": sim.pose(0.0, 0.1, frame="world"),
        "unreachable": sim.pose(0.0, 0.5),
    }[kind]
    count, before = len(sim.states), xy(sim.setpoints[-1])
    sim.moves.publish(pose)
    sim.servos.publish(pose)
    sim.wait(0.5)
    assert len(sim.states) == count
    assert xy(sim.setpoints[-1]) == pytest.approx(before)


def test_hold_ends_a_move_and_servo_cp_is_not_busy(sim):
    from std_msgs.msg import Empty

    sim.moves.publish(sim.pose(-0.09, 0.12))
    sim.until(lambda: sim.states[-1].is_busy)
    sim.holds.publish(Empty())
    sim.until(lambda: not sim.states[-1].is_busy)
    sim.wait(0.1)
    held = xy(sim.setpoints[-1])
    assert held[1] < 0.12
    count = len(sim.states)
    sim.servos.publish(sim.pose(held[0], held[1] + 0.005))
    sim.until(lambda: xy(sim.measured[-1])[1] > held[1] + 0.004)
    assert len(sim.states) == count


def test_reset_restores_the_start_and_refuses_what_it_cannot_do(sim):
    sim.move(-0.05, 0.06)
    response = sim.reset(seed=-1)
    assert not response.ok
    assert "negative" in response.message
    sim.moves.publish(sim.pose(-0.09, 0.12))
    sim.until(lambda: sim.states[-1].is_busy)
    response = sim.reset()
    assert not response.ok
    assert "moving" in response.message
    sim.until(lambda: not sim.states[-1].is_busy)
    assert sim.reset().ok
    sim.wait(0.1)
    assert xy(sim.measured[-1]) == pytest.approx([-0.09, 0.005], abs=1e-6)
    assert sim.states[-1].is_homed


def test_steps_through_the_graph_equal_steps_in_process(sim, env):
    """The same actions show the same masks, whenever after the rest the camera looks."""
    observation, _ = env.reset(seed=0)
    goal, rng = np.array([-0.09, 0.005]), np.random.default_rng(0)
    for action in ACTIONS:
        observation, *_ = env.step(np.array(action, np.float32))
        goal = goal + action
        after = sim.move(*goal) + 100_000_000 * int(rng.integers(1, 20))
        sim.until(lambda after=after: sim.images and nanoseconds(sim.images[-1]) >= after)
        shown = segment_cable(np.ascontiguousarray(to_array(sim.images[-1])))
        assert np.abs(shown.astype(int) - observation[..., 0]).mean() < 0.5


def test_a_violation_is_seen_and_freezes_the_scene_but_not_the_arm(sim):
    sim.tasks.clear()
    sim.move(0.0, 0.005)  # through the obstacle
    sim.until(lambda: sim.tasks and sim.tasks[-1].constraint)
    sim.until(lambda: xy(sim.measured[-1]) == pytest.approx([0.0, 0.005], abs=2e-3))
    sim.images.clear()
    sim.until(lambda: sim.images)
    frozen = bytes(sim.images[-1].data)
    sim.move(-0.05, 0.005)
    sim.images.clear()
    sim.until(lambda: sim.images)
    assert bytes(sim.images[-1].data) == frozen
    assert sim.tasks[-1].constraint
    assert sim.reset().ok
    end = sim.now() + 200_000_000
    sim.until(lambda: nanoseconds(sim.tasks[-1]) > end)
    assert not sim.tasks[-1].constraint


def test_simulated_time_can_be_faster_than_the_wall(sim):
    """Asked for four; on a busy computer one window of several must show clearly more than one."""

    def rate():
        wall, simulated = time.monotonic(), sim.now()
        sim.wait(1.0)
        return (sim.now() - simulated) * 1e-9 / (time.monotonic() - wall)

    assert sim.until(lambda: rate() > 1.2)
