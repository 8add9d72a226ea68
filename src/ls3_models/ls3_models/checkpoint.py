"""Tensors with a JSON description in one safetensors file, replaced atomically. No pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from ls3_common.errors import DataError


def save(path: str | Path, tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    """Write to a temporary name, then rename: a reader sees the old file or the new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        with temporary.open("wb") as file:
            file.write(serialise(contiguous, metadata={"description": json.dumps(description)}))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save` wrote.

    Raises:
        DataError: the file is missing, cut off or no checkpoint; the text names it.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError("no such checkpoint", where=str(path))
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            description = json.loads(metadata["description"])
            if not isinstance(description, dict):
                raise ValueError("the description is no JSON object")
            return {name: file.get_tensor(name) for name in file.keys()}, description  # noqa: SIM118
    # the last two: JSON nested without end, types that PyTorch does not have
    except (
        *(SafetensorError, OSError, KeyError, ValueError),
        *(RuntimeError, AttributeError),
    ) as error:
        raise DataError(f"damaged checkpoint ({error})", where=str(path)) from None
