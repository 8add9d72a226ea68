"""Writes episodes in LeRobot's format v3.0, which `LeRobotDataset(repo_id, root=DIR)` reads.

The module uses pyarrow and follows the format's documentation (huggingface.co/docs/lerobot,
"LeRobotDataset v3.0"). It does not use lerobot, which pins other versions of torch. Row t has s_t,
a_t, and the reward and labels of s_{t+1}. The last state s_T is left out, because no action
follows it. Images are PNG files within the table, with three channels, as LeRobot's policies
expect. Time stamps are nominal: `fps` steps per second.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ls3.data.data_export import DataFacts
from ls3_common.files import write_json
from ls3_common.images import coloured, newest
from ls3_models.episodes import Episode

VERSION = "v3.0"
IMAGE = "observation.image"
FILE = "chunk-{:03d}/file-{:03d}.parquet"
PLAIN: dict[str, str] = {
    "next.reward": "float32",
    "next.success": "bool",
    "next.constraint": "bool",
    "next.done": "bool",
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}
"""Features that are one number per row, with their types."""
QUANTILES = (0.01, 0.10, 0.50, 0.90, 0.99)


def export(episodes: Iterable[Episode], facts: DataFacts, out: Path) -> None:
    """Write the episodes into `out`, a new and empty directory, one episode at a time."""
    import pandas
    import pyarrow
    from pyarrow import parquet

    data, metadata = (out / part / FILE.format(0, 0) for part in ("data", "meta/episodes"))
    for path in (data, metadata):
        path.parent.mkdir(parents=True)
    features = _features(facts)
    tasks = {"task": [facts.description], "task_index": [0]}
    pandas.DataFrame(tasks).set_index("task").to_parquet(out / "meta/tasks.parquet")
    rows: list[dict[str, Any]] = []
    values: dict[str, list[np.ndarray]] = {key: [] for key in features}
    schema = _schema(pyarrow, len(facts.action_low), features)
    with parquet.ParquetWriter(data, schema) as writer:
        first = 0
        for index, episode in enumerate(episodes):
            columns = dict(_columns(episode, index, first, facts.rate))
            for key, array in columns.items():
                values[key].append(array)
            table = {key: list(array) for key, array in columns.items()}
            frames = coloured(newest(episode.observations[:-1], facts.channels))
            table[IMAGE] = [{"bytes": _png(frame), "path": None} for frame in frames]
            writer.write_table(pyarrow.Table.from_pydict(table, schema=schema))
            rows.append(
                {
                    "episode_index": index,
                    "tasks": [facts.description],
                    "length": len(episode),
                    "dataset_from_index": first,
                    "dataset_to_index": first + len(episode),
                    **{f"{part}/{kind}_index": 0 for part in _PARTS for kind in ("chunk", "file")},
                    "source": episode.source,
                }
            )
            values[IMAGE].append(_sampled_pixels(frames))
            first += len(episode)
    parquet.write_table(pyarrow.Table.from_pylist(rows), metadata)
    write_json(out / "meta/stats.json", {k: _statistics(values[k], k == IMAGE) for k in features})
    info = {
        "codebase_version": VERSION,
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
    write_json(out / "meta/info.json", info)


_PARTS = ("data", "meta/episodes")


def _features(facts: DataFacts) -> dict[str, dict[str, Any]]:
    height, width, _ = facts.observation_shape
    image = {"dtype": "image", "shape": [height, width, 3], "names": ["height", "width", "channel"]}
    count = len(facts.action_low)
    action = {"dtype": "float32", "shape": [count], "names": [f"a{i}" for i in range(count)]}
    plain = {k: {"dtype": kind, "shape": [1], "names": None} for k, kind in PLAIN.items()}
    return {IMAGE: image, "action": action, **plain}


def _schema(pyarrow: Any, actions: int, features: Mapping[str, Any]) -> Any:
    """Return Arrow's types, with the metadata by which `datasets` decodes the images."""
    types = {"float32": pyarrow.float32(), "int64": pyarrow.int64(), "bool": pyarrow.bool_()}
    picture = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    fields = [(IMAGE, picture), ("action", pyarrow.list_(pyarrow.float32(), actions))]
    fields += [(key, types[kind]) for key, kind in PLAIN.items()]
    known: dict[str, Any] = {k: {"dtype": kind, "_type": "Value"} for k, kind in PLAIN.items()}
    known[IMAGE] = {"_type": "Image"}
    number = {"dtype": "float32", "_type": "Value"}
    known["action"] = {"feature": number, "length": actions, "_type": "List"}
    ordered = {"info": {"features": {key: known[key] for key in features}}}
    return pyarrow.schema(fields, metadata={"huggingface": json.dumps(ordered)})


def _columns(
    episode: Episode, index: int, first: int, rate: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every feature but the images: its name and an array of T rows."""
    steps = np.arange(len(episode))
    yield "action", episode.actions
    yield "next.reward", episode.rewards
    yield "next.success", episode.success
    yield "next.constraint", episode.constraint
    yield "next.done", steps == len(episode) - 1
    yield "timestamp", (steps / rate).astype(np.float32)
    yield "frame_index", steps
    yield "episode_index", np.full(len(episode), index)
    yield "index", first + steps
    yield "task_index", np.zeros(len(episode), int)


def _png(frame: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "PNG")
    return stream.getvalue()


def _sampled_pixels(frames: np.ndarray) -> np.ndarray:
    """Return the pixels of about ten of the frames (T, height, width, 3), in [0, 1], (N, 3)."""
    chosen = frames[:: max(1, len(frames) // 10)]
    return chosen.reshape(-1, 3).astype(np.float32) / 255


def _statistics(parts: list[np.ndarray], is_image: bool) -> dict[str, Any]:
    """Return statistics per component; those of images have the shape (3, 1, 1)."""
    rows = np.concatenate(parts).astype(np.float64)
    rows = rows.reshape(len(rows), -1)
    figures = {
        **{name: getattr(rows, name)(0) for name in ("min", "max", "mean", "std")},
        **{f"q{round(100 * q):02d}": np.quantile(rows, q, axis=0) for q in QUANTILES},
    }
    shape = (3, 1, 1) if is_image else (-1,)
    return {k: v.reshape(shape).tolist() for k, v in figures.items()} | {"count": [len(rows)]}
