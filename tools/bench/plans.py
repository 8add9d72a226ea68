"""Compares the fast planner with the reference planner, on the same latents and random numbers."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from random_models import random_bundle
from recorder import Recorder

from ls3.learning import environment
from ls3.runs.domains import Domain
from ls3_common.progress import bar
from ls3_models.bundle import Bundle
from ls3_models.heads import Role
from ls3_models.networks import StackedMLP
from ls3_planner import native
from ls3_planner.cem import CrossEntropyPlanner, Elites
from ls3_planner.config import Cost, PlannerConfig
from ls3_planner.reference import ReferenceSelector
from ls3_planner.selection import FastSelector, fast_planner
from ls3_planner.workers import Workers
from ls3_sim.registration import make_environment

ROOF_ROWS, ROOF_WIDTH = 4096, 256
"""Size of the matrix products in which a plan spends most of its time."""


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, least and greatest of a few values."""
    return {
        "median": round(statistics.median(values), 4),
        "least": round(min(values), 4),
        "most": round(max(values), 4),
    }


def latents(domain: Domain, bundle: Bundle, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Encode `count` frames of a demonstration; return means and standard deviations, each (d,)."""
    env = make_environment(domain.spec)
    act = environment.behaviour(env, "demonstration", 1)
    episode = environment.run_episode(env, act, source="demonstration", seed=1)
    env.close()
    chosen = np.linspace(0, 0.8 * (len(episode.observations) - 1), count).astype(int)
    return list(zip(*bundle.encode(episode.observations[chosen]), strict=True))


def per_row(mlp: StackedMLP) -> int:
    """Count the floating-point operations of one member for one row."""
    return 2 * sum(a * b for a, b in pairwise(mlp.sizes))


def operations(bundle: Bundle, config: PlannerConfig) -> float:
    """Count the floating-point operations of a plan that evaluates all heads of all candidates."""
    models, horizon, cost = bundle.models, config.horizon, config.cost
    # how many latents of a particle each head is evaluated at; the other roles: the last one
    asked = {Role.STEP_CONSTRAINT: horizon, Role.STEP_REWARD: horizon - 1}
    per_particle = horizon * per_row(models.dynamics.mlp)
    for head in models.head_list:
        network = models.network(head.name)
        per_particle += asked.get(head.role, 1) * network.members * per_row(network)
    return float(cost.candidates * cost.particles * cost.iterations * per_particle)


def rate(product: Callable[[], object], device: str) -> float:
    """Time a product of ROOF_ROWS x ROOF_WIDTH x ROOF_WIDTH; return operations per second."""
    times = []
    for _ in range(40):
        started = time.perf_counter()
        product()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return 2 * ROOF_ROWS * ROOF_WIDTH**2 / statistics.median(times)


@torch.no_grad()
def rooflines(device: str) -> dict[str, float]:
    """Measure GFLOP/s of a product of the plan's shape in each number format, on all cores."""
    rows = torch.rand(ROOF_ROWS, ROOF_WIDTH, device=device)
    weight = torch.rand(ROOF_WIDTH, ROOF_WIDTH, device=device)
    out = torch.empty_like(rows)
    rates = {"float32": rate(lambda: torch.mm(rows, weight, out=out), device)}
    half, half_weight = rows.bfloat16(), weight.bfloat16()
    rates["bfloat16"] = rate(lambda: torch.mm(half, half_weight), device)
    for dtype in native.HALVES:
        if device == "cpu" and native.available(dtype):
            name = str(dtype).removeprefix("torch.")
            rates[name] = max(native_rate(dtype), rates.get(name, 0.0))
    return {name: round(value / 1e9, 1) for name, value in rates.items()}


def native_rate(dtype: torch.dtype) -> float:
    """Measure operations per second of V in `dtype`, computed as plans do."""
    bundle = random_bundle()
    networks = native.CompiledNetworks(bundle.models, Workers(), dtype)
    rows = torch.rand(4 * ROOF_ROWS, bundle.config.latent_dim)
    value = bundle.models.network("value")
    work = per_row(value) * value.members * len(rows)
    times = []
    for _ in range(10):
        started = time.perf_counter()
        networks.read("value", rows)
        times.append(time.perf_counter() - started)
    return work / statistics.median(times)


def compare(
    domain: Domain, bundle: Bundle, profile: str, *, rounds: int, device: str
) -> dict[str, Any]:
    """Time both planners in turn on `rounds` latents of one episode, and compare their elites."""
    config = domain.planner.as_profile(profile)
    models = bundle.models.to(device)
    recorders = {
        "reference": Recorder(ReferenceSelector(models, config)),
        "fast": Recorder(FastSelector(models, config)),
    }
    planners = {
        name: CrossEntropyPlanner(bundle, config, recorder, device=device)
        for name, recorder in recorders.items()
    }
    points = latents(domain, dataclasses.replace(bundle, models=bundle.models.cpu()), rounds)
    bundle.models.to(device)
    planners["fast"].plan(*points[0])  # the first plan compiles and packs the networks
    times: dict[str, list[float]] = {"reference": [], "fast": []}
    first, every = [], []
    with bar(f"{domain.name}, {profile}", rounds) as progress:
        for round_, point in enumerate(points):
            for name, planner in planners.items():
                planner.reset(round_)
                recorders[name].found.clear()
                started = time.perf_counter()
                planner.plan(*point)
                if device != "cpu":
                    torch.cuda.synchronize()
                times[name].append(time.perf_counter() - started)
            expected, found = (r.found[-config.cost.iterations :] for r in recorders.values())
            shares = [share(f, d) for f, d in zip(found, expected, strict=True)]
            first.append(shares[0])
            every += shares
            progress.advance(f"ratio {times['reference'][-1] / times['fast'][-1]:.1f}")
    ratios = [r / f for r, f in zip(times["reference"], times["fast"], strict=True)]
    median = statistics.median(times["fast"])
    gflop = operations(bundle, config) / 1e9
    return {
        "reference_s": spread(times["reference"]),
        "fast_s": spread(times["fast"]),
        "ratio": spread(ratios),
        "plans_per_s": round(1 / median, 2),
        "gflop_ungated": round(gflop, 1),
        "gflop_per_s_ungated": round(gflop / median, 1),
        "elite_agreement_first_iteration": round(statistics.mean(first), 4),
        "elite_agreement": round(statistics.mean(every), 4),
    }


def share(found: Elites, expected: Elites) -> float:
    """Return the share of the reference's elites (`expected`) that the fast planner found."""
    both = set(found.index.tolist()) & set(expected.index.tolist())
    return len(both) / max(1, len(expected.index))


BASE = Cost(candidates=1000, particles=20, elites=100, iterations=2)
GRID: dict[str, tuple[int, ...]] = {
    "candidates": (250, 500, 1000, 2000),
    "particles": (5, 10, 20, 40),
    "horizon": (2, 3, 5, 8, 12),
    "iterations": (1, 2, 5),
    "latent size": (8, 16, 32, 64, 128),
}


def scaling(device: str, rounds: int = 2) -> list[dict[str, Any]]:
    """Time plans of an untrained model, all candidates feasible, varying one quantity at a time."""
    rows = []
    with bar("scaling", sum(len(values) for values in GRID.values())) as progress:
        for name, values in GRID.items():
            for value in values:
                cost, horizon, latent_dim = BASE, 5, 32
                if name == "horizon":
                    horizon = value
                elif name == "latent size":
                    latent_dim = value
                else:
                    cost = dataclasses.replace(BASE, **{name: value})
                config = PlannerConfig(
                    paper=cost,
                    realtime=cost,
                    horizon=horizon,
                    delta_safe=0.0,
                    delta_constraint=1.0,
                    random_share=0.3,
                )
                planner = fast_planner(untrained(latent_dim), config, device=device)
                point = np.zeros(latent_dim), np.ones(latent_dim)
                planner.plan(*point)
                times = []
                for _ in range(rounds):
                    planner.reset(0)
                    times.append(planner.plan(*point).solve_time_s)
                rows.append({"quantity": name, "value": value, "plan_s": spread(times)})
                progress.advance(f"{name} {value}")
    return rows


def untrained(latent_dim: int) -> Bundle:
    """Make random networks with the paper's widths."""
    config = dataclasses.replace(random_bundle().config, latent_dim=latent_dim)
    return random_bundle(config=config)


def exponent(rows: Sequence[dict[str, Any]], name: str) -> float:
    """Return the exponent of the power law between a quantity's two greatest values."""
    points = [(r["value"], r["plan_s"]["median"]) for r in rows if r["quantity"] == name][-2:]
    (x0, y0), (x1, y1) = points
    return float(np.log(y1 / y0) / np.log(x1 / x0))
