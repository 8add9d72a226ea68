"""Episodes on disk: one HDF5 file each, which is there whole or not at all.

A data set is a directory of such files. A process killed while writing loses the episode at hand
and no other; a collection resumes with the names that are missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ls3_common.errors import DataError
from ls3_common.files import read_bytes, replacing
from ls3_models.formats import Content, Format
from ls3_models.hdf5 import DAMAGED, opened, read_array

SUFFIX = ".h5"
REPAIR = "delete it and collect it again: the same command fills the gap"
ARRAYS = {"observations": "u1", "actions": "<f4", "rewards": "<f4", "constraint": "?"}
ARRAYS |= {"success": "?"}
"""Fields of an episode that are arrays, and the type in which they are stored and hashed."""


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
        if self.observations.dtype != np.uint8:
            raise ValueError(f"observations are {self.observations.dtype}, not uint8")
        for name in ("rewards", "constraint", "success"):
            if getattr(self, name).shape != (steps,):
                raise ValueError(f"{name} {getattr(self, name).shape} for {steps} actions")
        if not (np.isfinite(self.actions).all() and np.isfinite(self.rewards).all()):
            raise ValueError("an action or reward is not finite")

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def arrivals(self) -> np.ndarray:
        """Whether s_{t+1} lies in the goal set G and nothing was violated up to it, bool (T,).

        Only these states count as reached. The paper's S^j are the states from which the agent has
        navigated to G, and a violation freezes the state until T (section 5.2), so that nothing
        is reached after one. Our environments do freeze; recordings of a robot and other
        environments may go on, through the constraint and into G.
        """
        return self.success & ~np.logical_or.accumulate(self.constraint)

    @property
    def succeeded(self) -> bool:
        """Whether the goal was reached without a violation before it."""
        return self.steps_to_goal is not None

    @property
    def violated(self) -> bool:
        """Whether a constraint was violated, before the goal or after it."""
        return bool(self.constraint.any())

    @property
    def steps_to_goal(self) -> int | None:
        """Steps until the goal was first reached, None if it was not, or after a violation only."""
        arrivals = self.arrivals
        return int(np.argmax(arrivals)) + 1 if arrivals.any() else None

    def digest(self) -> str:
        """SHA-256 of all that learning reads: the source and the arrays with their shapes.

        Left out: the seed and the attributes, which say how the episode came to be.
        """
        digest = hashlib.sha256(json.dumps(self.source).encode())
        for name, kind in ARRAYS.items():
            array = np.ascontiguousarray(getattr(self, name), kind)
            digest.update(f"{name} {kind} {array.shape}".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()


def episode_return(episode: Episode, horizon: int) -> float:
    """Total reward of an episode of T = `horizon` steps, as the paper counts it (section 5.2).

    What follows the goal counts nothing: the return is the time to the goal. A violation freezes
    the state, so that each step after it counts -1, whether or not it was taken; so does each
    step that an episode without a goal was cut off by.
    """
    steps = episode.steps_to_goal
    if steps is not None:
        return float(episode.rewards[:steps].sum())
    taken = int(np.argmax(episode.constraint)) + 1 if episode.violated else len(episode)
    return float(episode.rewards[:taken].sum()) - (horizon - taken)


def _with_digest(content: Content) -> Content:
    """From format 1, of which nothing tells whether it still is what was written."""
    return content | {"digest": _episode(content).digest()}


FORMAT = Format("episode", {1: _with_digest})
"""2: `digest`, by which a changed file is noticed and a data set compared without its pixels."""


def write_episode(directory: str | Path, name: str, episode: Episode) -> Path:
    """Write ``<directory>/<name>.h5`` so that it is there whole or not at all."""
    path = Path(directory) / f"{name}{SUFFIX}"
    with replacing(path) as part, h5py.File(part, "w") as file:
        for field_name, kind in ARRAYS.items():
            array = np.asarray(getattr(episode, field_name), kind)
            if field_name == "observations":
                file.create_dataset("obs", data=array, compression="gzip", shuffle=True)
            else:
                file.create_dataset(field_name, data=array)
        file.attrs["format"] = FORMAT.mark
        file.attrs["digest"] = episode.digest()
        file.attrs["source"] = episode.source
        file.attrs["seed"] = episode.seed
        file.attrs["attributes"] = json.dumps(dict(episode.attributes))
    return path


def read_episode(path: str | Path) -> Episode:
    """Read one episode, of this format or an older one.

    Raises:
        DataError: the file cannot be read, is damaged, of a newer format, or no episode of ours;
            the text names the file.
    """
    content = read_bytes(path)
    try:
        with opened(content) as file:
            number = FORMAT.number(file.attrs.get("format"), str(path))
            found = FORMAT.migrated(_content(file, number), number)
        episode = _episode(found)
        if episode.digest() != found["digest"]:
            raise ValueError("its content is not what was written, or was changed by other means")
        return episode
    except DAMAGED as error:
        what = f"damaged episode file ({error})"
        raise DataError(what, where=str(path), do=REPAIR) from None


def read_digest(path: str | Path) -> str:
    """`Episode.digest` of a file, which is read whole only where it is of format 1.

    Raises:
        DataError: as of `read_episode`, which notices more.
    """
    content = read_bytes(path)
    try:
        with opened(content) as file:
            if FORMAT.number(file.attrs.get("format"), str(path)) >= 2:
                return str(file.attrs["digest"])
    except DAMAGED as error:
        what = f"damaged episode file ({error})"
        raise DataError(what, where=str(path), do=REPAIR) from None
    return read_episode(path).digest()


def _content(file: h5py.File, number: int) -> Content:
    """What a file of format `number` holds; DAMAGED where it does not."""
    attributes = ("source", "seed", "attributes", *(("digest",) if number >= 2 else ()))
    return {
        "obs": read_array(file, "obs", 4, "u"),
        "actions": read_array(file, "actions", 2),
        **{key: read_array(file, key, 1) for key in ("rewards", "constraint", "success")},
        **{key: file.attrs[key] for key in attributes},
    }


def _episode(content: Content) -> Episode:
    """The episode of content of the newest format; DAMAGED where it is none."""
    attributes = json.loads(content["attributes"])
    if not isinstance(attributes, dict):
        raise ValueError("attributes that are no JSON object")
    return Episode(
        observations=content["obs"],
        actions=content["actions"].astype(np.float32),
        rewards=content["rewards"].astype(np.float32),
        constraint=content["constraint"].astype(bool),
        success=content["success"].astype(bool),
        source=str(content["source"]),
        seed=int(content["seed"]),
        attributes=attributes,
    )


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
