"""A run's state on disk: the learner's, how far the run is, and what must not have changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ls3_common import parameters
from ls3_common.errors import DataError
from ls3_models import checkpoint
from ls3_models.config import LearnerConfig
from ls3_models.data_hash import DataHash
from ls3_models.learner import Learner

CHECKPOINT = "checkpoint.safetensors"
DEFAULTS = parameters.defaults(LearnerConfig)


def is_same(ours: Any, theirs: Any) -> bool:
    """Whether two descriptions of a run agree.

    What theirs does not have yet, as it was written before the parameter existed, is its default.
    A hash of the data that an earlier version recorded is compared as that version made it.
    """
    if isinstance(ours, DataHash):
        return ours == theirs or ours.was(theirs)
    if not (isinstance(ours, Mapping) and isinstance(theirs, Mapping)):
        return bool(ours == theirs)
    return theirs.keys() <= ours.keys() and all(
        is_same(ours[key], theirs.get(key, DEFAULTS.get(key))) for key in ours
    )


def save(directory: Path, learner: Learner, identity: Mapping[str, Any], **progress: Any) -> None:
    """Replace the run's checkpoint; `identity` and `progress` are JSON."""
    checkpoint.save(directory / CHECKPOINT, learner.state(), {**identity, **progress})


def restore(
    directory: Path, learner: Learner, identity: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Load the run's checkpoint into `learner` and return its description, None if there is none.

    A checkpoint of an earlier version is described anew, so that from now on all of `identity` is
    compared.

    Raises:
        DataError: the checkpoint is damaged, or of a run with another identity.
    """
    path = directory / CHECKPOINT
    if not path.exists():
        return None
    tensors, description = checkpoint.load(path)
    different = [key for key in identity if not is_same(identity[key], description.get(key))]
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
