"""The guard on frames: what passes, what is objected to and why, and its file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from known_frames import (
    ALPHA,
    STEPS,
    demonstration,
    demonstrations,
    foreign,
    guard_of,
    save_guarded,
)
from random_models import random_bundle

from ls3_common.errors import DataError
from ls3_models import checkpoint, frame_guard, frame_guard_fit
from ls3_models.bundle import Bundle, load_bundle, save_bundle
from ls3_models.config import ViewConfig
from ls3_models.episodes import Episode
from ls3_models.frame_guard import FILE, START_FRAMES, FrameGuard
from ls3_models.frame_guard_fit import MARGIN
from ls3_models.model_service import with_guard_of

pytestmark = pytest.mark.background

LATER = START_FRAMES
"""Number of a step whose frame is compared with frames of whole episodes alone."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bundle]:
    path = tmp_path_factory.mktemp("model")
    return path, save_guarded(random_bundle(), path)


@pytest.fixture(scope="module")
def bundle(saved: tuple[Path, Bundle]) -> Bundle:
    return saved[1]


@pytest.fixture(scope="module")
def guard(bundle: Bundle) -> FrameGuard:
    assert bundle.guard is not None
    return bundle.guard


@pytest.fixture
def directory(saved: tuple[Path, Bundle], tmp_path: Path) -> Path:
    """A copy of the model that a test may damage."""
    for file in saved[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def scores_of(bundle: Bundle, guard: FrameGuard, observations: np.ndarray) -> np.ndarray:
    mean, _ = bundle.encode(observations)
    return guard.scores(observations, mean)


def objections(bundle: Bundle, guard: FrameGuard, episode: Episode) -> list[str]:
    """Of each frame from which a planner would plan."""
    scores = scores_of(bundle, guard, episode.observations[: len(episode)])
    return [guard.objection(of, step) for step, of in enumerate(scores)]


def test_known_frames_pass(bundle: Bundle, guard: FrameGuard) -> None:
    for episode in demonstrations(0, 5):
        assert objections(bundle, guard, episode) == [""] * STEPS


def test_the_limits_hold_on_new_demonstrations(bundle: Bundle) -> None:
    guard, new = guard_of(bundle, fresh=300), demonstrations(9000, 200)
    share = np.mean([any(objections(bundle, guard, episode)) for episode in new])
    # a share of one calibration and 200 episodes: its standard deviation is 0.04
    assert share < ALPHA + 0.08
    narrow = dataclasses.replace(
        guard,
        anywhere=dataclasses.replace(guard.anywhere, limit=guard.anywhere.limit / MARGIN),
        start=dataclasses.replace(guard.start, limit=guard.start.limit / MARGIN),
    )
    share = np.mean([any(objections(bundle, narrow, episode)) for episode in new])
    assert 0.05 < share < ALPHA + 0.08, "the margin is all that is added"


@pytest.mark.parametrize("name", list(foreign()))
@pytest.mark.parametrize("step", [0, LATER, None])
def test_a_foreign_frame_is_objected_to_with_score_and_limit(
    bundle: Bundle, guard: FrameGuard, name: str, step: int | None
) -> None:
    (score,) = scores_of(bundle, guard, foreign()[name][None])
    said = guard.objection(score, step)
    part, known = (1, guard.start) if " of the first steps:" in said else (0, guard.anywhere)
    assert score[part] > known.limit
    assert said.startswith("the frame is unlike the training data")
    assert said.endswith(f": score {score[part]:.2f}, limit {known.limit:.2f}")


def test_the_first_steps_are_stricter_than_later_ones(bundle: Bundle, guard: FrameGuard) -> None:
    """In the middle of the way is no place to begin."""
    (score,) = scores_of(bundle, guard, demonstration(5000).observations[[6]])
    said = [guard.objection(score, step) for step in range(START_FRAMES + 2)]
    assert all("unlike the training data of the first steps" in words for words in said[:LATER])
    assert said[LATER:] == ["", ""]
    assert guard.objection(score) == "", "the step is not known"


def test_first_frames_that_are_equal_to_the_bit_pass_however_they_are_batched() -> None:
    bundle = random_bundle()
    guard = guard_of(bundle, equal_starts=True)
    for episode in demonstrations(9000, 20, equal_starts=True):
        frames = episode.observations[:START_FRAMES]
        alone = np.concatenate([scores_of(bundle, guard, frame[None]) for frame in frames])
        whole = scores_of(bundle, guard, episode.observations)[:START_FRAMES]
        np.testing.assert_allclose(alone, whole, rtol=1e-2)
        assert [guard.objection(*reversed(of)) for of in enumerate(alone)] == ["", ""]


@pytest.mark.parametrize("scores", [(np.nan, 0.0), (0.0, np.nan), (np.nan, np.nan), (np.inf, 0.0)])
def test_scores_that_are_not_finite_object(guard: FrameGuard, scores: tuple[float, float]) -> None:
    assert "unlike the training data" in guard.objection(np.array(scores), 0)
    later = guard.objection(np.array(scores), LATER)
    assert bool(later) == (not np.isfinite(scores[0]))
    if np.isnan(scores[0]):
        assert "score nan, limit" in later


def test_a_guard_from_its_file_scores_to_the_bit_as_before(tmp_path: Path) -> None:
    bundle = save_bundle(random_bundle(), tmp_path)
    before = guard_of(bundle)
    frame_guard.save(before, tmp_path)
    after = load_bundle(tmp_path).guard
    assert after is not None
    frames = np.concatenate([demonstration(7).observations, np.stack(list(foreign().values()))])
    np.testing.assert_array_equal(
        scores_of(bundle, after, frames), scores_of(bundle, before, frames)
    )
    for of in ("anywhere", "start"):
        assert getattr(after, of).limit == getattr(before, of).limit
    assert after.encoder == before.encoder
    assert after.about == {"alpha": ALPHA, "demonstrations": 60, "seed": 0}


def test_a_bundle_keeps_its_guard_and_one_without_leaves_no_file(
    bundle: Bundle, guard: FrameGuard, tmp_path: Path
) -> None:
    again = save_bundle(bundle, tmp_path)
    assert again.guard is not None
    frames = np.stack(list(foreign().values()))
    np.testing.assert_array_equal(
        scores_of(again, again.guard, frames), scores_of(bundle, guard, frames)
    )
    learned_on = dataclasses.replace(bundle, guard=None)
    assert save_bundle(learned_on, tmp_path).guard is not None, "of the same encoder"
    assert save_bundle(random_bundle(seed=1), tmp_path).guard is None
    assert not (tmp_path / FILE).exists(), "it was of other weights"


def test_a_model_is_loaded_without_its_guard_where_that_is_asked_for(directory: Path) -> None:
    assert load_bundle(directory).guard is not None
    (directory / FILE).write_bytes(b"damaged")
    assert load_bundle(directory, guard=False).guard is None


def test_the_guard_of_another_encoder_is_refused_by_name(directory: Path) -> None:
    content = (directory / FILE).read_bytes()
    save_bundle(random_bundle(seed=1), directory)
    (directory / FILE).write_bytes(content)
    with pytest.raises(DataError, match="made for another model") as refused:
        load_bundle(directory)
    assert str(directory / FILE) in str(refused.value)
    assert "ls3 calibrate-guard" in str(refused.value)


def test_a_model_of_the_same_encoder_keeps_the_guard(bundle: Bundle, guard: FrameGuard) -> None:
    learned = dataclasses.replace(random_bundle(), models=random_bundle(seed=1).models)
    learned.models.encoder.load_state_dict(bundle.models.encoder.state_dict())
    assert with_guard_of(learned, bundle).guard is guard
    other = random_bundle(seed=1)
    assert with_guard_of(other, bundle) is other
    own = dataclasses.replace(learned, guard=guard_of(learned))
    assert with_guard_of(own, bundle) is own
    assert with_guard_of(learned, other) is learned


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_a_truncated_guard_is_refused(directory: Path, share: float) -> None:
    content = (directory / FILE).read_bytes()
    (directory / FILE).write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=FILE):
        load_bundle(directory)


