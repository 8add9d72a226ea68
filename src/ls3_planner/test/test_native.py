"""Networks compiled for this processor against torch's."""

import logging
import platform
import subprocess

import pytest
import torch
from random_models import random_bundle

from ls3_models import compiled
from ls3_planner import native
from ls3_planner.native import CompiledNetworks
from ls3_planner.rollout import Draws, FloatNetworks
from ls3_planner.workers import Workers

HEADS = ("value", "safe", "constraint", "goal")
DTYPES = [
    pytest.param(
        dtype,
        marks=pytest.mark.skipif(
            not native.available(dtype), reason=f"nothing compiled in {dtype}"
        ),
    )
    for dtype in (torch.float32, *native.HALVES)
]
TOLERANCE = {torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 3e-2}  # of the spread


@pytest.fixture(autouse=True)
def _inference():
    with torch.no_grad():
        yield


def latents(rows):
    return torch.randn(3, rows, 32, generator=torch.Generator().manual_seed(1))


def off(found, due):
    """Root mean square of the error, in standard deviations of what is due."""
    return float((found - due).square().mean().sqrt() / due.std())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 5, 192, 1001])
def test_heads_equal_torch_and_follow_the_weights(dtype, rows):
    """Online learning changes weights in place."""
    models = random_bundle(3).models
    exact = FloatNetworks(models, Workers())
    compiled = CompiledNetworks(models, Workers(), dtype)
    for _ in range(2):
        for name in HEADS:
            due = exact.read(name, latents(rows))
            found = compiled.read(name, latents(rows))
            assert found.shape == due.shape
            assert rows == 1 or off(found, due) < TOLERANCE[dtype]
            torch.testing.assert_close(found, due, rtol=0.01, atol=0.02)
        for parameter in models.parameters():
            parameter.mul_(-1.2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("action", [1, 2, 3])
def test_rollouts_equal_torch(dtype, action):
    """Odd numbers of inputs as well: 16 bits are taken in pairs."""
    bundle = random_bundle(3, action_low=(-1.0,) * action, action_high=(1.0,) * action)
    draws = Draws.sample(torch.ones(2, 32) / 4, 4, 7, 5, torch.Generator().manual_seed(1))
    actions = 2 * torch.rand(201, 4, action, generator=torch.Generator().manual_seed(2)) - 1
    due = FloatNetworks(bundle.models, Workers()).roll_out(draws, actions)
    found = CompiledNetworks(bundle.models, Workers(), dtype).roll_out(draws, actions)
    assert found.shape == (4, 7, 201, 32)
    assert off(found, due) < TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_not_finite_stays_so_and_spoils_nothing_else(dtype):
    models = random_bundle(3).models
    rows = latents(64)
    rows[1, 7, 3] = torch.nan
    rows[2, 9, 0] = 1e30  # more than float16 can hold
    found = CompiledNetworks(models, Workers(), dtype).read("value", rows)
    assert not torch.isfinite(found[:, 1, 7]).any()
    assert torch.isfinite(found[:, 2, 9]).any() == (dtype != torch.float16)
    due = FloatNetworks(models, Workers()).read("value", latents(64))
    kept = torch.ones(3, 64, dtype=torch.bool)
    kept[1, 7] = kept[2, 9] = False
    torch.testing.assert_close(found[:, kept], due[:, kept], rtol=0.01, atol=0.02)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoids_of_any_size(dtype):
    """The spread of the dynamics, driven to both of its bounds and far beyond."""
    bundle = random_bundle(3)
    draws = Draws.sample(torch.ones(2, 32), 1, 2, 5, torch.Generator().manual_seed(1))
    actions = torch.zeros(8, 1, 2)
    for bias in (-1e4, -90.0, 0.0, 90.0, 1e4):
        bundle.models.dynamics.mlp.biases[-1][..., 32:] = bias
        due = FloatNetworks(bundle.models, Workers()).roll_out(draws, actions)
        found = CompiledNetworks(bundle.models, Workers(), dtype).roll_out(draws, actions)
        torch.testing.assert_close(found, due, rtol=0.01, atol=0.01)


@pytest.fixture
def fresh():
    """The library is looked for anew, before and after."""
    compiled.library.cache_clear()
    yield
    compiled.library.cache_clear()


def test_without_a_compiler_torch_does_it_and_the_log_says_so(fresh, monkeypatch, caplog):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with caplog.at_level(logging.INFO):
        assert not any(map(native.available, (torch.float32, *native.HALVES)))
    assert [r.message for r in caplog.records] == [
        "planning with torch's own layers: there is no C++ compiler"
    ]


def test_a_compiler_that_fails_is_no_error(fresh, monkeypatch, caplog, tmp_path):
    compiler = tmp_path / "c++"
    compiler.write_text('#!/bin/sh\n[ "$1" = --version ] && exit 0\necho it broke >&2\nexit 1\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with caplog.at_level(logging.INFO):
        assert not native.available(torch.float32)
    assert "it broke" in caplog.text
    assert list((tmp_path / "cache" / "ls3").iterdir()) == []


@pytest.mark.skipif(not native.available(torch.float32), reason="no compiler")
def test_it_is_compiled_once(fresh, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert native.available(torch.float32)
    (made,) = (tmp_path / "ls3").iterdir()
    compiled.library.cache_clear()
    real = subprocess.run

    def no_compilation(command, **keywords):
        assert "--version" in command
        return real(command, **keywords)

    monkeypatch.setattr(subprocess, "run", no_compilation)
    assert native.available(torch.float32)
    assert list((tmp_path / "ls3").iterdir()) == [made]


@pytest.mark.skipif(not native.available(torch.float32), reason="no compiler")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="names of x86-64 processors")
@pytest.mark.parametrize("processor", ["x86-64", "x86-64-v3", "x86-64-v4"])
def test_other_processors(fresh, monkeypatch, tmp_path, processor):
    """Without AVX, with AVX2, with AVX-512 but without any numbers of 16 bits."""
    if processor == "x86-64-v4" and "avx512f" not in compiled.processor():
        pytest.skip("this one has no AVX-512")
    options = [o if o != "-march=native" else f"-march={processor}" for o in compiled.OPTIONS]
    monkeypatch.setattr(compiled, "OPTIONS", options)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert native.available(torch.float32) and not any(map(native.available, native.HALVES))
    test_heads_equal_torch_and_follow_the_weights(torch.float32, 200)
    test_rollouts_equal_torch(torch.float32, 3)
