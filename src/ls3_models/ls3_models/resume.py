"""A run's checkpoint: the agent's state, the progress, and the settings that must not change."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from ls3_common.errors import DataError
from ls3_models import checkpoint
from ls3_models.data_hash import DataHash

CHECKPOINT = "checkpoint.safetensors"
DEFAULTS: Mapping[str, Any] = {"agent": "ls3", "variations": {}, "judgement": "search"}
"""Settings that older checkpoints lack. They name no agent, because there was only one, no
variations, because no run could have any, and no judgement: plans were judged by the particles of
the search."""


class Restorable(Protocol):
    """An object whose state can be saved, see `ls3_models.agent.Trainable`."""

    def state(self) -> Mapping[str, Tensor]:
        """Return everything that decides the next step, as named tensors."""

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a `state`."""


def is_same(present: Any, recorded: Any, defaults: Any = None) -> bool:
    """Return whether two descriptions of a run agree; the arguments are those of `differences`."""
    return not differences(present, recorded, defaults)


def differences(
    present: Any, recorded: Any, defaults: Any = None, name: str = ""
) -> dict[str, tuple[Any, Any]]:
    """Compare two descriptions of a run.

    Args:
        present: the present description, nested mappings.
        recorded: the description in a checkpoint. Parameters that did not exist when the checkpoint
            was written have their default values. A data hash by version 1 is compared with the
            hash by version 1.
        defaults: the default values, nested as `present`.
        name: dotted name of what is compared.

    Returns:
        The recorded and the present value of all that differs, by dotted name; None where one of
        them lacks it.
    """
    if isinstance(present, DataHash):
        same = present == recorded or present.equals_version_1(recorded)
        return {} if same else {name: (recorded, str(present))}
    if not (isinstance(present, Mapping) and isinstance(recorded, Mapping)):
        return {} if present == recorded else {name: (recorded, present)}
    known = defaults if isinstance(defaults, Mapping) else {}
    found: dict[str, tuple[Any, Any]] = {}
    for key in [*present, *(key for key in recorded if key not in present)]:
        inner = f"{name}.{key}" if name else str(key)
        if key in present:
            old = recorded.get(key, known.get(key))
            found |= differences(present[key], old, known.get(key), inner)
        else:
            found[inner] = recorded[key], None
    return found


def save(
    directory: Path, learner: Restorable, identity: Mapping[str, Any], **progress: Any
) -> None:
    """Replace the run's checkpoint atomically; `identity` and `progress` are JSON."""
    checkpoint.save(directory / CHECKPOINT, learner.state(), {**identity, **progress})


def restore(
    directory: Path,
    learner: Restorable,
    identity: Mapping[str, Any],
    defaults: Mapping[str, Any] = DEFAULTS,
) -> dict[str, Any] | None:
    """Load the run's checkpoint into `learner`.

    A checkpoint of an earlier version is written again with all of `identity`, so that everything
    will be compared from then on.

    Args:
        directory: the run's directory.
        learner: receives the state.
        identity: the settings that must be those of the checkpoint.
        defaults: default values of parameters that older checkpoints lack, nested as `identity`.

    Returns:
        The checkpoint's description, identity and progress; None if there is no checkpoint.

    Raises:
        DataError: the checkpoint is damaged, or of a run with another identity.
    """
    path = directory / CHECKPOINT
    if not path.exists():
        return None
    tensors, description = checkpoint.load(path)
    found = {key: description.get(key, defaults.get(key)) for key in identity}
    different = differences(identity, found, defaults)
    if different:
        listed = ", ".join(
            f"{name} ({_short(old)}, now {_short(new)})" for name, (old, new) in different.items()
        )
        raise DataError(
            f"this run was begun with another {listed}",
            where=str(directory),
            do="choose another directory with --run, or delete this one",
        )
    try:
        learner.load_state(tensors)
    except (KeyError, RuntimeError, ValueError, TypeError, IndexError) as error:
        raise DataError(f"damaged checkpoint ({error})", where=str(path)) from None
    if any(description.get(key) != value for key, value in identity.items()):
        checkpoint.save(path, tensors, {**description, **identity})
    return description


def _short(value: Any) -> str:
    """Return a setting as a text of one line."""
    return "none" if value is None else reprlib.repr(value).strip("'")
