"""What all LeRobot exports share: the features of rows, their Arrow types, and statistics."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image

from ls3.data.registry import DataFacts
from ls3_common.images import coloured, newest
from ls3_models.episodes import Episode

OUTCOME: dict[str, str] = {
    "next.reward": "float32",
    "next.success": "bool",
    "next.constraint": "bool",
    "next.done": "bool",
}
"""Features of the state that follows a row, one number each, with their types."""
INDEX: dict[str, str] = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}
"""Features that every LeRobot data set has, one number each, with their types."""
QUANTILES = (0.01, 0.10, 0.50, 0.90, 0.99)

Feature = dict[str, Any]


def scalars(kinds: Mapping[str, str]) -> dict[str, Feature]:
    """Return features of one number each, of these types."""
    return {name: {"dtype": kind, "shape": [1], "names": None} for name, kind in kinds.items()}


def vector(names: Iterable[str]) -> Feature:
    """Return a feature of one float32 per name."""
    known = list(names)
    return {"dtype": "float32", "shape": [len(known)], "names": known}


def picture(height: int, width: int, kind: str) -> Feature:
    """Return a feature of pictures, `image` or `video`, with three channels."""
    return {"dtype": kind, "shape": [height, width, 3], "names": ["height", "width", "channel"]}


def step_frames(episode: Episode, facts: DataFacts) -> np.ndarray:
    """Return what the camera showed at s_0 .. s_T, uint8 (T + 1, height, width, 3)."""
    return coloured(newest(episode.observations, facts.channels))


def step_columns(episode: Episode) -> dict[str, np.ndarray]:
    """Return the action and the outcome of every step, T rows."""
    return {
        "action": episode.actions,
        "next.reward": episode.rewards,
        "next.success": episode.success,
        "next.constraint": episode.constraint,
        "next.done": np.arange(len(episode)) == len(episode) - 1,
    }


def index_columns(rows: int, index: int, first: int, rate: int) -> dict[str, np.ndarray]:
    """Return the columns of `INDEX`.

    Args:
        rows: number of rows of the episode.
        index: number of the episode.
        first: number of its first row in the data set.
        rate: nominal number of rows per second.
    """
    count = np.arange(rows)
    return {
        "timestamp": (count / rate).astype(np.float32),
        "frame_index": count,
        "episode_index": np.full(rows, index),
        "index": first + count,
        "task_index": np.zeros(rows, int),
    }


def schema(features: Mapping[str, Feature], list_type: str = "List") -> Any:
    """Return Arrow's types of all features but videos, with the metadata that `datasets` reads.

    list_type: what `datasets` calls a list: `List` from its version 4 on, before that `Sequence`.
    """
    import pyarrow

    types = {
        "float32": pyarrow.float32(),
        "float64": pyarrow.float64(),
        "int64": pyarrow.int64(),
        "bool": pyarrow.bool_(),
        "string": pyarrow.string(),
    }
    fields: list[tuple[str, Any]] = []
    known: dict[str, Any] = {}
    for name, feature in features.items():
        kind, size = feature["dtype"], feature["shape"][0]
        value = {"dtype": kind, "_type": "Value"}
        if kind == "image":
            parts = [("bytes", pyarrow.binary()), ("path", pyarrow.string())]
            fields.append((name, pyarrow.struct(parts)))
            known[name] = {"_type": "Image"}
        elif kind != "video" and feature["shape"] == [1]:
            fields.append((name, types[kind]))
            known[name] = value
        elif kind != "video":
            fields.append((name, pyarrow.list_(types[kind], size)))
            known[name] = {"feature": value, "length": size, "_type": list_type}
    metadata = {"huggingface": json.dumps({"info": {"features": known}})}
    return pyarrow.schema(fields, metadata=metadata)


def table(columns: Mapping[str, Any], types: Any) -> Any:
    """Return columns as an Arrow table with the types of `schema`."""
    import pyarrow

    return pyarrow.Table.from_pydict({key: list(columns[key]) for key in types.names}, types)


def png(frame: np.ndarray) -> bytes:
    """Return a picture, uint8 (height, width, 3), as a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "PNG")
    return stream.getvalue()


def sampled_pixels(frames: Iterable[np.ndarray], count: int) -> np.ndarray:
    """Return pixels of about ten of the `count` frames, in [0, 1], (N, 3)."""
    return np.concatenate(list(_samples(frames, max(1, count // 10))))


def _samples(frames: Iterable[np.ndarray], every: int) -> Iterator[np.ndarray]:
    for number, frame in enumerate(frames):
        if number % every == 0:
            coarse = max(1, len(frame) // 128)
            yield frame[::coarse, ::coarse].reshape(-1, 3).astype(np.float32) / 255


def statistics(
    rows: np.ndarray, *, is_image: bool = False, quantiles: bool = True
) -> dict[str, Any]:
    """Return statistics per component of rows (N, ...), for images in the shape (3, 1, 1)."""
    flat = rows.astype(np.float64).reshape(len(rows), -1)
    figures = {name: getattr(flat, name)(0) for name in ("min", "max", "mean", "std")}
    for share in QUANTILES if quantiles else ():
        figures[f"q{round(100 * share):02d}"] = np.quantile(flat, share, axis=0)
    shape = (3, 1, 1) if is_image else (-1,)
    return {k: v.reshape(shape).tolist() for k, v in figures.items()} | {"count": [len(rows)]}
