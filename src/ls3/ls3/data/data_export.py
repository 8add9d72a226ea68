"""Exports data sets to the formats of LeRobot and Minari, which are optional dependencies."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ls3.runs.domains import Domain
from ls3_common.errors import DataError, UserError
from ls3_common.files import replacing
from ls3_models.episodes import Episode, list_episodes, read_episode

NEEDS = {"lerobot": ("pyarrow", "pandas"), "minari": ("minari",)}
"""Modules that each format needs. `pip install 'ls3[export]'` installs all of them."""


@dataclass(frozen=True)
class DataFacts:
    """Facts about a whole data set that the formats record.

    environment: name of the Gymnasium environment. robot: type of the robot; empty if there is
    none. description: the task in words. observation_shape: (height, width, channel).
    channels: number of channels of one frame; an observation may stack several frames.
    action_low, action_high: bounds of each action component, in the domain's unit. rate: nominal
    number of steps per second.
    """

    domain: str
    environment: str
    robot: str
    description: str
    observation_shape: tuple[int, int, int]
    channels: int
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    rate: int


def find_episodes(paths: Sequence[Path]) -> list[Path]:
    """Return the given episode files, and all those in the given directories.

    Raises:
        DataError: there is no episode.
    """
    found = [file for path in paths for file in (list_episodes(path) if path.is_dir() else [path])]
    if not found:
        where = ", ".join(map(str, paths))
        raise DataError("holds no episodes", where=where, do="give directories or .h5 files")
    return found


def export(format_name: str, paths: Sequence[Path], facts: DataFacts, out: Path) -> int:
    """Write all episodes in one format and return their number.

    Only one episode at a time is in memory. `out` has the complete data set or does not exist.

    Args:
        format_name: a key of `NEEDS`.
        paths: episode files, or directories of them.
        facts: facts about the data set.
        out: directory to write, new or empty.

    Raises:
        UserError: a library is missing, or `out` is not empty.
        DataError: an episode is damaged or does not fit the domain.
    """
    for library in NEEDS[format_name]:
        try:
            importlib.import_module(library)
        except ModuleNotFoundError as error:
            if error.name != library:
                raise
            raise UserError(
                f"--format {format_name} needs {library}", do="pip install 'ls3[export]'"
            ) from None
    files = find_episodes(paths)
    if out.exists() and any(out.iterdir()):
        raise UserError("is not empty", where=str(out), do="give another --out")
    for file in files:
        _check(file, read_episode(file), facts)
    with replacing(out) as part:
        part.mkdir()
        writer = importlib.import_module(f"ls3.data.export_{format_name}")
        writer.export(_read(files), facts, part)
    return len(files)


def _read(files: Sequence[Path]) -> Iterator[Episode]:
    for file in files:
        yield read_episode(file)


def _check(file: Path, episode: Episode, facts: DataFacts) -> None:
    shapes = episode.observations.shape[1:], episode.actions.shape[1:]
    wanted = facts.observation_shape, (len(facts.action_low),)
    if shapes != wanted:
        what = f"image and action shapes are {shapes}, domain '{facts.domain}' has {wanted}"
        raise DataError(what, where=str(file), do="give the --domain of these episodes")
    if not len(episode):
        raise DataError("the episode has no step", where=str(file), do="delete the file")
    if not np.isfinite(episode.actions).all():
        raise DataError("an action is not finite", where=str(file), do="delete the file")


def data_facts(domain: Domain, rate: int) -> DataFacts:
    """Return the facts about a domain's data, with a nominal `rate` in steps per second."""
    spec = domain.spec
    return DataFacts(
        domain=domain.name,
        environment=spec.environment,
        robot="dvrk" if domain.name == "cable_routing" else "",
        description=domain.name.replace("_", " "),
        observation_shape=spec.observation_shape,
        channels=spec.channels,
        action_low=spec.action_low,
        action_high=spec.action_high,
        rate=rate,
    )
