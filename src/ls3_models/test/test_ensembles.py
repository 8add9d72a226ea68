"""Ensembles compiled for this processor against torch's."""

import platform

import pytest
import torch
from small import SPEC, config, episodes
from torch.nn import functional

from ls3_models import compiled, ensembles
from ls3_models.learner import Learner
from ls3_models.ls3_learning import make_replay
from ls3_models.networks import StackedMLP

pytestmark = [
    pytest.mark.background,
    pytest.mark.skipif(ensembles.library() is None, reason="no compiler"),
]
SHAPES = [
    (5, 256, (34, 128, 128, 64)),  # dynamics
    (5, 256, (32, 256, 256, 256, 1)),  # V
    (1, 255, (32, 256, 1)),
    (1, 1, (3, 5, 2)),
    (2, 7, (13, 17, 33)),
    (3, 301, (1, 1, 16)),
    (2, 19, (4, 1)),
]


def torchs(rows, weights, biases):
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        rows = torch.baddbmm(bias, rows, weight)
        rows = torch.relu(rows) if layer < len(weights) - 1 else rows
    return rows


def case(members, count, sizes, dtype=torch.float32):
    """An ensemble and rows, of which all gradients are asked."""
    torch.manual_seed(0)
    mlp = StackedMLP(members, sizes).to(dtype)
    rows = torch.randn(members, count, sizes[0], dtype=dtype, requires_grad=True)
    return rows, list(mlp.weights), list(mlp.biases)


def gradients(function, rows, weights, biases):
    """Results and gradients of some loss that is not linear."""
    result = function(rows, weights, biases)
    loss = functional.softplus(result).square().sum()
    return [result, *torch.autograd.grad(loss, [rows, *weights, *biases])]


@pytest.mark.parametrize(("members", "count", "sizes"), SHAPES)
def test_results_and_gradients_are_torchs_but_for_rounding(members, count, sizes):
    """The error against float64 is no larger than torch's own."""
    given = case(members, count, sizes)
    exact = gradients(torchs, *case(members, count, sizes, torch.float64))
    due, found = gradients(torchs, *given), gradients(ensembles.apply, *given)
    for number, (a, b, c) in enumerate(zip(found, due, exact, strict=True)):
        assert a.shape == b.shape
        scale = float(c.detach().abs().mean()) + 1e-12
        error, usual = (float((x - c).detach().abs().max()) / scale for x in (a, b))
        assert error < max(3 * usual, 1e-5), (number, error, usual)


@pytest.mark.parametrize(("members", "count", "sizes"), SHAPES)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_what_is_kept_and_how_many_threads_work_change_no_bit(members, count, sizes, threads):
    rows, weights, biases = case(members, count, sizes)
    due = gradients(ensembles.apply, rows, weights, biases)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = gradients(ensembles.apply, rows, weights, biases)
        with torch.no_grad():
            alone = ensembles.apply(rows, weights, biases)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(found, due, strict=True))
    assert torch.equal(alone, due[0])


def test_members_may_share_their_rows():
    _, weights, biases = case(4, 9, (6, 8, 1))
    rows = torch.randn(1, 9, 6)
    shared = ensembles.apply(rows.expand(4, -1, -1), weights, biases)
    assert torch.equal(shared, ensembles.apply(rows.repeat(4, 1, 1), weights, biases))
    turned = torch.randn(4, 6, 9).transpose(1, 2)
    assert torch.equal(
        ensembles.apply(turned, weights, biases),
        ensembles.apply(turned.contiguous(), weights, biases),
    )


def test_what_is_not_finite_stays_so_in_its_row():
    rows, weights, biases = case(2, 50, (6, 32, 32, 1))
    spoiled = rows.detach().clone()
    spoiled[1, 7, 3] = torch.nan
    result = ensembles.apply(spoiled, weights, biases)
    assert result[1, 7].isnan().all() and int(result.isnan().sum()) == 1


def test_rows_of_another_size_are_refused():
    _, weights, biases = case(2, 5, (6, 8, 1))
    with pytest.raises(ValueError, match="rows"):
        ensembles.apply(torch.zeros(2, 5, 7), weights, biases)


def learned(steps):
    """The state after gradient steps of all ensembles, as on-line."""
    settings = config(latent_dim=8, batch_size=64, hidden=48, head_noise=0.2, imagined_weight=0.3)
    learner = Learner(settings, channels=1, action_dim=2, seed=0)
    replay = make_replay(learner, SPEC, episodes())
    for _ in range(steps):
        learner.head_step(replay)
        learner.value_step(replay, monte_carlo=False)
    return learner.state()


def test_the_same_is_learned_as_with_torchs_layers(monkeypatch):
    found = learned(15)
    monkeypatch.setattr(ensembles, "library", lambda: None)
    due, first = learned(15), learned(0)
    for name, tensor in due.items():
        if name.startswith("models.") and ".encoder" not in name and ".decoder" not in name:
            moved = (tensor - first[name]).square().mean().sqrt()
            apart = (tensor - found[name]).square().mean().sqrt()
            assert moved > 0 and apart < 0.02 * moved, name
    assert torch.equal(due["generator"], found["generator"])


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names of x86-64 processors")
@pytest.mark.parametrize("processor", ["x86-64", "x86-64-v3", "x86-64-v4"])
def test_other_processors(monkeypatch, tmp_path, processor):
    """Without AVX, with AVX2, with AVX-512."""
    if processor == "x86-64-v4" and "avx512f" not in compiled.processor():
        pytest.skip("this one has no AVX-512")
    options = [o if o != "-march=native" else f"-march={processor}" for o in compiled.OPTIONS]
    monkeypatch.setattr(compiled, "OPTIONS", options)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiled.library.cache_clear()
    try:
        assert ensembles.library() is not None
        for shape in (SHAPES[0], *SHAPES[4:]):
            test_results_and_gradients_are_torchs_but_for_rounding(*shape)
    finally:
        compiled.library.cache_clear()