def spoiled(directory: Path, **changes: Any) -> None:
    """Write the guard again with other tensors, or with other entries of its description."""
    tensors, description = checkpoint.load(directory / FILE)
    for name, value in changes.items():
        if isinstance(value, torch.Tensor):
            tensors[name.replace("__", ".")] = value
        elif value is None:
            (tensors if name in tensors else description).pop(name)
        else:
            description[name] = value
    checkpoint.save(directory / FILE, tensors, description)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "changes",
    [
        {"spread": torch.ones(31)},
        {"spread": torch.zeros(32)},
        {"spread": torch.full((32,), NAN)},
        {"spread": torch.full((32,), INF)},
        {"spread": None},
        {"anywhere__latents": torch.zeros(0, 32), "anywhere__thumbnails": torch.zeros(0, 256)},
        {"anywhere__latents": torch.zeros(3, 32)},
        {"anywhere__latents": torch.tensor(1.0)},
        {"start__latents": torch.full((512, 32), INF)},
        {"start__thumbnails": torch.zeros(512, 255, dtype=torch.uint8)},
        {"start__brightness": torch.tensor([NAN])},
        {"start__scales": torch.tensor([1.0, 0.0, 1.0])},
        {"start__scales": torch.tensor([1.0, NAN, 1.0])},
        {"limits": {"anywhere": 0, "start": 1}},
        {"limits": {"anywhere": 1, "start": -1}},
        {"limits": {"anywhere": NAN, "start": 1}},
        {"limits": {"anywhere": INF, "start": 1}},
        {"limits": {"anywhere": 10**400, "start": 1}},
        {"limits": {"anywhere": "many", "start": 1}},
        {"limits": {"anywhere": 1}},
        {"limits": [1, 1]},
        {"limits": None},
        {"channels": 3},
        {"channels": 0},
        {"channels": INF},
        {"channels": "one"},
        {"about": 5},
    ],
    ids=lambda changes: "+".join(f"{name}={value}"[:40] for name, value in changes.items()),
)
def test_a_guard_with_numbers_that_none_can_have_is_refused(
    directory: Path, changes: dict[str, Any]
) -> None:
    spoiled(directory, **changes)
    with pytest.raises(DataError, match="damaged guard on frames") as refused:
        load_bundle(directory)
    assert str(directory / FILE) in str(refused.value)


