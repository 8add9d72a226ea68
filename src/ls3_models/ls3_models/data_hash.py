"""Short hashes of a data set's content, by this version of the program and by version 1."""

from __future__ import annotations

import hashlib
import sys
from functools import cached_property
from pathlib import Path

import numpy as np

from ls3_models.episodes import list_episodes, read_digest, read_episode

VERSION = "v2:"


class DataHash(str):
    """The hash of a data set, which can also be compared with a hash by version 1.

    The text begins with ``v2:`` and covers each episode's name and `Episode.digest`. Hashes by
    version 1 have no such prefix, and do not cover source and success.
    """

    directory: Path

    @cached_property
    def _version_1(self) -> str:
        """The hash of this data set by version 1."""
        digest = hashlib.sha256()
        for path in list_episodes(self.directory):
            episode = read_episode(path)
            digest.update(path.stem.encode())
            arrays = (episode.observations, episode.actions, episode.rewards, episode.constraint)
            for array in arrays:
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]

    def equals_version_1(self, recorded: object) -> bool:
        """Return whether `recorded` is the hash of this data set by version 1.

        If so, a warning on standard error says what such a hash does not cover.
        """
        if not isinstance(recorded, str) or ":" in recorded or recorded != self._version_1:
            return False
        print(
            f"warning: {self.directory}: an earlier version recorded a hash of the data that does "
            "not cover the episodes' sources and success labels. Everything else is unchanged; "
            "these two could not be checked",
            file=sys.stderr,
        )
        return True


def data_hash(directory: str | Path) -> DataHash:
    """Compute the hash of all that learning uses of a data set, the episodes' names included.

    The order of the names decides which episodes are held out.

    Raises:
        DataError: an episode cannot be read or is damaged.
    """
    digest = hashlib.sha256()
    for path in list_episodes(directory):
        digest.update(f"{path.stem} {read_digest(path)}\n".encode())
    found = DataHash(VERSION + digest.hexdigest()[:16])
    found.directory = Path(directory)
    return found
