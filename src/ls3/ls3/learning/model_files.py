"""A domain's trained model: the one to use, and saving one with how it came to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ls3.learning.policy import summarise
from ls3.runs.domains import Domain
from ls3.runs.provenance import command_line, git_commit, now
from ls3_common.errors import DataError
from ls3_common.shared import find_shared
from ls3_models.agent import Agent
from ls3_models.bundle import Bundle, load_bundle
from ls3_models.offline import OfflineTraining
from ls3_models.offline_data import Spec


def find_model(model: Path | None, domain: str, *, shipped: bool = True) -> Path:
    """The directory `model`, or that of the model shipped for the domain if there may be one.

    Raises:
        DataError: neither is there.
    """
    path = model or (find_shared(f"models/{domain}") if shipped else None)
    if path is None:
        raise DataError(
            f"no model is shipped for '{domain}'{'' if shipped else ' and this method'}",
            do="train one with `ls3 learn`, give --model",
        )
    return path


def bundle_of(path: Path, spec: Spec) -> Bundle:
    """The model of LS3 in a directory.

    Raises:
        DataError: there is none, or it is of another domain, image or action.
    """
    bundle = load_bundle(path)
    if bundle.domain != spec.domain:
        raise DataError(f"a model of '{bundle.domain}', not of '{spec.domain}'", where=str(path))
    for fact in ("observation_shape", "action_low", "action_high"):
        found, wanted = getattr(bundle, fact), getattr(spec, fact)
        # actions are float32; a manifest may have a bound as it was written in a file
        if np.float32(found).tolist() != np.float32(wanted).tolist():
            raise DataError(
                f"a model with {fact} {found}, the domain has {wanted}",
                where=str(path),
                do="train one for this domain, or give the domain that it was trained for",
            )
    return bundle


def shipped_or(model: Path | None, domain: Domain) -> Bundle:
    """The model of LS3 in a directory, or the domain's shipped one.

    Raises:
        DataError: there is none, or it is of another domain, image or action.
    """
    return bundle_of(find_model(model, domain.name), domain.data_spec)


def write_model(
    path: Path, agent: Agent, training: OfflineTraining, curve: list[dict[str, Any]], seed: int
) -> None:
    """Save what the agent has learned so far with how that came to be."""
    demonstrations = [e for e in training.data.training if e.source == "demonstration"]
    steps = summarise(demonstrations)["mean_steps"] if demonstrations else None
    manifest = {
        "created": now(),
        "command": command_line(),
        "commit": git_commit(),
        "seed": seed,
        "data_hash": training.data.digest,
        "training_seconds": round(training.seconds),
        "demonstrator_mean_steps": steps,
        "offline_curves": training.curves(),
        "online_curve": curve,
    }
    agent.save(path, manifest)