def test_more_channels_than_the_model_takes_are_refused_though_all_sizes_agree(
    directory: Path,
) -> None:
    more: dict[str, Any] = {"channels": 3}
    for of, count in (("anywhere", 400), ("start", 80)):
        more[f"{of}__latents"] = torch.zeros(count, 32)
        more[f"{of}__thumbnails"] = torch.zeros(count, 3 * 256)
        more[f"{of}__brightness"] = torch.zeros(3)
    spoiled(directory, **more)
    with pytest.raises(DataError, match="3 channels"):
        load_bundle(directory)


def test_numbers_of_another_type_are_no_harm(
    bundle: Bundle, guard: FrameGuard, directory: Path
) -> None:
    spoiled(
        directory,
        spread=guard.spread.double(),
        start__brightness=guard.start.brightness.double(),
        anywhere__scales=guard.anywhere.scales.double(),
    )
    again = load_bundle(directory).guard
    assert again is not None
    frames = np.stack(list(foreign().values()))
    np.testing.assert_array_equal(
        scores_of(bundle, again, frames), scores_of(bundle, guard, frames)
    )


def test_a_guard_of_a_newer_format_is_refused(directory: Path) -> None:
    spoiled(directory, format=frame_guard.FORMAT.mark.replace("1", "9"))
    with pytest.raises(DataError, match=str(directory)):
        load_bundle(directory)


def moved(episode: Episode, pixels: int) -> Episode:
    """The same as a camera sees it that points elsewhere."""
    shown = np.roll(episode.observations, (pixels, -pixels), axis=(1, 2))
    return dataclasses.replace(episode, observations=shown)


