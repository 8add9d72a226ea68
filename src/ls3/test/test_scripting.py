"""`import ls3`: the page's lines run, and the numbers are those that the planner works with."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_runs
import torch
from random_models import random_bundle

import ls3
from ls3.learning.trained_agent import TrainedAgent
from ls3.runs.domains import load_domain
from ls3_common.domain import load_spec
from ls3_common.errors import ConfigError, DataError
from ls3_models.config import LearnerConfig
from ls3_planner.rollout import FloatNetworks, says
from ls3_planner.workers import Workers

pytestmark = pytest.mark.background

PAGE = Path(__file__).parents[3] / "docs/python.md"
CHEAP = [
    "planner_node.realtime.candidates=40",
    "planner_node.realtime.particles=4",
    "planner_node.realtime.elites=8",
    "planner_node.realtime.iterations=2",
]
ANYTHING = [*CHEAP, "planner_node.delta_safe=0.05", "planner_node.delta_constraint=1.0"]
NOTHING = [*CHEAP, "planner_node.delta_constraint=0.0", "planner_node.confidence=0.9999"]


def untrained(name: str, overrides: list[str]) -> TrainedAgent:
    """An agent of a domain whose models are as drawn."""
    domain = load_domain(name, overrides=overrides)
    spec = domain.data_spec
    config = LearnerConfig(
        latent_dim=8,
        beta=1e-6,
        batch_size=8,
        gamma=0.99,
        gamma_safe=0.9,
        augmentation="none",
        vae_iterations=1,
        offline_iterations=1,
        hidden=16,
        frame_stack=domain.spec.frames,
    )
    bundle = random_bundle(
        domain=name,
        observation_shape=spec.observation_shape,
        action_low=spec.action_low,
        action_high=spec.action_high,
        config=config,
    )
    return TrainedAgent(domain, bundle)


def images(count: int, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


@pytest.fixture(scope="module")
def navigation() -> TrainedAgent:
    return ls3.load("navigation", overrides=CHEAP)


def test_the_lines_of_the_page_run(tmp_path: Path) -> None:
    """Collecting and learning too, with tiny models."""
    script = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    settings = [*tiny_runs.SETTINGS, "algorithm.updates=1"]
    script, found = re.subn(r"^settings = .*$", f"settings = {settings}", script, flags=re.M)
    assert found == 1
    script += """
assert learned.rates["episodes"] == len(learned.curve) == 2
assert agent.act(image).feasible
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "runs/mine/model/manifest.json").is_file()
    assert ran.stdout.count("success_rate") == 1  # the page prints the rates, `learn` does not


def test_importing_ls3_imports_nothing_slow() -> None:
    script = "import sys, ls3; assert 'act' not in dir(ls3); print(*dir(ls3)); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    names, modules = ran.stdout.splitlines()
    assert {"load", "make_env", "learn"} <= set(names.split())
    assert not {"numpy", "torch", "tyro", "yaml", "gymnasium"} & set(modules.split())
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        ls3.lode  # noqa: B018


def test_the_heads_are_those_that_the_planner_evaluates(navigation: TrainedAgent) -> None:
    pictures = images(3, (64, 64, 3))
    belief = navigation.belief(pictures)
    models = navigation.bundle.models
    networks = FloatNetworks(models, Workers())
    assert set(belief.heads) == {"value", "safe", "constraint", "goal"}
    with torch.no_grad():
        for head in models.head_list:
            expected = says(networks, head, torch.from_numpy(belief.mean)).numpy()
            np.testing.assert_allclose(belief.heads[head.name], expected, rtol=1e-4, atol=1e-6)
    for probability in (belief.safe, belief.constraint, belief.goal):
        assert ((probability >= 0) & (probability <= 1)).all()
    assert (belief.value < -1).all()  # no probability: minus the steps to the goal


def test_a_batch_says_what_its_images_say(navigation: TrainedAgent) -> None:
    pictures = images(2, (64, 64, 3))
    batch, second = navigation.belief(pictures), navigation.belief(pictures[1])
    assert second.safe.shape == () and batch.safe.shape == (2,)
    np.testing.assert_allclose(batch.mean[1], second.mean, atol=1e-5)
    np.testing.assert_allclose(batch.value[1], second.value, rtol=1e-4)
    assert np.abs(batch.reconstruction[1].astype(int) - second.reconstruction).max() <= 1
    assert batch.imagined is None


