"""Episodes on disk: one HDF5 file each, written under a temporary name and renamed.

A data set is a directory of such files. A process killed while writing loses the episode at hand
and no other; a collection resumes with the names that are missing.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ls3_common.errors import DataError

FORMAT = "ls3-episode-1"
SUFFIX = ".h5"
MAX_BYTES = 1 << 30
"""Of one array; 1,000 steps of nine channels of 128 x 128 pixels are a seventh of it."""


@dataclass(frozen=True)
class Episode:
    """One trajectory of T steps; constraint and success speak of s_{t+1}.

    observations: uint8 (T + 1, height, width, channel); actions: float32 (T, action);
    rewards: float32 (T,); constraint, success: bool (T,).
    source: which behaviour acted: 'demonstration', 'random', 'constraint' or 'online'.
    attributes: anything else worth keeping that JSON can hold.
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    constraint: np.ndarray
    success: np.ndarray
    source: str
    seed: int
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        steps = len(self.actions)
        if len(self.observations) != steps + 1 or self.observations.ndim != 4:
            raise ValueError(f"observations {self.observations.shape} for {steps} actions")
        for name in ("rewards", "constraint", "success"):
            if getattr(self, name).shape != (steps,):
                raise ValueError(f"{name} {getattr(self, name).shape} for {steps} actions")
        if not (np.isfinite(self.actions).all() and np.isfinite(self.rewards).all()):
            raise ValueError("an action or reward is not finite")

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def succeeded(self) -> bool:
        """Whether the goal was reached without a violation before it."""
        return self.steps_to_goal is not None

    @property
    def violated(self) -> bool:
        return bool(self.constraint.any())

    @property
    def steps_to_goal(self) -> int | None:
        """Steps until the goal was first reached, None if it never was."""
        return int(np.argmax(self.success)) + 1 if self.success.any() else None


def episode_return(episode: Episode, horizon: int) -> float:
    """Total reward of an episode of T = `horizon` steps, as the paper counts it (section 5.2).

    What follows the goal counts nothing: the return is the time to the goal. A violation freezes
    the state, so steps that were cut off after it count -1 each.
    """
    if episode.steps_to_goal is not None:
        return float(episode.rewards[: episode.steps_to_goal].sum())
    return float(episode.rewards.sum()) - (horizon - len(episode))


