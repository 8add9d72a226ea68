"""Tensors with a JSON description in one safetensors file, replaced atomically. No pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as deserialise
from safetensors.torch import save as serialise
from torch import Tensor

from ls3_common.errors import DataError
from ls3_common.files import read_bytes, write_bytes


def save(path: str | Path, tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    """Replace a checkpoint atomically; `description` is JSON."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"description": json.dumps(description)}
    write_bytes(path, serialise(contiguous, metadata=metadata))


def load(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the description that `save` wrote.

    Raises:
        DataError: the file is missing, unreadable, truncated or not a checkpoint; the text names
            the file.
    """
    return parse(read_bytes(path), str(path))


def parse(content: bytes, where: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the description in a checkpoint's bytes.

    Raises:
        DataError: the bytes are truncated or not a checkpoint; the text names their origin `where`.
    """
    try:
        end = 8 + int.from_bytes(content[:8], "little")
        description = json.loads(json.loads(content[8:end])["__metadata__"]["description"])
        if not isinstance(description, dict):
            raise ValueError("the description is not a JSON object")
        return deserialise(content), description
    # RuntimeError: endlessly nested JSON; AttributeError: a type that PyTorch does not have
    except (
        *(SafetensorError, KeyError, ValueError, TypeError),
        *(RuntimeError, AttributeError),
    ) as error:
        raise DataError(f"damaged checkpoint ({error})", where=where) from None
