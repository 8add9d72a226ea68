"""The offline data of one domain, split into episodes to learn from and held-out episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ls3_common.errors import DataError
from ls3_models.episodes import Episode

HELD_OUT_EVERY = 20
"""The first of every so many episodes is kept out of training."""


@dataclass(frozen=True)
class Spec:
    """The sizes of a domain's images and actions.

    Attributes:
        domain: name of the domain.
        observation_shape: (height, width, channel) of uint8 images.
        action_low: least action, in the domain's unit.
        action_high: greatest action, in the domain's unit.
    """

    domain: str
    observation_shape: tuple[int, int, int]
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]

    def check(self, episodes: Sequence[Episode]) -> None:
        """Refuse episodes of another image or action size.

        Raises:
            DataError: an episode's sizes differ; the text names both.
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

    Attributes:
        spec: sizes of images and actions.
        training: the episodes to learn from.
        held_out: every 20th episode, to measure what was learned.
        digest: `data_hash` of the directory with all of the episodes.
    """

    spec: Spec
    training: tuple[Episode, ...]
    held_out: tuple[Episode, ...]
    digest: str

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """All episodes, those to learn from first."""
        return self.training + self.held_out

    @classmethod
    def split(cls, spec: Spec, episodes: Sequence[Episode], digest: str) -> OfflineData:
        """Check all episodes of a data set against `spec`, and hold every 20th out.

        Raises:
            DataError: an episode has other image or action sizes, or there are fewer than two.
        """
        spec.check(episodes)
        if len(episodes) < 2:
            raise DataError(
                f"{len(episodes)} episode: the first of every {HELD_OUT_EVERY} is kept out to "
                "measure what was learned, and none is left to learn from",
                where=f"data of '{spec.domain}'",
                do=f"give more episodes: `ls3 collect --domain {spec.domain}`, or "
                "`ls3 data import`",
            )
        training = tuple(e for i, e in enumerate(episodes) if i % HELD_OUT_EVERY)
        held_out = tuple(e for i, e in enumerate(episodes) if i % HELD_OUT_EVERY == 0)
        return cls(spec, training, held_out, digest)
