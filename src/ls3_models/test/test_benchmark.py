"""The benchmark's plain ensembles compute what the stacked ones do; its figures are complete."""

import copy

import pytest
import torch
from small import SPEC, config, episodes

from ls3_models import benchmark
from ls3_models.learner import Learner
from ls3_models.ls3_learning import make_replay
from ls3_models.memory import keep_freed_memory
from ls3_models.plain import make_plain

pytestmark = pytest.mark.background


def test_steps_of_plain_ensembles_equal_those_of_stacked_ones():
    stacked = Learner(config(), 1, 2, seed=0)
    plain = make_plain(copy.deepcopy(stacked))
    plain.generator = torch.Generator().manual_seed(0)
    replay = make_replay(stacked, SPEC, episodes(4))
    for _ in range(3):
        losses = [
            learner.head_step(replay) | learner.value_step(replay, monte_carlo=True)
            for learner in (stacked, plain)
        ]
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_figures_of_the_steps():
    figures = benchmark.measure_steps(config(), SPEC, rounds=2)
    assert figures["rounds"] == 2
    for name in ("vae_step_s", "heads_step_s", "plain_heads_step_s", "heads_step_ratio"):
        assert 0 < figures[name]["p10"] <= figures[name]["median"] <= figures[name]["p90"]
    with pytest.raises(ValueError, match="round"):
        benchmark.measure_steps(config(), SPEC, rounds=0)


def test_memory_grows_with_the_frames():
    small, large = benchmark.measure_scaling(config(), SPEC, episodes=(2, 4), steps=5)
    assert small["frames"] == 12
    for name in ("frames", "image_bytes", "replay_bytes"):
        assert large[name] == 2 * small[name]
    assert min(large["encode_s"], large["vae_step_s"], large["heads_step_s"]) > 0


def test_keeping_memory_may_be_asked_for_again():
    assert keep_freed_memory() == keep_freed_memory()