def test_views_from_which_the_models_learned_are_allowed() -> None:
    plain = random_bundle()
    views = ViewConfig(copies=1, shift=0.06, occlusion=0.1)
    config = dataclasses.replace(plain.config, views=views)
    wide, new = dataclasses.replace(plain, config=config), demonstrations(9000, 30)
    seen = [moved(episode, (-2, 2)[number % 2]) for number, episode in enumerate(new)]

    guards = guard_of(plain), guard_of(wide)

    def shares(episodes: list[Episode]) -> list[float]:
        """Of episodes with an objection, by a guard that knows no views and by one that does."""
        found = [[any(objections(plain, g, e)) for e in episodes] for g in guards]
        return [float(np.mean(of)) for of in found]

    without, known = shares(seen)
    assert without > 0.8 and known <= ALPHA
    assert shares(new)[1] <= ALPHA
    strange = scores_of(wide, guards[1], np.stack(list(foreign().values())))
    assert all(guards[1].objection(score) for score in strange)


@pytest.mark.parametrize("first", [5, 6])
def test_no_frame_that_shows_a_violation_is_known(bundle: Bundle, first: int) -> None:
    """The environment freezes with it, and a planner plans from the frames before."""
    crash = dataclasses.replace(demonstration(1), source="constraint")
    crash.constraint[5:] = True  # s_6 is the first to show it
    crash.observations[first:] = foreign()["inverted"]
    training = [*demonstrations(0, 20), crash]
    guard = frame_guard_fit.fit(bundle, training, demonstrations(1000, 20), alpha=ALPHA, seed=0)
    shows = crash.observations[[6]]
    of = frame_guard.features(shows, bundle.encode(shows)[0], guard.spread)
    _, thumbnails, _ = guard.anywhere.compare(*of)[0]
    assert (float(thumbnails) < 0.1) == (first == 5)


def test_too_few_demonstrations_are_refused_with_the_number_needed(bundle: Bundle) -> None:
    least = frame_guard_fit.demonstrations_needed(ALPHA)
    assert least == 14
    training = demonstrations(0, 5)
    fresh = demonstrations(1000, least)
    frame_guard_fit.fit(bundle, training, fresh, alpha=ALPHA, seed=0)
    with pytest.raises(DataError, match=rf"{least - 1} fresh demonstrations") as refused:
        frame_guard_fit.fit(bundle, training, fresh[1:], alpha=ALPHA, seed=0)
    assert f"collect {least} or more" in str(refused.value)


@pytest.mark.parametrize("alpha", [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.3, 0.9])
def test_the_number_that_is_asked_for_is_enough_for_both_limits(alpha: float) -> None:
    count = frame_guard_fit.demonstrations_needed(alpha)
    left = sum(number % frame_guard_fit.SCALE_SHARE != 0 for number in range(count))
    frame_guard_fit.conformal.limit(np.zeros(left), alpha / 2)


def test_without_a_demonstration_nothing_says_how_an_episode_begins(bundle: Bundle) -> None:
    other = [dataclasses.replace(e, source="random") for e in demonstrations(0, 5)]
    with pytest.raises(DataError, match="no demonstration among the training data"):
        frame_guard_fit.fit(bundle, other, demonstrations(1000, 20), alpha=ALPHA, seed=0)


def test_a_seed_repeats_a_guard_and_every_episode_is_told(bundle: Bundle) -> None:
    told: list[None] = []
    arguments: dict[str, Any] = {"alpha": ALPHA, "seed": 3}
    data = demonstrations(0, 4), demonstrations(1000, 20)
    first = frame_guard_fit.fit(bundle, *data, **arguments, advance=lambda: told.append(None))
    second = frame_guard_fit.fit(bundle, *data, **arguments)
    assert len(told) == 24
    torch.testing.assert_close(first.anywhere.latents, second.anywhere.latents, rtol=0, atol=0)
    assert (first.anywhere.limit, first.start.limit) == (second.anywhere.limit, second.start.limit)


def test_the_format_is_json_and_tensors(directory: Path) -> None:
    """No pickle, and so small that it can be kept beside the weights."""
    tensors, description = checkpoint.load(directory / FILE)
    assert json.loads(json.dumps(description)) == description
    assert {tensor.dtype for tensor in tensors.values()} <= {
        torch.float16,
        torch.float32,
        torch.uint8,
    }
    assert (directory / FILE).stat().st_size < 2**20
