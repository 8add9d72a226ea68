"""Writes episodes as a Minari data set (Farama), which `minari.MinariDataset(DIR/data)` reads.

An episode keeps all T + 1 observations. Success and constraint stand in `infos`. Minari wants one
row of `infos` per observation, so s_0 gets a row of zeros.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from ls3.data.registry import DataFacts, DataFormat
from ls3_models.episodes import Episode
from ls3_sim.registration import find_environment

DATA_FOLDER = "data"
"""Name of the folder with the episodes in Minari's layout."""


def _export(episodes: Sequence[Episode], facts: DataFacts, out: Path) -> None:
    """Write the episodes into `out`, a new and empty directory, one episode at a time."""
    import minari
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    folder = out / DATA_FOLDER
    folder.mkdir()
    storage = MinariStorage.new(
        folder,
        observation_space=gymnasium.spaces.Box(0, 255, facts.observation_shape, np.uint8),
        action_space=gymnasium.spaces.Box(
            np.array(facts.action_low, np.float32), np.array(facts.action_high, np.float32)
        ),
        env_spec=find_environment(facts.environment),
        data_format="hdf5",
        jpeg_encoding=False,  # JPEG would blur the edges of masks
    )
    storage.update_metadata(
        {
            "dataset_id": f"ls3/{facts.domain.replace('_', '-')}-v0",
            "description": facts.description,
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
                terminations=[False] * len(episode),  # an episode ends at T only
                truncations=[False] * (len(episode) - 1) + [True],
                infos={
                    "success": np.append(False, episode.success),
                    "constraint": np.append(False, episode.constraint),
                },
            )

    storage.update_episodes(buffers())
    storage.update_episode_metadata(sources)


FORMAT = DataFormat("Minari data sets with HDF5 files", needs=("minari",), export=_export)
