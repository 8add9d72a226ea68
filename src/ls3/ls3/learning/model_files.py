"""A domain's trained model: the one to use, and saving one with how it came to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ls3.learning import algorithm
from ls3.learning.policy import summarise
from ls3.runs.domains import Domain, find_shared
from ls3.runs.provenance import command_line, git_commit, now
from ls3_common.errors import DataError
from ls3_models.bundle import Bundle, load_bundle, save_bundle
from ls3_models.offline import OfflineTraining


def shipped_or(model: Path | None, domain: Domain) -> Bundle:
    """The model of a directory, or the domain's shipped one.

    Raises:
        DataError: there is none, or it is of another domain.
    """
    path = model or find_shared(f"models/{domain.name}")
    if path is None:
        raise DataError(
            f"no model is shipped for '{domain.name}'",
            do="train one with `ls3 learn`, give --model",
        )
    bundle = load_bundle(path)
    if bundle.domain != domain.name:
        raise DataError(f"a model of '{bundle.domain}', not of '{domain.name}'", where=str(path))
    return bundle


def write_bundle(
    path: Path, domain: Domain, training: OfflineTraining, curve: list[dict[str, Any]], seed: int
) -> Bundle:
    """Save the learner's present models with how they came to be."""
    demonstrations = [e for e in training.training if e.source == "demonstration"]
    steps = summarise(demonstrations)["mean_steps"] if demonstrations else None
    return save_bundle(
        algorithm.live_bundle(training.learner, training.spec),
        path,
        created=now(),
        command=command_line(),
        commit=git_commit(),
        seed=seed,
        data_hash=training.identity["data_hash"],
        training_seconds=round(training.seconds),
        demonstrator_mean_steps=steps,
        offline_curves=training.curves(),
        online_curve=curve,
    )
