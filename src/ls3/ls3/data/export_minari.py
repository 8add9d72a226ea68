"""Episodes as a Minari data set (Farama), which `minari.MinariDataset(DIR/data)` reads.

All of an episode is kept: T + 1 observations, success and constraint in `infos`, which has a row of
zeros for s_0 as Minari counts its infos by observations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from ls3.data.data_export import Exported
from ls3_models.episodes import Episode
from ls3_sim.registration import find_environment

HOLDS = "data"
"""The folder within, by Minari's layout of `<data set>/data`."""


def export(episodes: Iterable[Episode], spaces: Exported, out: Path) -> None:
    """Write them; `out` is new and empty."""
    import minari
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    folder = out / HOLDS
    folder.mkdir()
    storage = MinariStorage.new(
        folder,
        observation_space=gymnasium.spaces.Box(0, 255, spaces.observation_shape, np.uint8),
        action_space=gymnasium.spaces.Box(
            np.array(spaces.action_low, np.float32), np.array(spaces.action_high, np.float32)
        ),
        env_spec=find_environment(spaces.environment),
        data_format="hdf5",
        jpeg_encoding=False,  # masks are not photographs
    )
    storage.update_metadata(
        {
            "dataset_id": f"ls3/{spaces.domain.replace('_', '-')}-v0",
            "description": spaces.description,
            "code_permalink": "",
            "author": {""},
            "author_email": {""},
            "minari_version": minari.__version__,
        }
    )
    sources: list[dict[str, Any]] = []

    def buffers() -> Iterator[EpisodeBuffer]:
        for index, episode in enumerate(episodes):
            sources.append({"source": episode.source})
            yield EpisodeBuffer(
                id=index,
                seed=episode.seed if episode.seed >= 0 else None,
                observations=episode.observations,
                actions=episode.actions,
                rewards=list(episode.rewards),
                terminations=[False] * len(episode),  # nothing but T ends an episode
                truncations=[False] * (len(episode) - 1) + [True],
                infos={
                    "success": np.append(False, episode.success),
                    "constraint": np.append(False, episode.constraint),
                },
            )

    storage.update_episodes(buffers())
    storage.update_episode_metadata(sources)
