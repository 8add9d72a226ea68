"""Text files that are there whole or not at all."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from ls3_common.errors import DataError


def replace_text(path: Path, text: str) -> None:
    """Write under a temporary name, then rename: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text)
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, document: Any) -> None:
    """Write JSON with a line per entry; lists of numbers stay on one line."""
    text = json.dumps(document, indent=1)
    text = re.sub(r"\[[^\[\]{}\"]*\]", lambda numbers: " ".join(numbers[0].split()), text)
    replace_text(path, text + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        DataError: the file is missing or holds none; the text names it.
    """
    document = _parsed(path)
    if not isinstance(document, dict):
        raise DataError("not a JSON object", where=str(path), do="delete it")
    return document


def read_list(path: Path) -> list[dict[str, Any]]:
    """Read a JSON list of objects.

    Raises:
        DataError: the file is missing or holds none; the text names it.
    """
    document = _parsed(path)
    if not isinstance(document, list) or not all(isinstance(item, dict) for item in document):
        raise DataError("not a JSON list of objects", where=str(path), do="delete it")
    return document


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except ValueError as error:
        raise DataError(f"not JSON ({error})", where=str(path), do="delete it") from None