def test_frames_are_imagined_along_the_plan_of_this_very_image() -> None:
    agent = untrained("navigation", ANYTHING)
    image, other = images(2, (64, 64, 3))
    plan = agent.act(image)
    assert plan.feasible
    imagined = agent.belief(image).imagined
    assert imagined is not None
    np.testing.assert_array_equal(imagined, agent.bundle.decode(plan.imagined))
    assert agent.belief(other).imagined is None
    again = agent.belief(other, plan).imagined
    assert again is not None
    np.testing.assert_array_equal(again, imagined)
    with pytest.raises(DataError, match="a plan with a batch"):
        agent.belief(images(2, (64, 64, 3)), plan)


def test_the_plan_is_the_planner_s_and_a_seed_repeats_it() -> None:
    agent, image = untrained("navigation", ANYTHING), images(1, (64, 64, 3))[0]
    agent.reset(seed=7)
    plan = agent.act(image)
    mean, std = agent.bundle.encode(image[None])
    agent.planner.reset(7)
    expected = agent.planner.plan(mean[0], std[0])
    np.testing.assert_array_equal(plan.action_sequence, expected.action_sequence)
    agent.reset(seed=7)
    np.testing.assert_array_equal(agent.act(image).action_sequence, plan.action_sequence)


def test_where_nothing_is_feasible_the_plan_says_so_and_imagines_nothing() -> None:
    agent, image = untrained("navigation", NOTHING), images(1, (64, 64, 3))[0]
    plan = agent.act(image)
    assert not plan.feasible and not plan.action.any()
    assert agent.belief(image).imagined is None
    with pytest.raises(DataError, match="not feasible"):
        agent.imagine(plan)


def test_the_agent_keeps_the_last_frames_of_a_domain_that_stacks_them() -> None:
    agent = untrained("reacher", ANYTHING)
    frames = images(4, (64, 64, 3))
    stacks = [np.concatenate(frames[[max(0, i - 2), max(0, i - 1), i]], axis=-1) for i in range(4)]
    for frame, stack in zip(frames, stacks, strict=True):
        ahead = agent.belief(frame)  # as the next frame, which is not remembered
        agent.act(frame)
        here, whole = agent.belief(frame), agent.belief(stack)
        for seen in (ahead, here):
            np.testing.assert_array_equal(seen.mean, whole.mean)
        assert here.reconstruction.shape == (64, 64, 9)
        assert here.imagined is not None and here.imagined.shape[1:] == (64, 64, 3)
    agent.act(stacks[2])  # a whole observation replaces what is remembered
    np.testing.assert_array_equal(agent.belief(frames[3]).mean, agent.belief(stacks[3]).mean)
    agent.reset()
    first = np.concatenate([frames[3]] * 3, axis=-1)
    np.testing.assert_array_equal(agent.belief(frames[3]).mean, agent.belief(first).mean)


def test_a_frame_that_comes_twice_counts_twice() -> None:
    agent = untrained("reacher", ANYTHING)
    one, two = images(2, (64, 64, 3))
    for frame in (one, two, two):
        agent.act(frame)
    still = np.concatenate([one, two, two], axis=-1)
    np.testing.assert_array_equal(agent.belief(two).mean, agent.belief(still).mean)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((64, 64, 3)), "255 * image"),
        (np.zeros((64, 64, 3), int), "astype"),
        (np.zeros((3, 64, 64), np.uint8), "channels come last"),
        (np.zeros((64, 64, 1), np.uint8), 'ls3.load("cable_routing")'),
        (np.zeros((64, 64, 9), np.uint8), 'ls3.load("reacher")'),
        (np.zeros((480, 640, 3), np.uint8), "scale or crop"),
        (np.zeros((0, 64, 64, 3), np.uint8), "the batch is empty"),
        (np.zeros((2, 64, 64, 3), np.uint8), "one image"),
    ],
)
def test_other_images_are_refused_in_words(
    navigation: TrainedAgent, image: np.ndarray, words: str
) -> None:
    with pytest.raises(DataError) as refused:
        navigation.act(image)
    assert words in str(refused.value)


def test_a_batch_of_frames_that_are_to_be_stacked_is_refused() -> None:
    with pytest.raises(DataError, match="whole observations"):
        untrained("reacher", ANYTHING).belief(images(2, (64, 64, 3)))


def test_other_domains_and_models_are_refused() -> None:
    with pytest.raises(ConfigError, match="no domain 'nowhere'"):
        ls3.load("nowhere")
    with pytest.raises(DataError):
        ls3.load("navigation", Path(__file__).parents[2] / "ls3_planner/models/reacher")


def test_an_environment_has_the_variations_that_are_asked_for() -> None:
    env = ls3.make_env("navigation", variations={"start_jitter": 0.5})
    assert env.observation_space.shape == load_spec("navigation").observation_shape
    assert env.unwrapped.varied["on"] == {"start_jitter": 0.5}  # type: ignore[attr-defined]
    env.close()
