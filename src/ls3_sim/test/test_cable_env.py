"""Cable routing: the paper's sections 5.3 and 7.3.4."""

from __future__ import annotations

import os
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from env_checks import check_frozen, run

from ls3_common.domain import load_spec

pytestmark = pytest.mark.background

DOMAIN = load_spec("cable_routing")
T = DOMAIN.horizon
INTO_THE_OBSTACLE = np.array([0.015, 0.0], np.float32)


def first(infos, key):
    """Step at which `key` first held, or None."""
    return next((step for step, info in enumerate(infos) if info[key]), None)


def test_gymnasium_imports_what_registers_the_environment():
    name = f"ls3_sim:{DOMAIN.environment}"
    script = f"import gymnasium; print(gymnasium.make({name!r}).spec.max_episode_steps)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert shown.stdout.strip() == "50", shown.stderr


def test_spaces_and_info(env):
    observation, info = env.reset(seed=0)
    assert observation.shape == (64, 64, 1)
    assert observation.dtype == np.uint8
    assert env.action_space.high == pytest.approx(0.015)
    assert set(info) == {"success", "constraint", "tool_xy"}
    assert isinstance(info["success"], bool)
    assert isinstance(info["constraint"], bool)
    # a cable of 150 mm x 7 mm, at 64 pixels over 306 mm
    assert observation.sum() / 255 == pytest.approx(0.15 * 0.007 / (0.3057 / 64) ** 2, rel=0.2)


@pytest.mark.parametrize("seed", range(4))
def test_a_demonstration_succeeds_and_stays_well_clear(env, seed):
    *_, infos = run(env, "demonstration", seed, T)
    assert infos[-1]["success"]
    assert not any(info["constraint"] for info in infos)
    assert 30 <= first(infos, "success") <= 38
    steps = np.linalg.norm(np.diff([info["tool_xy"] for info in infos], axis=0), axis=1)
    assert steps[:28].mean() == pytest.approx(0.011, abs=0.001)


def test_constraint_behaviour_violates_from_many_sides_and_random_rarely_succeeds(env):
    violations, sides = 0, []
    for seed in range(10):
        *_, infos = run(env, "constraint", seed, T)
        if (step := first(infos, "constraint")) is not None:
            violations += 1
            sides.append(infos[step]["tool_xy"] - env.scene.layout.obstacle)
    assert violations >= 9
    assert np.ptp([np.arctan2(y, x) for x, y in sides]) > np.pi / 2
    ends = [run(env, "random", seed, T)[2][-1] for seed in range(4)]
    assert not all(info["success"] for info in ends)


def test_a_violation_freezes_the_scene_until_the_reset(env):
    start, _ = env.reset(seed=0)
    seen = [env.step(INTO_THE_OBSTACLE) for _ in range(6)]
    assert [info["constraint"] for *_, info in seen] == [False] * 4 + [True] * 2
    observation, *_, info = seen[4]
    check_frozen(env, start, observation, info, -INTO_THE_OBSTACLE)


def test_reward_is_zero_in_the_goal_only(env):
    env.reset(seed=0)
    goal = np.array(env.scene.layout.goal)
    for offset, reached in ((0.0, True), (0.017, True), (0.019, False)):
        env.scene.reset(start=np.add(goal, [offset, 0.0]))
        _, reward, *_, info = env.step(np.zeros(2, np.float32))
        assert info["success"] is reached
        assert reward == (0.0 if reached else -1.0)


def test_actions_are_clipped_and_the_tool_stays_in_its_workspace(env):
    _, info = env.reset(seed=0)
    start = info["tool_xy"]
    *_, info = env.step(np.array([1.0, 0.0], np.float32))
    assert np.abs(info["tool_xy"] - start - [0.015, 0.0]).max() < 1e-3
    for _ in range(15):
        *_, info = env.step(np.array([-0.015, 0.015], np.float32))
    assert np.abs(info["tool_xy"] - [-0.13, 0.13]).max() < 1e-3


def test_random_starts_differ_are_free_and_in_view(env):
    starts = []
    for seed in range(20):
        observation, info = env.reset(seed=seed, options={"random_start": True})
        assert not info["constraint"]
        assert np.abs(env.scene.cable()).max() < env.scene.half_view
        starts.append(observation)
    assert len({start.tobytes() for start in starts}) == 20


def test_domain_randomisation_changes_the_scene_and_is_off_by_default(env):
    plain = [env.reset(seed=seed)[0] for seed in range(3)]
    assert np.array_equal(plain[0], plain[1])
    changed = gymnasium.make(DOMAIN.environment, domain_randomisation=True, start_jitter=0.02)
    seen = [changed.reset(seed=seed)[0] for seed in (0, 1, 0)]
    assert not np.array_equal(seen[0], seen[1])
    assert np.array_equal(seen[0], seen[2])
    # the colours still lie in the segmentation's ranges: as much cable as ever
    assert seen[1].sum() == pytest.approx(plain[0].sum(), rel=0.15)
    changed.close()


@pytest.mark.parametrize(
    ("platform", "cure"),
    [("osmesa", "sudo apt-get install lib"), ("nonsense", "export MUJOCO_GL=egl")],
)
def test_without_opengl_physics_works_and_rendering_says_what_to_do(platform, cure):
    script = (
        "import sys, gymnasium, ls3_sim\n"
        "from ls3_common.errors import UserError\n"
        "env = gymnasium.make('LS3/CableRouting-v0').unwrapped\n"
        "env.scene.move(env.scene.tool + 0.01)\n"
        "try: env.reset()\n"
        "except UserError as error: print(error); sys.exit(error.exit_code)\n"
    )
    # PyOpenGL finds no library where the loader's search is made to fail
    hidden = "import ctypes.util; ctypes.util.find_library = lambda name: None\n"
    shown = subprocess.run(
        [sys.executable, "-c", hidden + script],
        capture_output=True,
        text=True,
        env={**os.environ, "MUJOCO_GL": platform},
    )
    assert shown.returncode == 2, shown.stderr
    assert f"cannot render with MUJOCO_GL={platform}" in shown.stdout
    assert cure in shown.stdout
    assert "Traceback" not in shown.stdout + shown.stderr
