"""Exports data sets to the formats of other libraries, which are optional dependencies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from ls3.data.registry import DataFacts, find_format
from ls3.runs.domains import Domain
from ls3_common.errors import DataError, UserError
from ls3_common.files import replacing
from ls3_models.episodes import Episode, list_episodes, read_episode


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
        format_name: name of a format that can be written, see `ls3.data.registry`.
        paths: episode files, or directories of them.
        facts: facts about the data set.
        out: directory to write, new or empty.

    Raises:
        UserError: there is no such format, it has no use for recordings, a library is missing, or
            `out` is not empty.
        DataError: an episode is damaged or does not fit the domain.
    """
    found = find_format(format_name, "export")
    write = found.export
    assert write is not None
    if facts.recordings and not found.frames:
        raise UserError(
            f"the format {format_name} holds one frame per step",
            do="leave --recordings out, or give --format open_h",
        )
    files = find_episodes(paths)
    if out.exists() and any(out.iterdir()):
        raise UserError("is not empty", where=str(out), do="give another --out")
    for file in files:
        _check(file, read_episode(file), facts)
    with replacing(out) as part:
        part.mkdir()
        write(EpisodeFiles(files), facts, part)
    return len(files)


class EpisodeFiles(Sequence[Episode]):
    """Episodes on disk as a sequence, each of which is read whenever it is asked for."""

    def __init__(self, files: Sequence[Path]) -> None:
        """The episodes in these files."""
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, index: int) -> Episode: ...
    @overload
    def __getitem__(self, index: slice) -> EpisodeFiles: ...
    def __getitem__(self, index: int | slice) -> Episode | EpisodeFiles:
        if isinstance(index, slice):
            return EpisodeFiles(self._files[index])
        return read_episode(self._files[index])

    def __iter__(self) -> Iterator[Episode]:
        return map(read_episode, self._files)


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
        action_unit=spec.action_unit,
        rate=rate,
    )
