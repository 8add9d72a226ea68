"""Judges executed plans by 500 fresh particles: how many meet (5) and (6)?

    python tools/bench/judged.py [--base REV] [--domains reacher] [--episodes 20]

The shipped models act on the same seeds, each domain in a process of its own on one thread. With
--base the packages of that commit act as well, with the present models. What (5) and (6) ask of an
executed plan is computed by the plain reference selector on particles that no planner has seen.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import ls3_models  # noqa: E402, F401  before torch: it sets how torch's threads wait

# isort: split
import compare  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

from ls3.learning import policy  # noqa: E402
from ls3.learning.ls3_agent import PlannerPolicy  # noqa: E402
from ls3.runs.domains import load_domain  # noqa: E402
from ls3_common.domain import domain_names  # noqa: E402
from ls3_common.progress import bar  # noqa: E402
from ls3_models.bundle import load_bundle  # noqa: E402
from ls3_planner.plan import Plan, make_planner  # noqa: E402
from ls3_planner.reference import ReferenceSelector  # noqa: E402
from ls3_sim.registration import make_environment  # noqa: E402

PARTICLES = 500
FIRST_SEED = 4_000_000
"""Seed of the first episode. Nothing else uses these seeds."""
MODELS = compare.ROOT / "src" / "ls3_planner" / "models"


class Judge:
    """What particles that no planner has seen say of plans."""

    def __init__(self, selector: ReferenceSelector, low: Sequence[float], high: Sequence[float]):
        self._selector: Any = selector
        self._low, self._high = torch.tensor(low), torch.tensor(high)
        self._generator = torch.Generator().manual_seed(99)
        # commits before fresh judgement draw as many particles as the profile says
        self._counted = "particles" in inspect.signature(selector.draw).parameters

    @torch.no_grad()
    def __call__(self, mean: np.ndarray, std: np.ndarray, plan: Plan) -> tuple[bool, bool]:
        """Return whether a plan from the latent N(mean, std^2) meets (5), and (6)."""
        actions = torch.as_tensor(plan.action_sequence)
        start = torch.as_tensor(np.asarray([mean, std], np.float32))
        sizes = (len(actions), PARTICLES) if self._counted else (len(actions),)
        self._selector.draw(start, *sizes, self._generator)
        scaled = (actions[None] - self._low) / (self._high - self._low) * 2 - 1
        trajectory = self._selector.imagine(scaled)
        level = self._selector.safe_level(trajectory)
        inside = bool(self._selector.is_inside(level, plan.delta_safe))
        return inside, float(self._selector.excess(trajectory)) <= 0


def judged(name: str, episodes: int) -> dict[str, Any]:
    """Run episodes of a domain with its model in the present tree, and judge every executed plan.

    Returns:
        Counts of plans, "holds" and "relaxed" plans; of those at the configured delta_S the counts
        "meet_5", "meet_6" and "meet_both"; successes and violations; "plan_s" and "judge_s", the
        processor time of all plans and, in them, of the judgement.
    """
    torch.set_num_threads(1)
    domain = load_domain(name)
    bundle = load_bundle(MODELS / name)
    config = domain.planner
    wide: dict[str, Any] = {config.profile: dataclasses.replace(config.cost, particles=PARTICLES)}
    wide_config = dataclasses.replace(config, **wide)
    judge = Judge(
        ReferenceSelector(bundle.models, wide_config), bundle.action_low, bundle.action_high
    )
    planner = make_planner(bundle, config)
    spent = {"plan_s": 0.0, "judge_s": 0.0}
    counts = dict.fromkeys(("plans", "holds", "relaxed", "meet_5", "meet_6", "meet_both"), 0)
    plan_inside = planner.plan

    def plan(mean: np.ndarray, std: np.ndarray) -> Plan:
        started = time.process_time()
        made = plan_inside(mean, std)
        spent["plan_s"] += time.process_time() - started
        counts["plans"] += 1
        counts["holds"] += not made.feasible
        counts["relaxed"] += made.feasible and made.relaxations > 0
        if made.feasible and not made.relaxations:
            meets = judge(mean, std, made)
            counts["meet_5"] += meets[0]
            counts["meet_6"] += meets[1]
            counts["meet_both"] += all(meets)
        return made

    planner.plan = plan  # type: ignore[method-assign]
    selector: Any = getattr(planner, "selector", None)
    judge_inside = getattr(selector, "judge", None)
    if judge_inside is not None:

        def timed(actions: torch.Tensor) -> Any:
            started = time.process_time()
            try:
                return judge_inside(actions)
            finally:
                spent["judge_s"] += time.process_time() - started

        selector.judge = timed
    acting = PlannerPolicy(bundle, planner)
    variations = getattr(domain, "variations", None)  # earlier commits have none
    env = make_environment(domain.spec, *([variations] if variations else []))
    played = []
    with bar(name, episodes) as progress:
        for seed in range(FIRST_SEED, FIRST_SEED + episodes):
            played.append(policy.play(env, acting, seed))
            progress.advance(policy.describe(played))
    env.close()
    return {
        "episodes": episodes,
        "successes": sum(e.succeeded for e in played),
        "violations": sum(e.violated for e in played),
        "steps": sum(len(e) for e in played),
        "model": bundle.identity,
        **counts,
        **spent,
    }


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """Add shares to counts: of plans, and of the executed plans at the configured delta_S."""
    from ls3.studies.stats import exact_interval  # earlier commits, which only judge, have none

    executed = found["plans"] - found["holds"] - found["relaxed"]
    shares = {
        f"{name}_share": {
            "share": found[name] / executed,
            "interval": list(exact_interval(found[name], executed)),
        }
        for name in ("meet_5", "meet_6", "meet_both")
        if executed
    }
    return {**found, **shares, "judge_share": found["judge_s"] / found["plan_s"]}


def main() -> None:
    """Run the command, write the results after every domain, and print them as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--base", help="commit whose planner is judged as well")
    add("--domains", nargs="+", default=domain_names(), help="names of domains")
    add("--episodes", type=int, default=20, help="number of episodes")
    add("--one", action="store_true", help="judge one domain in this process and print the counts")
    add("--out", type=Path, default=compare.ROOT / "results" / "judgement.json", help="results")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(judged(options.domains[0], options.episodes)))
        return
    with tempfile.TemporaryDirectory() as directory:
        sources = {"now": compare.ROOT}
        if options.base:
            sources["base"] = compare.unpacked(options.base, Path(directory) / "base")
        for domain in options.domains:
            figures = {
                name: summary(run(where, domain, options.episodes))
                for name, where in sources.items()
            }
            compare.record(options.out, domain, figures | {"base_commit": options.base})
            print(json.dumps({domain: figures}, indent=1), flush=True)


def run(sources: Path, domain: str, episodes: int) -> dict[str, Any]:
    """Run this program with the packages of these sources on one domain."""
    words = ["--one", "--domains", domain, "--episodes", str(episodes)]
    return compare.measured(sources, words, program=Path(__file__))


if __name__ == "__main__":
    main()
