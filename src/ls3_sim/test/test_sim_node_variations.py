"""sim_node under variations shows what the environment shows under the same ones."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dvrk_cable_env.camera.segmentation import segment_cable
from ls3_common.images import to_array
from ls3_sim.cable_env import CableEnv

ACTIONS = [(0.0, 0.015), (0.011, 0.009), (0.015, 0.012), (0.012, -0.004)]
VARIATIONS = {
    "camera_shift": 4,
    "camera_rotation": 5,
    "light": 0.1,
    "occlusion": 8,
    "frame_loss": 0.3,
    "delay": 1,
    "gain": 0.4,
    "start_jitter": 0.05,
    "start_offset": 0.02,
    "obstacle_offset": 0.01,
    "stiffness": 0.5,
    "friction": 0.8,
    "domain_randomisation": True,
}


def nanoseconds(message):
    stamp = message.header.stamp
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def test_steps_through_the_graph_equal_steps_in_process(bench, listener):
    sim, env = listener, CableEnv(**VARIATIONS)
    given = {f"environment__{name}": value for name, value in VARIATIONS.items()}
    with bench.start("ls3_sim.sim_node", real_time_factor=4.0, **given):
        sim.matched()
        sim.ready()
        for seed in (4, 5):
            answer = sim.reset(seed=seed)
            observation, info = env.reset(seed=seed)
            assert answer.ok and json.loads(answer.message) == env.varied
            sim.wait(0.3)
            place = sim.measured[-1].pose.position
            start = np.array([place.x, place.y])
            assert start == pytest.approx(info["tool_xy"], abs=1e-4)
            assert np.abs(start - [-0.09, 0.005]).max() > 1e-3
            shown = [difference(sim, observation, sim.now())]
            for action in ACTIONS:
                observation, *_, info = env.step(np.array(action, np.float32))
                place = sim.setpoints[-1].pose.position
                goal = np.array([place.x, place.y]) + action
                shown.append(difference(sim, observation, sim.move(*goal) + 200_000_000))
                place = sim.measured[-1].pose.position  # the arm reports where it truly is
                assert [place.x, place.y] == pytest.approx(info["tool_xy"], abs=5e-4)
            went = np.linalg.norm(info["tool_xy"] - start)
            asked = np.linalg.norm(np.sum(ACTIONS, axis=0))
            assert went / asked == pytest.approx(env.disturbance.gain, abs=0.02)
            assert max(shown) < 0.6
    env.close()


def difference(sim, observation, after):
    """Mean difference between the mask that is seen after a time (ns) and an observation."""
    sim.until(lambda: sim.images and nanoseconds(sim.images[-1]) >= after)
    seen = segment_cable(np.ascontiguousarray(to_array(sim.images[-1])))
    return np.abs(seen.astype(int) - observation[..., 0]).mean()


def test_an_unknown_variation_is_refused(bench):
    with bench.start("ls3_sim.sim_node", environment__camera_shft=3) as child:
        assert child.wait(60) == 2
    assert "did you mean 'environment.camera_shift'" in child.output
    assert "Traceback" not in child.output
