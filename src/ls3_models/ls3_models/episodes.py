"""Episodes on disk, one HDF5 file each.

A data set is a directory of episodes. Files are written atomically: a process that is killed loses
the episode that it was writing, and no other.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ls3_common.errors import DataError
from ls3_common.files import read_bytes
from ls3_common.system_errors import unreadable
from ls3_models.formats import Content, Format
from ls3_models.hdf5 import DAMAGED, opened, read_array, replaced

SUFFIX = ".h5"
REPAIR = "delete the file, and run the command that collected it again: it fills the gap"
ARRAYS = {"observations": "u1", "actions": "<f4", "rewards": "<f4", "constraint": "?"}
ARRAYS |= {"success": "?"}
"""Fields of an episode that are arrays, and the type in which they are stored and hashed."""
VARIATIONS = "variations"
"""Attribute of a simulated episode: `on`, the magnitudes of the variations, and `drawn`, what the
episode drew from them. Recordings, and episodes of before there were variations, lack it."""


@dataclass(frozen=True)
class Episode:
    """One trajectory of T steps.

    Attributes:
        observations: s_0 to s_T, uint8 (T + 1, height, width, channel).
        actions: a_0 to a_{T-1}, float32 (T, action), in the domain's unit.
        rewards: float32 (T,).
        constraint: bool (T,), whether s_{t+1} violates a constraint.
        success: bool (T,), whether s_{t+1} is in the goal.
        source: the behaviour that acted: 'demonstration', 'random', 'constraint' or 'online'.
        seed: seed of the episode.
        attributes: further facts, which JSON must be able to hold.

    Raises:
        ValueError: the arrays' shapes or types contradict each other, or an action or reward is
            not finite.
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
        """Whether s_{t+1} is in the goal set G without a violation up to then, bool (T,).

        Only these states count as reached. In the paper a violation freezes the state until T
        (section 5.2), so that no goal is reached after a violation. Our environments freeze too.
        Recordings of a robot and other environments may continue through a violation into G.
        """
        return self.success & ~np.logical_or.accumulate(self.constraint)

    @property
    def succeeded(self) -> bool:
        """Whether the goal was reached without a violation before it."""
        return self.steps_to_goal is not None

    @property
    def violated(self) -> bool:
        """Whether a constraint was violated at any time, before or after the goal."""
        return bool(self.constraint.any())

    @property
    def steps_to_goal(self) -> int | None:
        """Number of steps to the first arrival at the goal; None if there is none (`arrivals`)."""
        arrivals = self.arrivals
        return int(np.argmax(arrivals)) + 1 if arrivals.any() else None

    def digest(self) -> str:
        """Return the SHA-256 of all that learning uses: source, and arrays with their shapes.

        Seed and attributes, which only document the episode, are not included.
        """
        digest = hashlib.sha256(json.dumps(self.source).encode())
        for name, kind in ARRAYS.items():
            array = np.ascontiguousarray(getattr(self, name), kind)
            digest.update(f"{name} {kind} {array.shape}".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()


def episode_return(episode: Episode, horizon: int) -> float:
    """Return the total reward of an episode over T = `horizon` steps (section 5.2).

    Steps after the goal count 0, so that the return is the negative time to the goal. A violation
    freezes the state, so that each later step counts -1, taken or not. If an episode without a goal
    ended early, each missing step counts -1.
    """
    steps = episode.steps_to_goal
    if steps is not None:
        return float(episode.rewards[:steps].sum())
    taken = int(np.argmax(episode.constraint)) + 1 if episode.violated else len(episode)
    return float(episode.rewards[:taken].sum()) - (horizon - taken)


def _with_digest(content: Content) -> Content:
    """Migrate from format 1, which has no digest."""
    return content | {"digest": _episode(content).digest()}


FORMAT = Format("episode", {1: _with_digest})
"""Format 2 has `digest`, which shows changes to a file, and by which data sets are compared without
reading the pixels."""


def write_episode(directory: str | Path, name: str, episode: Episode) -> Path:
    """Write ``<directory>/<name>.h5`` atomically; return its path.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(directory) / f"{name}{SUFFIX}"
    with replaced(path) as file:
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
    """Read one episode of this format or an older one.

    Raises:
        DataError: the file is unreadable, damaged, of a newer format, or not an episode of this
            project; the text names the file.
    """
    content = read_bytes(path)
    try:
        with opened(content) as file:
            number = FORMAT.number(file.attrs.get("format"), str(path))
            found = FORMAT.migrated(_content(file, number), number)
        episode = _episode(found)
        if episode.digest() != found["digest"]:
            raise ValueError("the content is not what was written: its digest differs")
        return episode
    except DAMAGED as error:
        what = f"damaged episode file ({error})"
        raise DataError(what, where=str(path), do=REPAIR) from None


def read_digest(path: str | Path) -> str:
    """Read the digest of an episode's file; the arrays are read only in format 1.

    Raises:
        DataError: as `read_episode`, which however notices more kinds of damage.
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
    """Read the content of a file of format `number`; raise one of DAMAGED if a part is missing."""
    attributes = ("source", "seed", "attributes", *(("digest",) if number >= 2 else ()))
    return {
        "obs": read_array(file, "obs", 4, "u"),
        "actions": read_array(file, "actions", 2),
        **{key: read_array(file, key, 1) for key in ("rewards", "constraint", "success")},
        **{key: file.attrs[key] for key in attributes},
    }


def _episode(content: Content) -> Episode:
    """Make an episode of content of the newest format; raise one of DAMAGED if that is invalid."""
    attributes = json.loads(content["attributes"])
    if not isinstance(attributes, dict):
        raise ValueError("'attributes' is not a JSON object")
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
    """List the episode files of a directory in the order of their names.

    Raises:
        DataError: the directory cannot be read.
    """
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise unreadable(directory, error) from None
    found = sorted(n for n in names if n.endswith(SUFFIX) and not n.startswith("."))
    return [Path(directory) / name for name in found]


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
