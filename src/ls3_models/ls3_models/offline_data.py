"""The offline data of one domain as agents get them: most to learn from, some to measure on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ls3_common.errors import DataError
from ls3_models.episodes import Episode

HELD_OUT_EVERY = 20
"""One episode of so many is kept out of training, the first of them."""


@dataclass(frozen=True)
class Spec:
    """What the data look like: set by the domain, checked against every episode.

    observation_shape: (height, width, channel); action_low, action_high: bounds per dimension.
    """

    domain: str
    observation_shape: tuple[int, int, int]
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]

    def check(self, episodes: Sequence[Episode]) -> None:
        """Refuse data of another image or action size.

        Raises:
            DataError: naming both sizes.
        """
        for episode in episodes:
            found = episode.observations.shape[1:], episode.actions.shape[1]
            if found != (self.observation_shape, len(self.action_low)):
                raise DataError(
                    f"an episode has images {found[0]} and {found[1]}-D actions, domain "
                    f"'{self.domain}' has {self.observation_shape} and {len(self.action_low)}-D",
                    do="check that --data belongs to this domain",
                )


@dataclass(frozen=True)
class OfflineData:
    """Episodes of one domain, split in the same way for every agent.

    training: what agents learn from; held_out: every 20th episode, to measure what was learned;
    digest: `data_hash` of the directory that all of them were read from.
    """

    spec: Spec
    training: tuple[Episode, ...]
    held_out: tuple[Episode, ...]
    digest: str

    @classmethod
    def split(cls, spec: Spec, episodes: Sequence[Episode], digest: str) -> OfflineData:
        """Check all episodes of a data set against `spec`, and keep every 20th out.

        Raises:
            DataError: an episode is of another image or action size, or there are too few of them.
        """
        spec.check(episodes)
        if len(episodes) < 2:
            raise DataError(
                f"{len(episodes)} episode: the first of every {HELD_OUT_EVERY} is kept out to "
                "measure what was learned, and none is left to learn from",
                where=f"data of '{spec.domain}'",
                do="give more episodes: `ls3 collect`, or `ls3 data import`",
            )
        training = tuple(e for i, e in enumerate(episodes) if i % HELD_OUT_EVERY)
        held_out = tuple(e for i, e in enumerate(episodes) if i % HELD_OUT_EVERY == 0)
        return cls(spec, training, held_out, digest)
