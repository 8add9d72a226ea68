"""The facts of a domain that a trained model shares, and whether a model is one of this domain.

A model of another domain plans actions of another size, from images that show something else. It
is refused before any process starts, when a node loads it, and when a command reads it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ls3_common.errors import DataError
from ls3_common.system_errors import unreadable

WEIGHTS, MANIFEST = "model.safetensors", "manifest.json"
"""The two files in a model's directory: the weights, and what describes them."""
DATA = "data"
"""Key in the manifest of how many episodes the model learned from; older ones lack it."""
OFFLINE_MODEL = "offline_model"
"""Directory of the model that `ls3 train` writes, in that of the run."""
POLICY = "policy.safetensors"
"""The file in a directory that holds a policy of a method which never moves an arm."""


class Sizes(Protocol):
    """The images and actions of a domain, of its data or of a model.

    observation_shape: (height, width, channel). action_low, action_high: bounds of an action, in
    the domain's unit.
    """

    @property
    def observation_shape(self) -> tuple[int, ...]: ...
    @property
    def action_low(self) -> tuple[float, ...]: ...
    @property
    def action_high(self) -> tuple[float, ...]: ...


class Trained(Sizes, Protocol):
    """A model, or what its files say of it. domain: name of the domain that it was trained for."""

    @property
    def domain(self) -> str: ...


@dataclass(frozen=True)
class ModelFacts:
    """The fields of `Trained`, without networks.

    saw_violation, saw_goal: whether any episode that the model learned from violates a constraint,
    or reaches the goal; None: the manifest does not say.
    """

    domain: str
    observation_shape: tuple[int, ...]
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    saw_violation: bool | None = None
    saw_goal: bool | None = None


def read_model_facts(path: str | Path) -> ModelFacts:
    """Read the facts in a model's manifest; the weights are not read.

    Args:
        path: directory of the model.

    Raises:
        DataError: there is no manifest, or it is damaged; or a policy is here that must not move
            an arm.
    """
    refuse_policy(path)
    file = Path(path) / MANIFEST
    try:
        manifest = json.loads(file.read_bytes())
        data = manifest.get(DATA)
        seen = data and (bool(data["violated"]), bool(data["reached"]))
        return ModelFacts(
            str(manifest["domain"]),
            tuple(map(int, manifest["observation_shape"])),
            tuple(map(float, manifest["action_low"])),
            tuple(map(float, manifest["action_high"])),
            *(seen or ()),
        )
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            f"no model here: {MANIFEST} is expected",
            where=str(path),
            do="give a directory written by `ls3 train`, or leave the model argument out",
        ) from None
    except OSError as error:
        raise unreadable(file, error) from None
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise DataError(
            f"no description of a model ({type(error).__name__}: {error})", where=str(file)
        ) from None


def refuse_policy(path: str | Path) -> None:
    """Refuse the directory of a policy where a model is needed to plan with.

    Raises:
        DataError: a policy is here; the text names its file.
    """
    if (Path(path) / POLICY).exists():
        raise DataError(
            f"{POLICY} is the policy of a comparison, which must not move an arm and runs in no "
            "node",
            where=str(path),
            do="give a model of LS3; `ls3 evaluate --method` runs the policy in the environment",
        )


def refuse_other_domain(
    found: Trained, domain: str, sizes: Sizes | None, where: str | Path
) -> None:
    """Refuse a model that is not of this domain.

    Args:
        found: the model.
        domain: name of the domain; empty: the name is not compared.
        sizes: images and actions of the domain; None: they are not compared.
        where: the model's directory, for the error text.

    Raises:
        DataError: name, images or actions differ; the text names both.
    """
    if domain and found.domain != domain:
        raise DataError(
            f"this is a model of '{found.domain}', not of '{domain}'",
            where=str(where),
            do=f"give a model of '{domain}', or the domain '{found.domain}'",
        )
    for fact in ("observation_shape", "action_low", "action_high") if sizes is not None else ():
        has, needs = getattr(found, fact), getattr(sizes, fact)
        # actions are float32, but a manifest may hold a bound as it was written in YAML
        if np.float32(has).tolist() != np.float32(needs).tolist():
            raise DataError(
                f"the model of '{found.domain}' has {fact} {has}, the domain has {needs}",
                where=str(where),
                do="train a model for this domain, or give the domain that it was trained for",
            )
