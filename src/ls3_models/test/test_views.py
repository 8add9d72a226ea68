"""Copies of episodes in other views: what is drawn, and who learns from them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from small import SPEC, config, episode, episodes
from torch import Generator, Tensor

from ls3_models.agent import steps_of
from ls3_models.learner import Learner
from ls3_models.ls3_learning import Ls3Learning, make_replay
from ls3_models.offline_data import OfflineData
from ls3_models.views import ViewConfig, seen

pytestmark = pytest.mark.background

SIZE, COUNT = 64, 40


def draws() -> Generator:
    return Generator().manual_seed(0)


def spot(x: int, y: int, count: int = COUNT) -> Tensor:
    """White pictures but for a black square around a pixel."""
    images = torch.ones(count, 3, SIZE, SIZE)
    images[:, :, y - 2 : y + 3, x - 2 : x + 3] = 0
    return images


def places(images: Tensor) -> Tensor:
    """(count, 2), where the dark is, in pixels."""
    weight = 1 - images.mean(dim=1)
    axis = torch.arange(SIZE, dtype=torch.float32)
    total = weight.sum(dim=(1, 2))
    x = (weight.sum(dim=1) * axis).sum(dim=1) / total
    y = (weight.sum(dim=2) * axis).sum(dim=1) / total
    return torch.stack((x, y), dim=1)


def test_no_range_is_no_change() -> None:
    images = torch.rand(3, 3, SIZE, SIZE)
    assert torch.allclose(seen(images, ViewConfig(copies=1), draws()), images, atol=1e-4)


@pytest.mark.parametrize(
    ("ranges", "least", "most"),
    [
        ({"shift": 0.1}, 5.0, 0.1 * SIZE + 0.5),
        ({"rotation": 20.0}, 5.0, 6.6),  # 18.5 pixels from the middle: 6.5 along the arc
        ({"scale": 0.2}, 2.5, 4.7),  # of 18.5
    ],
)
def test_what_is_seen_moves_as_far_as_the_range_says(
    ranges: dict[str, Any], least: float, most: float
) -> None:
    before = spot(50, 32)
    moved = (places(seen(before, ViewConfig(copies=1, **ranges), draws())) - places(before)).abs()
    assert least < float(moved.max()) <= most
    assert len(moved.round(decimals=2).unique(dim=0)) == COUNT, "each picture has its own view"


def test_one_view_for_an_episode() -> None:
    views = ViewConfig(copies=1, shift=0.1, rotation=5, scale=0.1, light=0.3, occlusion=0.2)
    for seed in range(8):
        shown = seen(spot(40, 30), views, Generator().manual_seed(seed), together=True)
        assert torch.equal(shown, shown[:1].expand_as(shown))


def test_light_and_what_hides() -> None:
    bright = seen(torch.full((COUNT, 3, SIZE, SIZE), 0.5), ViewConfig(copies=1, light=0.4), draws())
    levels = bright[:, 0, 0, 0]
    assert torch.allclose(bright, levels[:, None, None, None].expand_as(bright))
    assert 0.3 <= float(levels.min()) < 0.35 and 0.65 < float(levels.max()) <= 0.7

    occluded = seen(
        torch.ones(COUNT, 1, SIZE, SIZE),
        ViewConfig(copies=1, occlusion=0.15),
        draws(),
        of_masks=True,
    )
    dark = (occluded == 0).sum(dim=(1, 2, 3))
    assert set(dark.tolist()) == {0, 100}, "of 10 x 10 pixels, or none"
    assert 10 < int((dark > 0).sum()) < 30, "in about every second view"


def test_of_a_mask_a_part_of_what_it_shows_is_occluded() -> None:
    masks = 1 - spot(50, 20)[:, :1]
    config, whole = ViewConfig(copies=1, occlusion=0.15), float(masks[0].sum())
    left = seen(masks, config, draws(), of_masks=True).sum(dim=(1, 2, 3))
    assert 10 < int((left < whole - 1).sum()) < 30, "in about every second view"
    hides = 0
    for seed in range(COUNT):  # an episode has one view, on a place that one of its frames shows
        generator = Generator().manual_seed(seed)
        left = seen(masks[:5], config, generator, of_masks=True, together=True).sum(dim=(1, 2, 3))
        assert len(left.unique()) == 1
        hides += int(left[0] < whole - 1)
    assert 10 < hides < 30
    nothing = torch.zeros(4, 1, SIZE, SIZE)
    assert torch.equal(
        seen(nothing, ViewConfig(copies=1, occlusion=0.15), draws(), of_masks=True), nothing
    )


@pytest.mark.parametrize(("of_masks", "beyond"), [(True, 0.0), (False, 1.0)])
def test_beyond_the_edge(of_masks: bool, beyond: float) -> None:
    images = torch.ones(COUNT, 3, SIZE, SIZE)
    shown = seen(images, ViewConfig(copies=1, shift=0.2), draws(), of_masks=of_masks)
    assert float(shown.min()) == pytest.approx(beyond, abs=1e-5)


def test_a_copy_has_other_latents_and_the_same_labels() -> None:
    settings = config(views=ViewConfig(copies=2, shift=0.2))
    learner = Learner(settings, 1, 2, seed=0)
    plain = make_replay(learner, SPEC, [episode(0)])
    with_copies = make_replay(learner, SPEC, [episode(0)], copies=2)
    frames = len(plain)
    assert len(with_copies) == 3 * frames
    mean, actions = with_copies._get("mean"), with_copies._get("actions")
    assert torch.equal(mean[:frames], plain._get("mean"))
    for copy in (1, 2):
        part = mean[copy * frames : (copy + 1) * frames]
        assert not torch.allclose(part, mean[:frames], atol=1e-3)
    steps = len(actions) // 3
    assert torch.equal(actions[:steps], actions[steps : 2 * steps])
    again = make_replay(learner, SPEC, [episode(0)], copies=2)
    assert torch.equal(again._get("mean"), mean), "an interrupted run sees the same views"


def test_dynamics_and_heads_learn_from_copies_offline_and_online() -> None:
    data = OfflineData.split(SPEC, episodes(), "of small.py")
    sizes = []
    for copies in (0, 1):
        settings = config(views=ViewConfig(copies=copies, shift=0.1 * copies))
        agent = Ls3Learning(settings, data, 0)
        offline = len(agent.replay)
        for step in steps_of(episode(5)):
            agent.observe(step)
        sizes.append((offline, len(agent.replay) - offline))
    assert [2 * size for size in sizes[0]] == list(sizes[1])


def test_the_vae_learns_from_views() -> None:
    """Where a view would hide everything, the VAE of the copies reconstructs other pictures."""
    images = torch.full((32, *SPEC.observation_shape), 255, dtype=torch.uint8)
    errors = []
    for copies in (0, 10):
        views = ViewConfig(copies=copies, light=0.9 if copies else 0.0)
        settings = config(views=views, augmentation="none")
        errors.append(Learner(settings, 1, 2, seed=0).vae_step(images)["squared_error_per_image"])
    assert errors[0] != pytest.approx(errors[1], rel=0.05)


def test_ranges_are_checked_with_the_other_parameters() -> None:
    from ls3_common import parameters
    from ls3_common.errors import ConfigError
    from ls3_models.config import LearnerConfig

    values = parameters.to_dict(config())
    with pytest.raises(ConfigError, match=r"views\.shift"):
        parameters.build(LearnerConfig, values | {"views.shift": 0.7}, "here")
    with pytest.raises(ConfigError, match="no copy that shows one"):
        parameters.build(LearnerConfig, values | {"views.shift": 0.1}, "here")
    made = parameters.build(LearnerConfig, values | {"views": {"copies": 1}}, "here")
    assert made.views == dataclasses.replace(ViewConfig(), copies=1)
