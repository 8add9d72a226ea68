"""The navigation domain with models and searches so small that a whole run takes seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ls3.learning.collect import collect
from ls3.runs.domains import load_domain
from ls3_common import parameters
from ls3_sim.registration import make_environment

SETTINGS = [
    "algorithm.demonstrations=2",
    "algorithm.constraint=3",
    "algorithm.trajectories=2",
    "algorithm.updates=2",
    "learner.vae_iterations=2",
    "learner.offline_iterations=4",
    "learner.update_iterations=3",
    "learner.value_update_iterations=3",
    "learner.vae_batch_size=8",
    "learner.batch_size=16",
    "learner.hidden=16",
    "planner_node.delta_safe=0.05",
    "planner_node.delta_constraint=1.0",
    "planner_node.horizon=1",
    "planner_node.realtime.candidates=16",
    "planner_node.realtime.particles=2",
    "planner_node.realtime.elites=4",
    "planner_node.realtime.iterations=1",
]
"""Everything is feasible, whatever an untrained model thinks."""
NAME = "ls3+delta_constraint=1+delta_safe=0.05+horizon=1"


def options(*more: str, settings: list[str] = SETTINGS) -> list[str]:
    """Words of a command line for this domain; `more` are further SECTION.KEY=VALUE."""
    words = [word for text in (*settings, *more) for word in ("--set", text)]
    return ["--domain", "navigation", *words]


def collect_data(directory: Path) -> Path:
    """Offline data of five episodes."""
    domain = load_domain("navigation", overrides=SETTINGS)
    env = make_environment(domain.spec)
    collect(env, domain.algorithm, directory, seed=0)
    env.close()
    return directory


def write_config(path: Path) -> Path:
    """A configuration file with the settings as the domain's own: its runs are plain `ls3`."""
    domain = load_domain("navigation", overrides=SETTINGS)
    sections = {
        "/**": {"domain": parameters.to_dict(domain.spec)},
        "/**/planner_node": own(domain.planner),
        "/**/learner": own(domain.learner),
        "/**/algorithm": own(domain.algorithm),
    }
    document = {name: {"ros__parameters": values} for name, values in sections.items()}
    path.write_text(yaml.safe_dump(document))
    return path


def own(config: Any) -> dict[str, Any]:
    """What a section has of its own; the domain gives it the rest."""
    given = {leaf.name for leaf in parameters.leaves(type(config)) if leaf.domain}
    return {k: v for k, v in parameters.to_dict(config).items() if k not in given}
