"""LS3: starting a run from an offline training that another run has finished (--offline).

What would come out the same is taken over, the rest is trained: methods that differ in the planner
take over everything, methods that differ in gamma_S, and other seeds, the VAE. A model gives its
VAE, which nothing trains after the offline stage, to data of its domain that may be others. The
source is only read. From then on the new run has a state of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ls3_common import parameters
from ls3_common.errors import DataError
from ls3_models import checkpoint
from ls3_models.agent import TakenOver
from ls3_models.bundle import MANIFEST, load_bundle
from ls3_models.config import LearnerConfig
from ls3_models.ls3_learning import STAGES, Ls3Learning, stage_totals
from ls3_models.offline import read_curves
from ls3_models.resume import CHECKPOINT, DEFAULTS, is_same

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


Source = tuple[Mapping[str, Tensor], Mapping[str, Any], Iterable[Mapping[str, Any]]]
"""Tensors named as in a learner's state, what they are of, and points of the training's curves."""


def take_over(agent: Ls3Learning, source: Path, identity: Mapping[str, Any]) -> TakenOver:
    """Take over from `source`, a run's or a model's directory, what `agent` would train to.

    See `ls3_models.agent.AgentKind`.

    Raises:
        DataError: `source` holds no training of LS3, none of this domain and data, one with
            another VAE, or one whose VAE or other parts are not finished.
    """
    is_model = (source / MANIFEST).exists()
    tensors, theirs, curves = _of_model(source) if is_model else _of_run(source)
    ours = parameters.to_dict(agent.config)
    # of parameters that came later: their defaults
    config = parameters.defaults(LearnerConfig) | theirs["config"]
    different = {key for key in ours if config.get(key) != ours[key]} - IGNORED
    keys = ("domain", "data_hash", "action_bounds")
    other = [key for key in keys if not is_same(identity[key], theirs.get(key, identity[key]))]
    other += sorted(key for key in different if key in VAE_KEYS or key.startswith("vae_"))
    if other:
        raise DataError(
            f"the training there has another {', '.join(other)}",
            where=str(source),
            do="leave --offline out, or give one with the same",
        )
    whole = not is_model and not different and theirs["seed"] == identity["seed"]
    totals = stage_totals(config)
    stages = list(STAGES) if whole else ["vae"]
    for stage in stages:
        if theirs["done"].get(stage, 0) < totals[stage]:
            raise DataError(
                f"stage '{stage}' of the training there is not finished",
                where=str(source),
                do="finish it with `ls3 train`, then call this again",
            )
    if not whole:  # the rest as it is before its first step, random generator included
        kept = {name: t for name, t in tensors.items() if name.startswith(VAE_TENSORS)}
        tensors = agent.state() | kept
    agent.load_state(tensors)
    return TakenOver(
        stages=stages,
        seconds=float(theirs["seconds"]) if whole else 0.0,
        curves=[row for row in curves if row.get("stage") in stages],
    )


def _of_run(source: Path) -> Source:
    path = source / CHECKPOINT
    tensors, description = checkpoint.load(path)
    if "done" not in description or description.get("agent", DEFAULTS["agent"]) != Ls3Learning.name:
        do = "give a run's directory, or a model's"
        raise DataError("not an offline training of LS3", where=str(path), do=do)
    return tensors, description, read_curves(source)


def _of_model(source: Path) -> Source:
    bundle = load_bundle(source)
    config = parameters.to_dict(bundle.config)
    tensors = {f"models.{name}": t for name, t in bundle.models.state_dict().items()}
    done = {"vae": stage_totals(config)["vae"]}
    bounds = [list(bundle.action_low), list(bundle.action_high)]
    description = {"config": config, "domain": bundle.domain, "action_bounds": bounds, "done": done}
    curves = bundle.manifest.get("offline_curves", [])
    if not isinstance(curves, list) or not all(isinstance(row, dict) for row in curves):
        raise DataError("offline_curves is no list of objects", where=str(source / MANIFEST))
    return tensors, description, curves
