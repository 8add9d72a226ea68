"""Picks on rendered frames: the ranges they give find what MuJoCo says is there, in other light."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from dvrk_cable_env.calibrate.colours import TARGETS, Range, propose_range
from dvrk_cable_env.camera.segmentation import in_range
from ls3_sim.cable_scene import CableScene

pytestmark = pytest.mark.background


@pytest.fixture(scope="module")
def scene() -> Iterator[CableScene]:
    made = CableScene()
    made.reset(bend=np.full(15, 0.12))
    yield made
    made.close()


@pytest.fixture(scope="module")
def truth(scene: CableScene) -> dict[str, np.ndarray]:
    """Pixels of each target: a geom is where hiding it changes the picture."""
    shown, found = scene.render().astype(int), {}
    for target in TARGETS:
        geoms = [i for i in range(scene.model.ngeom) if scene.model.geom(i).name.startswith(target)]
        groups = scene.model.geom_group[geoms].copy()
        scene.model.geom_group[geoms] = 5  # not drawn
        found[target] = np.abs(scene.render() - shown).max(axis=2) > 0
        scene.model.geom_group[geoms] = groups
    return found


def proposals(rgb: np.ndarray, truth: dict[str, np.ndarray], seed: int) -> dict[str, Range]:
    """Four picks on each target, where a person may put them: anywhere on it."""
    rng = np.random.default_rng(seed)
    ranges = {}
    for target, mask in truth.items():
        rows, columns = np.nonzero(mask)
        chosen = rng.choice(len(rows), 4, replace=False)
        ranges[target] = propose_range(rgb, [(columns[i], rows[i]) for i in chosen], radius=0)
    return ranges


def overlap(rgb: np.ndarray, chosen: Range, mask: np.ndarray) -> float:
    """Intersection over union of what a range selects and of what is there."""
    found = in_range(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV), chosen.low, chosen.high)
    return float((found & mask).sum() / (found | mask).sum())


def photographed(
    rgb: np.ndarray, gain: float = 1.0, noise: float = 0.0, warmth: float = 0.0, seed: int = 0
) -> np.ndarray:
    """The same scene in brighter or darker light, warmer or colder, by a noisy camera."""
    light = gain * np.array([1 + warmth, 1.0, 1 - warmth])
    grain = np.random.default_rng(seed).normal(0, noise, rgb.shape)
    return np.clip(rgb * light + grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(5))
def test_four_picks_find_each_target(scene, truth, seed):
    rgb = scene.render()
    for target, chosen in proposals(rgb, truth, seed).items():
        assert overlap(rgb, chosen, truth[target]) > 0.9, target


@pytest.mark.parametrize(
    "later",
    [
        {"gain": 0.75},
        {"gain": 1.3},
        {"noise": 6.0},
        {"warmth": 0.06},
        {"warmth": -0.06},
        {"gain": 0.8, "noise": 5.0, "warmth": 0.04},
    ],
)
def test_ranges_hold_in_other_light(scene, truth, later):
    """Picked in one picture of a noisy camera, used in another."""
    rgb = scene.render()
    picked = photographed(rgb, noise=4.0, seed=1)
    for seed in range(5):
        for target, chosen in proposals(picked, truth, seed).items():
            seen = photographed(rgb, seed=2 + seed, **later)
            assert overlap(seen, chosen, truth[target]) > 0.85, (target, seed)


def test_light_that_is_another_is_not_hidden_by_wide_ranges(scene, truth):
    """At a fifth of the light the picks must be made anew; made anew, they find it."""
    rgb = scene.render()
    dark = photographed(rgb, gain=0.2)
    old, new = proposals(rgb, truth, 0), proposals(dark, truth, 0)
    assert overlap(dark, old["cable"], truth["cable"]) < 0.1
    assert overlap(dark, new["cable"], truth["cable"]) > 0.9
