"""`make bench`: time planning, training and the graph; write results/bench_<device>.json.

Every section is written as soon as it is measured, so that an interrupted run keeps its figures.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test/support"), str(Path(__file__).parent)]

import ls3_models  # noqa: E402  before torch: it sets how torch's threads wait

# isort: split
import plans  # noqa: E402
import torch  # noqa: E402

from ls3.runs.domains import Domain, load_domain  # noqa: E402
from ls3.runs.provenance import git_commit, machine  # noqa: E402
from ls3_common.errors import UserError  # noqa: E402
from ls3_common.files import replacing, write_json  # noqa: E402
from ls3_common.shared import find_shared  # noqa: E402
from ls3_models import benchmark  # noqa: E402
from ls3_models.bundle import Bundle, load_bundle  # noqa: E402
from ls3_models.offline_data import Spec  # noqa: E402

SECTIONS = ("plans", "graph", "scaling", "training")
"""The sections in the order of measurement. Training comes last, because it changes how threads
wait."""


def shipped() -> list[tuple[Domain, Bundle]]:
    """Return every domain that has a trained model, with the model."""
    models = find_shared("models")
    assert models is not None
    return [
        (load_domain(path.name, None, []), load_bundle(path)) for path in sorted(models.iterdir())
    ]


def measure_plans(device: str, rounds: int) -> dict[str, Any]:
    """Compare both planners on every shipped domain, with both profiles."""
    figures: dict[str, Any] = {"matmul_gflop_per_s": plans.rooflines(device)}
    for domain, bundle in shipped():
        for profile in ("paper", "realtime"):
            row = plans.compare(domain, bundle, profile, rounds=rounds, device=device)
            roof = plans.rooflines(device)  # measured again, as a shared machine's speed changes
            best = max(roof.values())
            row["roofline_share"] = round(row["gflop_per_s_ungated"] / best, 3)
            figures[f"{domain.name}.{profile}"] = row
            print(json.dumps({f"{domain.name}.{profile}": row}))
    figures["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return figures


def measure_training(device: str, rounds: int) -> dict[str, Any]:
    """Time the training steps of cable routing, in a process of their own."""
    domain, bundle = next(pair for pair in shipped() if pair[0].name == "cable_routing")
    config = domain.learner
    spec = Spec(domain.name, bundle.observation_shape, bundle.action_low, bundle.action_high)
    ls3_models.let_threads_spin()  # as `ls3 train` does, before its process imports torch
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        steps = process.submit(benchmark.measure_steps, config, spec, rounds=3 * rounds).result()
        scaling = process.submit(benchmark.measure_scaling, config, spec).result()
    seconds = (
        config.vae_iterations * steps["vae_step_s"]["median"]
        + config.offline_iterations * steps["heads_step_s"]["median"]
    )
    return {
        **steps,
        "vae_batch_size": config.vae_batch_size,
        "offline_minutes_from_steps": round(seconds / 60, 1),
        "scaling": scaling,
    }


def measure_graph(device: str, rounds: int) -> dict[str, Any]:
    """Measure the overhead of the graph in a control step."""
    from ls3_system_tests import latency

    return latency.measure()


def measure_scaling(device: str, rounds: int) -> dict[str, Any]:
    """Measure how plan time grows with each quantity, and draw it into docs/media."""
    rows = plans.scaling(device)
    draw(rows, ROOT / "docs/media" / f"plan_time_{device}.png")
    exponents = {name: round(plans.exponent(rows, name), 2) for name in plans.GRID}
    return {"rows": rows, "exponents": exponents}


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the plan time against each quantity, relative to the paper's value, into `path`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4))
    usual = {"candidates": 1000, "particles": 20, "horizon": 5, "iterations": 2, "latent size": 32}
    for name, value in usual.items():
        points = [
            (r["value"] / value, r["plan_s"]["median"]) for r in rows if r["quantity"] == name
        ]
        axes.plot(*zip(*points, strict=True), marker="o", label=f"{name} (1 = {value})")
    axes.set(xscale="log", yscale="log", xlabel="quantity, relative", ylabel="plan, s")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    figure.tight_layout()
    with replacing(path) as part:
        figure.savefig(part, dpi=100)


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    add = parser.add_argument
    add("--device", default="cpu", help="cpu or cuda")
    add("--rounds", type=int, default=7, help="number of rounds of each comparison")
    add("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="sections to measure")
    add("--out", type=Path, help="results file; default results/bench_<device>.json")
    options = parser.parse_args()
    try:
        if options.device != "cpu" and not torch.cuda.is_available():
            raise UserError(
                f"this computer has no device '{options.device}'",
                where="--device",
                do="leave --device out to measure the CPU",
            )
        return run(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def run(options: argparse.Namespace) -> int:
    """Measure the sections of `options.only`, and write each into the results file."""
    path = options.out or ROOT / "results" / f"bench_{options.device}.json"
    document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"metrics": {}}
    here = machine() | {"torch": torch.__version__, "threads": torch.get_num_threads()}
    if options.device != "cpu":
        here["device"] = torch.cuda.get_device_name()
    for section in filter(options.only.__contains__, SECTIONS):
        if options.device != "cpu" and section in ("training", "graph"):
            continue
        load = round(os.getloadavg()[0], 1)  # kept with the figures: other processes slow them
        measured = globals()[f"measure_{section}"](options.device, options.rounds)
        document["metrics"][section] = measured
        document |= {
            "name": f"bench_{options.device}",
            "command": "make bench",
            "commits": document.get("commits", {}) | {section: git_commit()},
            "machines": document.get("machines", {}) | {section: here | {"load": load}},
        }
        write_json(path, document)
        print(f"{path}: {section}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
