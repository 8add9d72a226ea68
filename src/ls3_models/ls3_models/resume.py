"""A run's state on disk: the agent's, how far the run is, and what must not have changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from ls3_common.errors import DataError
from ls3_models import checkpoint
from ls3_models.data_hash import DataHash

CHECKPOINT = "checkpoint.safetensors"
DEFAULTS: Mapping[str, Any] = {"agent": "ls3"}
"""What a checkpoint means by naming no agent: it was written when there was only one."""


class Restorable(Protocol):
    """What has a state to save, see `ls3_models.agent.Trainable`."""

    def state(self) -> Mapping[str, Tensor]:
        """Everything that decides what comes next, as named tensors."""

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a `state`."""


def is_same(ours: Any, theirs: Any, defaults: Any = None) -> bool:
    """Whether two descriptions of a run agree.

    What theirs does not have yet, as it was written before the parameter existed, is its default.
    A hash of the data that an earlier version recorded is compared as that version made it.
    """
    if isinstance(ours, DataHash):
        return ours == theirs or ours.equals_version_1(theirs)
    if not (isinstance(ours, Mapping) and isinstance(theirs, Mapping)):
        return bool(ours == theirs)
    known = defaults if isinstance(defaults, Mapping) else {}
    return theirs.keys() <= ours.keys() and all(
        is_same(ours[key], theirs.get(key, known.get(key)), known.get(key)) for key in ours
    )


def save(
    directory: Path, learner: Restorable, identity: Mapping[str, Any], **progress: Any
) -> None:
    """Replace the run's checkpoint; `identity` and `progress` are JSON."""
    checkpoint.save(directory / CHECKPOINT, learner.state(), {**identity, **progress})


def restore(
    directory: Path,
    learner: Restorable,
    identity: Mapping[str, Any],
    defaults: Mapping[str, Any] = DEFAULTS,
) -> dict[str, Any] | None:
    """Load the run's checkpoint into `learner` and return its description, None if there is none.

    `defaults` are those of parameters, nested as `identity`: an older checkpoint lacks parameters
    that came later. A checkpoint of an earlier version is described anew, so that from now on all
    of `identity` is compared.

    Raises:
        DataError: the checkpoint is damaged, or of a run with another identity.
    """
    path = directory / CHECKPOINT
    if not path.exists():
        return None
    tensors, description = checkpoint.load(path)
    found = {key: description.get(key, defaults.get(key)) for key in identity}
    different = [
        key for key in identity if not is_same(identity[key], found[key], defaults.get(key))
    ]
    if different:
        raise DataError(
            f"this run was begun with another {', '.join(different)}",
            where=str(directory),
            do="give another --run directory, or delete this one",
        )
    try:
        learner.load_state(tensors)
    except (KeyError, RuntimeError, ValueError, TypeError, IndexError) as error:
        raise DataError(f"damaged checkpoint ({error})", where=str(path)) from None
    if any(description.get(key) != value for key, value in identity.items()):
        checkpoint.save(path, tensors, {**description, **identity})
    return description
