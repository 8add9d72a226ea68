"""Short hashes that name the content of a data set, and those of earlier versions of this code."""

from __future__ import annotations

import hashlib
import sys
from functools import cached_property
from pathlib import Path

import numpy as np

from ls3_models.episodes import list_episodes, read_digest, read_episode

VERSION = "v2:"


class DataHash(str):
    """Hash of a data set; compares as its text, and knows what an earlier version made of it.

    A text that begins with ``v2:`` covers the name of each episode and its `Episode.digest`. The
    hashes before had no such beginning and left out source and success.
    """

    directory: Path

    @cached_property
    def _first(self) -> str:
        """What version 1 made of this data set."""
        digest = hashlib.sha256()
        for path in list_episodes(self.directory):
            episode = read_episode(path)
            digest.update(path.stem.encode())
            arrays = (episode.observations, episode.actions, episode.rewards, episode.constraint)
            for array in arrays:
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]

    def was(self, recorded: object) -> bool:
        """Whether a hash that an earlier version has recorded is of this data set.

        Says on standard error what such a hash does not cover.
        """
        if not isinstance(recorded, str) or ":" in recorded or recorded != self._first:
            return False
        print(
            f"warning: {self.directory}: the data are those of this training as far as an earlier "
            "version has recorded them: that the sources of episodes and their success labels are "
            "the same could not be checked",
            file=sys.stderr,
        )
        return True


def data_hash(directory: str | Path) -> DataHash:
    """Hash of all that learning reads of a data set, its episodes' names included.

    The names are included because their order decides which episodes are held out.

    Raises:
        DataError: an episode cannot be read or is damaged.
    """
    digest = hashlib.sha256()
    for path in list_episodes(directory):
        digest.update(f"{path.stem} {read_digest(path)}\n".encode())
    found = DataHash(VERSION + digest.hexdigest()[:16])
    found.directory = Path(directory)
    return found
