"""LeRobot's data sets: v2.1 and v3.0 are read, v3.0 is written.

`LeRobotDataset(repo_id, root=DIR)` reads what is written. The module uses pyarrow and follows the
format's documentation (huggingface.co/docs/lerobot, "LeRobotDataset v3.0"). It does not use
lerobot, which pins other versions of torch. Row t has s_t, a_t, and the reward and labels of
s_{t+1}. The last state s_T, which no action follows, stands beside the facts of the episode
(`last_image`, a PNG file in hexadecimal digits). Images are PNG files within the table, with three
channels, as LeRobot's policies expect. Time stamps are nominal: `fps` steps per second.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ls3.data.lerobot_files import INFO
from ls3.data.lerobot_recording import LeRobotRecording
from ls3.data.lerobot_rows import (
    INDEX,
    OUTCOME,
    index_columns,
    picture,
    png,
    sampled_pixels,
    scalars,
    schema,
    statistics,
    step_columns,
    step_frames,
    table,
    vector,
)
from ls3.data.registry import DataFacts, DataFormat, ImportOptions
from ls3_common.files import write_json
from ls3_models.episodes import Episode

IMAGE = "observation.image"
FILE = "chunk-{:03d}/file-{:03d}.parquet"
_PARTS = ("data", "meta/episodes")


def _find(path: Path, _options: ImportOptions) -> Sequence[Path]:
    return [path] if (path / INFO).exists() else []


def _export(episodes: Sequence[Episode], facts: DataFacts, out: Path) -> None:
    """Write the episodes into `out`, a new and empty directory, one episode at a time."""
    import pandas
    import pyarrow
    from pyarrow import parquet

    data, metadata = (out / part / FILE.format(0, 0) for part in _PARTS)
    for path in (data, metadata):
        path.parent.mkdir(parents=True)
    height, width, _ = facts.observation_shape
    features = {
        IMAGE: picture(height, width, "image"),
        "action": vector(f"a{i}" for i in range(len(facts.action_low))),
        **scalars(OUTCOME | INDEX),
    }
    tasks = {"task": [facts.description], "task_index": [0]}
    pandas.DataFrame(tasks).set_index("task").to_parquet(out / "meta/tasks.parquet")
    rows: list[dict[str, Any]] = []
    values: dict[str, list[np.ndarray]] = {key: [] for key in features}
    types = schema(features)
    first = 0
    with parquet.ParquetWriter(data, types) as writer:
        for index, episode in enumerate(episodes):
            steps = len(episode)
            columns = step_columns(episode) | index_columns(steps, index, first, facts.rate)
            for key, array in columns.items():
                values[key].append(array)
            *frames, last = step_frames(episode, facts)
            values[IMAGE].append(sampled_pixels(frames, steps))
            pictures = {IMAGE: [{"bytes": png(frame), "path": None} for frame in frames]}
            writer.write_table(table(pictures | columns, types))
            rows.append(
                {
                    "episode_index": index,
                    "tasks": [facts.description],
                    "length": steps,
                    "dataset_from_index": first,
                    "dataset_to_index": first + steps,
                    **{f"{part}/{kind}_index": 0 for part in _PARTS for kind in ("chunk", "file")},
                    "source": episode.source,
                    "last_image": png(last).hex(),
                }
            )
            first += steps
    parquet.write_table(pyarrow.Table.from_pylist(rows), metadata)
    figures = {k: statistics(np.concatenate(v), is_image=k == IMAGE) for k, v in values.items()}
    write_json(out / "meta/stats.json", figures)
    info = {
        "codebase_version": "v3.0",
        "robot_type": facts.robot,
        "total_episodes": len(rows),
        "total_frames": first,
        "total_tasks": 1,
        "chunks_size": 1000,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": facts.rate,
        "splits": {"train": f"0:{len(rows)}"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": None,
        "features": features,
    }
    write_json(out / INFO, info)


FORMAT = DataFormat(
    "LeRobot data sets, v2.1 (as of Open-H-Embodiment) and v3.0; written as v3.0",
    needs=("pyarrow", "pandas", "imageio_ffmpeg"),
    find=_find,
    open=LeRobotRecording,
    export=_export,
)
