"""Data sets for other libraries: LeRobot and Minari, which need not be installed for all else."""

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
"""Modules that a format needs; `ls3[export]` has them all."""


@dataclass(frozen=True)
class Exported:
    """What a format says of the whole data set. Bounds are in the action's own units."""

    domain: str
    environment: str
    robot: str
    description: str
    observation_shape: tuple[int, int, int]
    channels: int  # of one of the frames that an observation stacks
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    rate: int  # steps a second, nominal


def find_episodes(paths: Sequence[Path]) -> list[Path]:
    """Episode files, from files and directories.

    Raises:
        DataError: there is none.
    """
    found = [file for path in paths for file in (list_episodes(path) if path.is_dir() else [path])]
    if not found:
        where = ", ".join(map(str, paths))
        raise DataError("holds no episodes", where=where, do="give directories or .h5 files")
    return found


def export(kind: str, paths: Sequence[Path], about: Exported, out: Path) -> int:
    """Write all episodes in one format and return how many; one at a time is in memory.

    The data set is in `out` as a whole or not at all.

    Raises:
        UserError: a library is missing, or `out` is not empty.
        DataError: an episode is damaged or does not fit the domain.
    """
    for library in NEEDS[kind]:
        try:
            importlib.import_module(library)
        except ModuleNotFoundError as error:
            if error.name != library:
                raise
            raise UserError(
                f"--format {kind} needs {library}", do="pip install 'ls3[export]'"
            ) from None
    files = find_episodes(paths)
    if out.exists() and any(out.iterdir()):
        raise UserError("is not empty", where=str(out), do="give another --out")
    for file in files:
        _check(file, read_episode(file), about)
    with replacing(out) as part:
        part.mkdir()
        importlib.import_module(f"ls3.data.export_{kind}").export(_read(files), about, part)
    return len(files)


def _read(files: Sequence[Path]) -> Iterator[Episode]:
    for file in files:
        yield read_episode(file)


def _check(file: Path, episode: Episode, about: Exported) -> None:
    shapes = episode.observations.shape[1:], episode.actions.shape[1:]
    wanted = about.observation_shape, (len(about.action_low),)
    if shapes != wanted:
        what = f"image and action shapes {shapes}, domain '{about.domain}' has {wanted}"
        raise DataError(what, where=str(file), do="give its own --domain")
    if not len(episode):
        raise DataError("an episode without a step", where=str(file), do="delete it")
    if not np.isfinite(episode.actions).all():
        raise DataError("an action is not finite", where=str(file), do="delete it")


def about(domain: Domain, rate: int) -> Exported:
    """Of a domain's data."""
    spec = domain.spec
    return Exported(
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
