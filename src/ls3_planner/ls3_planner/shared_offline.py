"""Starting a run from an offline training that another run has finished (--offline).

What would come out the same is taken over, the rest is trained: methods that differ in the planner
take over everything, methods that differ in gamma_S, and other seeds, the VAE. The other run is
only read. From then on the new run has a state of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ls3_common import parameters
from ls3_common.errors import DataError
from ls3_models import checkpoint
from ls3_models.offline import CURVES, STAGES, OfflineTraining
from ls3_models.resume import CHECKPOINT, DEFAULTS
from ls3_planner.files import replace_text, write_json

VAE_KEYS = (
    "latent_dim",
    "beta",
    "augmentation",
    "augmented_share",
    "frame_stack",
    "kl_reduction",
)
VAE_TENSORS = ("models.encoder.", "models.decoder.", "optimiser.vae.")
IGNORED = {"checkpoint_interval", "update_iterations", "value_update_iterations"}
RECORD = "offline.json"


def take_over(training: OfflineTraining, source: Path) -> None:
    """Take over from `source`, a run's directory, what `training` would train to the same.

    A training that has begun goes on from its own state and is left as it is.

    Raises:
        DataError: `source` holds no training, none of this domain and data, one with another VAE,
            or one whose VAE or other parts are not finished.
    """
    if (training.directory / CHECKPOINT).exists():
        return
    path = source / CHECKPOINT
    tensors, description = checkpoint.load(path)
    if "done" not in description:
        raise DataError("not an offline training", where=str(path), do="give a run's directory")
    theirs: dict[str, Any] = description["config"]
    ours = parameters.to_dict(training.config)
    theirs = DEFAULTS | theirs  # of parameters that came later: their defaults
    different = {key for key in ours if theirs.get(key) != ours[key]} - IGNORED
    other = [key for key in ("domain", "data_hash") if description[key] != training.identity[key]]
    other += sorted(key for key in different if key in VAE_KEYS or key.startswith("vae_"))
    if other:
        raise DataError(
            f"the training there has another {', '.join(other)}",
            where=str(source),
            do="leave --offline out, or give a run with the same",
        )
    whole = not different and description["seed"] == training.identity["seed"]
    totals = {"vae": theirs["vae_iterations"], "heads": theirs["offline_iterations"]}
    stages = STAGES if whole else ("vae",)
    for stage in stages:
        if description["done"].get(stage, 0) < totals[stage]:
            raise DataError(
                f"stage '{stage}' of the training there is not finished",
                where=str(source),
                do="finish it with `ls3 train`, then call this again",
            )
    if not whole:  # the rest as it is before its first step, random generator included
        kept = {name: t for name, t in tensors.items() if name.startswith(VAE_TENSORS)}
        tensors = training.learner.state() | kept
    else:
        training.seconds = float(description["seconds"])
    training.learner.load_state(tensors)
    training.done |= {stage: totals[stage] for stage in stages}
    _keep_curves(training, source, stages)
    record: dict[str, Any] = {"from": str(source), "stages": list(stages)}
    write_json(training.directory / RECORD, record)
    training.save()


def _keep_curves(training: OfflineTraining, source: Path, stages: tuple[str, ...]) -> None:
    if not (source / CURVES).exists():
        return
    lines = (source / CURVES).read_text().splitlines(keepends=True)
    kept = [line for line in lines if any(f'"stage": "{stage}"' in line for stage in stages)]
    replace_text(training.directory / CURVES, "".join(kept))