def write_episode(directory: str | Path, name: str, episode: Episode) -> Path:
    """Write ``<directory>/<name>.h5`` so that it is there whole or not at all."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}{SUFFIX}"
    temporary = directory / f".{name}.{os.getpid()}.part"
    try:
        with h5py.File(temporary, "w") as file:
            file.create_dataset("obs", data=episode.observations, compression="gzip", shuffle=True)
            for key in ("actions", "rewards", "constraint", "success"):
                file.create_dataset(key, data=getattr(episode, key))
            file.attrs["format"] = FORMAT
            file.attrs["source"] = episode.source
            file.attrs["seed"] = episode.seed
            file.attrs["attributes"] = json.dumps(dict(episode.attributes))
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def read_episode(path: str | Path) -> Episode:
    """Read one episode.

    Raises:
        DataError: the file is missing, damaged or no episode of ours; the text names it.
    """
    path = Path(path)
    repair = "delete it and collect it again: the same command fills the gap"
    try:
        _check_heaps(path.read_bytes())
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise DataError(f"not an episode of format {FORMAT}", where=str(path), do=repair)
            attributes = json.loads(file.attrs["attributes"])
            if not isinstance(attributes, dict):
                raise ValueError("attributes that are no JSON object")
            return Episode(
                observations=_array(file, "obs", 4, "u"),
                actions=_array(file, "actions", 2).astype(np.float32),
                rewards=_array(file, "rewards", 1).astype(np.float32),
                constraint=_array(file, "constraint", 1).astype(bool),
                success=_array(file, "success", 1).astype(bool),
                source=str(file.attrs["source"]),
                seed=int(file.attrs["seed"]),
                attributes=attributes,
            )
    except FileNotFoundError:
        raise DataError("no such file", where=str(path)) from None
    except (
        *(OSError, KeyError, ValueError, TypeError),
        *(RuntimeError, OverflowError, AttributeError),
    ) as error:
        raise DataError(f"damaged episode file ({error})", where=str(path), do=repair) from None


def _check_heaps(data: bytes) -> None:
    """Refuse heaps of texts in which HDF5 would go round for ever.

    The library steps from one entry to the next by the size that it reads, 0 included, and no
    signal of Python's gets in. Layout: HDF5 file format specification, III.E, global heap.

    Raises:
        ValueError: an entry has no size, or leaves its heap.
    """
    begin = data.find(b"GCOL\1")
    while begin >= 0:
        end = begin + int.from_bytes(data[begin + 8 : begin + 16], "little")
        entry = begin + 16
        if not entry <= end <= len(data):
            raise ValueError("a heap that leaves the file")
        while end - entry >= 16:
            size = int.from_bytes(data[entry + 8 : entry + 16], "little")
            if data[entry : entry + 2] != b"\0\0":  # number 0 is free space, its head included
                size = 16 + (size + 7) // 8 * 8
            if not 16 <= size <= end - entry:
                raise ValueError("a heap with an entry of no or of too large a size")
            entry += size
        begin = data.find(b"GCOL\1", begin + 1)


def _array(file: h5py.File, key: str, axes: int, kinds: str = "fiub") -> np.ndarray:
    """A data set of this very file, once it is known what reading it costs.

    Raises:
        ValueError: it has other axes or types, is too large, or lies in another file.
    """
    link = file.get(key, getlink=True)
    data = file[key] if isinstance(link, h5py.HardLink) else None
    if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
        raise ValueError(f"'{key}' is no data set of this file")
    if data.shape is None or data.ndim != axes or data.dtype.kind not in kinds:
        raise ValueError(f"'{key}' is {data.dtype} {data.shape}")
    if kinds == "u" and data.dtype != np.uint8:
        raise ValueError(f"'{key}' is {data.dtype}, not uint8")
    chunk = math.prod(data.chunks) if data.chunks else 0  # unpacked whole, whatever is read of it
    if max(data.size, chunk) * data.dtype.itemsize > MAX_BYTES:
        raise ValueError(f"'{key}' of shape {data.shape} is larger than {MAX_BYTES >> 20} MiB")
    return np.asarray(data[...])


def list_episodes(directory: str | Path) -> list[Path]:
    """Episode files of a directory in the order of their names."""
    return sorted(p for p in Path(directory).glob(f"*{SUFFIX}") if not p.name.startswith("."))


def read_episodes(directory: str | Path) -> list[Episode]:
    """All episodes of a data set.

    Raises:
        DataError: there are none, one is damaged, or they do not belong together.
    """
    paths = list_episodes(directory)
    if not paths:
        raise DataError("holds no episodes", where=str(directory), do="run `ls3 collect` first")
    episodes = [read_episode(path) for path in paths]
    first = episodes[0]
    for path, episode in zip(paths, episodes, strict=True):
        shapes = (episode.observations.shape[1:], episode.actions.shape[1:])
        if shapes != (first.observations.shape[1:], first.actions.shape[1:]):
            raise DataError(
                f"image and action shapes {shapes} differ from those of {paths[0].name}",
                where=str(path),
                do="keep one domain per directory",
            )
    return episodes


def data_hash(directory: str | Path) -> str:
    """Short hash over the content of a data set (arrays, not HDF5 bytes)."""
    digest = hashlib.sha256()
    for path in list_episodes(directory):
        episode = read_episode(path)
        digest.update(path.stem.encode())
        for array in (episode.observations, episode.actions, episode.rewards, episode.constraint):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
