"""Starts a run of LS3 from the finished offline training of another run (--offline).

Everything that training would reproduce is taken over, and the rest is trained. A run that differs
in the planner only takes over all of the training. A run with another gamma_S or seed takes over
the VAE. From a model, only the VAE is taken over, because online learning never changes it; the
data of the new run may then differ from the model's. The source is only read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import Tensor

from ls3_common import parameters
from ls3_common.errors import DataError
from ls3_common.model_facts import MANIFEST
from ls3_models import checkpoint
from ls3_models.agent import TakenOver
from ls3_models.bundle import load_bundle
from ls3_models.config import LearnerConfig
from ls3_models.ls3_learning import STAGES, Ls3Learning, stage_totals
from ls3_models.offline import read_curves
from ls3_models.optimiser_state import part
from ls3_models.resume import CHECKPOINT, DEFAULTS, is_same

VAE_KEYS = (
    "latent_dim",
    "beta",
    "augmentation",
    "augmented_share",
    "frame_stack",
    "kl_reduction",
)
"""Parameters of the learner that decide the VAE, together with those of `VAE_SECTIONS`."""
VAE_SECTIONS = ("vae_", "views.")
"""Beginnings of such parameters."""
VAE_TENSORS = ("models.encoder.", "models.decoder.", "optimiser.vae.")
"""Prefixes of the VAE's tensors in a learner's state."""
IGNORED = {"checkpoint_interval", "update_iterations", "value_update_iterations"}
"""Parameters of the learner that do not affect offline training."""

Found = tuple[Mapping[str, Tensor], Mapping[str, Any], Iterable[Mapping[str, Any]]]
"""Tensors named as in a learner's state, a description of their training, and its curves."""


def take_over(agent: Ls3Learning, source: Path, identity: Mapping[str, Any]) -> TakenOver:
    """Load into `agent` everything of `source` that its own training would reproduce.

    See `ls3_models.agent.AgentKind`.

    Args:
        agent: an untrained agent.
        source: directory of a run or of a model.
        identity: identity of the agent's own offline training.

    Raises:
        DataError: `source` holds no training of LS3, or one with another domain, data or VAE, or
            one that is not finished.
    """
    tensors, theirs, curves = _read(source)
    ours = parameters.to_dict(agent.config)
    # an older training lacks parameters that were added later; it had their defaults
    config = parameters.defaults(LearnerConfig) | theirs["config"]
    different = {key for key in ours if config.get(key) != ours[key]} - IGNORED
    other = _other_facts(identity, theirs) + sorted(filter(_decides_vae, different))
    _refuse(other, source)
    whole = not _is_model(source) and not different and theirs["seed"] == identity["seed"]
    totals = stage_totals(config)
    stages = list(STAGES) if whole else ["vae"]
    _refuse_unfinished(stages, totals, theirs, source)
    if not whole:  # everything else stays untrained, and so does the random generator
        kept = {name: t for name, t in tensors.items() if name.startswith(VAE_TENSORS)}
        tensors = agent.state() | kept
    agent.load_state(tensors)
    return TakenOver(
        stages=stages,
        seconds=float(theirs["seconds"]) if whole else 0.0,
        curves=[row for row in curves if row.get("stage") in stages],
    )


def encoder_hash(run: Path) -> str:
    """Return the first digits of the SHA-256 of a run's frozen f_enc; '' if the run has none.

    Raises:
        DataError: the run's checkpoint is missing or damaged.
    """
    tensors, _ = checkpoint.load(run / CHECKPOINT)
    digest = sha256()
    for prefix in ("models.encoder", "encoder"):  # of LS3, and of a method on its latents
        for _, tensor in sorted(part(tensors, prefix).items()):
            digest.update(tensor.numpy().tobytes())
    return "" if digest.digest() == sha256().digest() else digest.hexdigest()[:12]


def shares_vae(ours: LearnerConfig, theirs: LearnerConfig) -> bool:
    """Return whether the same data give the same VAE by both settings."""
    config = parameters.to_dict(theirs)
    return all(
        config[key] == value for key, value in parameters.to_dict(ours).items() if _decides_vae(key)
    )


def _decides_vae(key: str) -> bool:
    return key in VAE_KEYS or key.startswith(VAE_SECTIONS)


def read_encoder(
    source: Path, frame_stack: int, channels: int, identity: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Return the weights of f_enc in a run or a model of LS3, by their names in an `Encoder`.

    Args:
        source: directory of the run or the model.
        frame_stack: number of frames that are stacked in an observation.
        channels: number of an observation's channels.
        identity: domain, data and action bounds of the training that will use the encoder.

    Raises:
        DataError: `source` holds no trained VAE of LS3, or one of another domain, of other data or
            of other images.
    """
    tensors, theirs, _ = _read(source)
    config = parameters.defaults(LearnerConfig) | theirs["config"]
    other = _other_facts(identity, theirs)
    other += ["frame_stack"] if config["frame_stack"] != frame_stack else []
    encoder = part(tensors, "models.encoder")
    first = encoder.get("convolutions.0.weight")
    if first is None:
        raise DataError("the training there has no encoder", where=str(source))
    other += ["number of channels"] if first.shape[1] != channels else []
    _refuse(other, source)
    _refuse_unfinished(["vae"], stage_totals(config), theirs, source)
    return encoder


def _other_facts(identity: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Return the names of the facts in which the training in a source differs."""
    keys = ("domain", "data_hash", "action_bounds")
    return [key for key in keys if not is_same(identity[key], theirs.get(key, identity[key]))]


def _refuse(other: Sequence[str], source: Path) -> None:
    if other:
        raise DataError(
            f"the training there has another {', '.join(other)}",
            where=str(source),
            do="leave --offline out, or give a training with the same",
        )


def _refuse_unfinished(
    stages: Iterable[str], totals: Mapping[str, int], theirs: Mapping[str, Any], source: Path
) -> None:
    for stage in stages:
        if theirs["done"].get(stage, 0) < totals[stage]:
            raise DataError(
                f"stage '{stage}' of the training there is not finished",
                where=str(source),
                do="finish that training with `ls3 train`, then run this command again",
            )


def _is_model(source: Path) -> bool:
    return (source / MANIFEST).exists()


def _read(source: Path) -> Found:
    return _read_model(source) if _is_model(source) else _read_run(source)


def _read_run(source: Path) -> Found:
    path = source / CHECKPOINT
    tensors, description = checkpoint.load(path)
    if "done" not in description or description.get("agent", DEFAULTS["agent"]) != Ls3Learning.name:
        do = "give the directory of a run or of a model"
        raise DataError("not an offline training of LS3", where=str(path), do=do)
    return tensors, description, read_curves(source)


def _read_model(source: Path) -> Found:
    bundle = load_bundle(source)
    config = parameters.to_dict(bundle.config)
    tensors = {f"models.{name}": t for name, t in bundle.models.state_dict().items()}
    done = {"vae": stage_totals(config)["vae"]}
    bounds = [list(bundle.action_low), list(bundle.action_high)]
    description = {"config": config, "domain": bundle.domain, "action_bounds": bounds, "done": done}
    curves = bundle.manifest.get("offline_curves", [])
    if not isinstance(curves, list) or not all(isinstance(row, dict) for row in curves):
        raise DataError(
            "offline_curves is not a list of objects",
            where=str(source / MANIFEST),
            do="give another model",
        )
    return tensors, description, curves
