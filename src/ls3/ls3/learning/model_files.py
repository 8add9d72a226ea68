"""Finds and loads the model of a domain, and saves a trained model with its provenance."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ls3.learning.policy import summarise
from ls3.runs.coverage import coverage, online_coverage
from ls3.runs.domains import Domain
from ls3.runs.provenance import command_line, git_commit, now
from ls3_common.errors import DataError
from ls3_common.model_facts import DATA, refuse_other_domain
from ls3_common.shared import find_shared
from ls3_models.agent import Agent
from ls3_models.bundle import Bundle, load_bundle
from ls3_models.offline import OfflineTraining
from ls3_models.offline_data import Spec


def find_model(model: Path | None, domain: str, *, shipped: bool = True) -> Path:
    """Return the directory of the model to use: `model`, or else the domain's shipped model.

    shipped: whether models of the method in use are shipped.

    Raises:
        DataError: `model` is None and there is no shipped model.
    """
    path = model or (find_shared(f"models/{domain}") if shipped else None)
    if path is None:
        raise DataError(
            f"no model is shipped for '{domain}'{'' if shipped else ' and this method'}",
            do=f"train a model with `ls3 learn --domain {domain}`, then give its directory as "
            "--model",
        )
    return path


def find_encoder(domain: str) -> Path:
    """Return the directory of the domain's shipped model, whose frozen encoder a method needs.

    Raises:
        DataError: there is no shipped model.
    """
    path = find_shared(f"models/{domain}")
    if path is None:
        raise DataError(
            f"no model is shipped for '{domain}', and the method sees through the encoder of one",
            do="train one with `ls3 train`, then give the directory of the run as --offline",
        )
    return path


def load_bundle_for(path: Path, spec: Spec, *, guard: bool = True) -> Bundle:
    """Load a model of LS3 and check that it fits the data described by `spec`.

    guard: whether to load its guard on frames as well.

    Raises:
        DataError: there is no model, or its domain, image shape or action bounds differ.
    """
    bundle = load_bundle(path, guard=guard)
    refuse_other_domain(bundle, spec.domain, spec, path)
    return bundle


def load_given_or_shipped(model: Path | None, domain: Domain) -> Bundle:
    """Load the model of LS3 in directory `model`, or else the domain's shipped model.

    Raises:
        DataError: as `find_model` and `load_bundle_for`.
    """
    return load_bundle_for(find_model(model, domain.name), domain.data_spec)


def write_model(
    path: Path, agent: Agent, training: OfflineTraining, curve: list[dict[str, Any]], seed: int
) -> None:
    """Save what the agent has learned so far, together with its provenance.

    Args:
        path: directory of the model.
        agent: the agent to save.
        training: its offline training.
        curve: its online learning curve; empty after offline training alone.
        seed: the seed of the run.
    """
    demonstrations = [e for e in training.data.training if e.source == "demonstration"]
    steps = summarise(demonstrations)["mean_steps"] if demonstrations else None
    manifest = {
        "created": now(),
        "command": command_line(),
        "commit": git_commit(),
        "seed": seed,
        "data_hash": training.data.digest,
        DATA: asdict(coverage(training.data.episodes) + online_coverage(curve)),
        "variations": training.identity["variations"],
        "training_seconds": round(training.seconds),
        "demonstrator_mean_steps": steps,
        "offline_curves": training.curves(),
        "online_curve": curve,
    }
    agent.save(path, manifest)
