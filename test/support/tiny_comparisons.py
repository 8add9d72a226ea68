"""The comparisons on a navigation of 8 steps, so small that a whole run takes seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tiny_runs
import yaml

STEPS, EPISODES = 8, 3
SECTIONS: dict[str, dict[str, Any]] = {
    "sacfd": {
        "penalty": -3.0, "hidden": 16, "batch_size": 4, "cloning_steps": 4, "critic_steps": 4,
        "checkpoint_interval": 2,
    },
    # risks are near 0.5 at first: the recovery policy takes some steps over and not others
    "sacfd_rrl": {"gamma_risk": 0.9, "eps_risk": 0.5, "risk_steps": 4},
    "awac": {
        "penalty": -1.0, "hidden": 16, "batch_size": 8, "image_batch_size": 4, "offline_steps": 4,
        "checkpoint_interval": 2,
    },
}  # fmt: skip


def write_config(path: Path) -> Path:
    """Write the tiny navigation domain with T = `STEPS` and the sections of the comparisons."""
    document = yaml.safe_load(tiny_runs.write_config(path).read_text())
    document["/**"]["ros__parameters"]["domain"]["horizon"] = STEPS
    schedule = {"trajectories": 1, "updates": EPISODES}
    document["/**/algorithm"]["ros__parameters"] |= schedule
    for name, values in SECTIONS.items():
        document[f"/**/{name}"] = {"ros__parameters": values}
    path.write_text(yaml.safe_dump(document))
    return path


def words(command: str, method: str, config: Path, data: Path | None) -> list[str]:
    """Words of a command on this domain."""
    given = [] if data is None else ["--data", str(data)]
    return [command, "--domain", "navigation", "--config", str(config), "--method", method, *given]
