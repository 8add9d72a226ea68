"""Damaged models, which nodes must refuse to load."""

from __future__ import annotations

import shutil
from pathlib import Path


def damaged(model: Path, work: Path) -> list[Path]:
    """Make damaged copies of `model` in `work`: truncated, altered, without manifest, and empty."""
    copies = []
    for name in ("cut", "changed", "no_manifest", "empty"):
        copy = work / f"model_{name}"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(model, copy)
        weights = copy / "model.safetensors"
        content = bytearray(weights.read_bytes())
        if name == "cut":
            weights.write_bytes(content[: len(content) // 2])
        elif name == "changed":
            middle = len(content) // 2
            content[middle : middle + 4096] = b"\xff" * 4096  # as float32: NaN
            weights.write_bytes(content)
        elif name == "no_manifest":
            (copy / "manifest.json").unlink()
        else:
            weights.write_bytes(b"")
        copies.append(copy)
    return copies
