"""Reads the files of a LeRobot data set, format v2.1 or v3.0, with pyarrow and ffmpeg alone.

v2.1 has one table and one video per camera for each episode; v3.0 puts many episodes in one file
and notes where each lies. Videos may have any codec that ffmpeg decodes, AV1 included.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ls3_common.errors import DataError
from ls3_common.files import read_bytes, read_json
from ls3_common.system_errors import refuse_pointer, unreadable

INFO = "meta/info.json"
AGAIN = "copy the data set again"
VERSIONS = ("v2.0", "v2.1", "v3.0")
POINTER_BYTES = 64
"""Bytes of a file in which the mark of a pointer would stand, see `refuse_pointer`."""


@dataclass(frozen=True)
class LeRobotFiles:
    """The files of one data set.

    root: its directory. info: the content of `INFO`. episodes: facts about each episode, by index.
    """

    root: Path
    info: Mapping[str, Any]
    episodes: Mapping[int, Mapping[str, Any]]

    @property
    def features(self) -> Mapping[str, Mapping[str, Any]]:
        """The features by name, with their `dtype`, `shape` and `names`."""
        return dict(self.info["features"])

    @property
    def fps(self) -> float:
        """Rows per second."""
        return float(self.info["fps"])

    def names(self, feature: str) -> list[str]:
        """Return the names of a feature's components; empty if there are none.

        Data sets nest the names in lists and mappings.
        """
        return _flat(self.features.get(feature, {}).get("names"))

    def table(self, index: int) -> Mapping[str, np.ndarray]:
        """Return the columns of an episode without videos, R rows each.

        Raises:
            DataError: the table is missing or damaged.
        """
        from pyarrow import parquet

        path = self._path("data_path", index, "data")
        try:
            found = parquet.read_table(path, filters=[("episode_index", "=", index)])
            columns = {name: _array(found[name]) for name in found.column_names}
        except Exception as error:  # damaged bytes make Arrow raise almost any exception
            raise _damaged(path, error) from None
        if not len(found):
            raise DataError(f"no row of episode {index}", where=str(path))
        return columns

    def pictures(self, index: int, camera: str, count: int) -> Iterator[np.ndarray]:
        """Yield the first `count` frames of a camera's video, uint8 (height, width, 3), RGB.

        Raises:
            DataError: the video is missing, cannot be decoded, or is shorter.
        """
        import imageio_ffmpeg

        path = self._path("video_path", index, f"videos/{camera}", camera)
        begin = float(self.episodes[index].get(f"videos/{camera}/from_timestamp", 0.0))
        seek = ["-ss", f"{max(0.0, begin - 0.5 / self.fps):.6f}"] if begin else []
        number = 0
        try:
            reader = imageio_ffmpeg.read_frames(
                str(path), input_params=seek, output_params=["-frames:v", str(count)]
            )
            width, height = next(reader)["size"]
            for frame in reader:
                number += 1
                yield np.frombuffer(frame, np.uint8).reshape(height, width, 3)
        except (OSError, RuntimeError, StopIteration, ValueError) as error:
            raise _damaged(path, error) from None
        if number < count:
            raise DataError(f"{number} frames for {count} rows", where=str(path))

    def _path(self, key: str, index: int, place: str, camera: str = "") -> Path:
        """The file with an episode's table or video; `place` names its numbers in v3.0."""
        episode = self.episodes[index]
        try:
            size = max(1, int(self.info.get("chunks_size", 1000)))
            name = str(self.info[key]).format(
                episode_chunk=index // size,
                episode_index=index,
                video_key=camera,
                chunk_index=int(episode.get(f"{place}/chunk_index", 0)),
                file_index=int(episode.get(f"{place}/file_index", 0)),
            )
        except (KeyError, IndexError, AttributeError, TypeError, ValueError) as error:
            raise DataError(f"damaged '{key}' ({error})", where=str(self.root / INFO)) from None
        path = self.root / name
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise DataError(f"'{key}' leads out of the data set", where=str(self.root / INFO))
        return _fetched(path)


def open_files(root: Path) -> LeRobotFiles:
    """Open the data set in directory `root`.

    Raises:
        DataError: the metadata are missing, damaged or of an unknown version.
    """
    info = read_json(_fetched(root / INFO), do=AGAIN)
    version = info.get("codebase_version")
    if version not in VERSIONS:
        what = f"LeRobot's format {version}, of which {', '.join(VERSIONS)} are known"
        raise DataError(what, where=str(root / INFO))
    features = info.get("features")
    fps = info.get("fps")
    if not isinstance(features, dict) or not all(isinstance(f, dict) for f in features.values()):
        raise DataError("no 'features'", where=str(root / INFO))
    if not isinstance(fps, (int, float)) or isinstance(fps, bool) or not 0 < fps < 1e4:
        raise DataError(f"'fps' is {fps}", where=str(root / INFO))
    rows = _episodes_v3(root) if version == "v3.0" else _episodes_v2(root)
    try:
        episodes = {int(row["episode_index"]): row for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"damaged list of episodes ({error!r})", where=str(root)) from None
    if not episodes:
        raise DataError("holds no episodes", where=str(root))
    return LeRobotFiles(root, info, dict(sorted(episodes.items())))


def decoded(picture: Any) -> np.ndarray:
    """Return a picture that lies in a table (PNG or JPEG), uint8 (height, width, 3).

    Raises:
        ValueError: it cannot be decoded.
    """
    content = picture["bytes"] if isinstance(picture, Mapping) else picture
    try:
        with Image.open(io.BytesIO(content)) as found:
            return np.asarray(found.convert("RGB"))
    except Exception as error:  # damaged bytes make Pillow raise almost any exception
        raise ValueError(f"a picture that cannot be decoded ({error})") from None


def _episodes_v2(root: Path) -> list[dict[str, Any]]:
    path = _fetched(root / "meta/episodes.jsonl")
    try:
        rows = [json.loads(line) for line in read_bytes(path).splitlines() if line.strip()]
    except ValueError as error:
        raise _damaged(path, error) from None
    return rows


def _episodes_v3(root: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet

    rows: list[dict[str, Any]] = []
    for path in sorted((root / "meta/episodes").glob("*/*.parquet")):
        try:
            table = parquet.read_table(_fetched(path))
            wanted = [name for name in table.column_names if not name.startswith("stats/")]
            rows += table.select(wanted).to_pylist()
        except DataError:
            raise
        except Exception as error:  # damaged bytes make Arrow raise almost any exception
            raise _damaged(path, error) from None
    return rows


def _fetched(path: Path) -> Path:
    """Return `path` if it is a file, and not a pointer to one that was never fetched."""
    try:
        with path.open("rb") as stream:
            refuse_pointer(stream.read(POINTER_BYTES), path)
    except OSError as error:
        raise unreadable(path, error) from None
    return path


def _array(column: Any) -> np.ndarray:
    """A column as an array (R, ...); pictures and texts as objects."""
    values = column.to_pylist()
    if values and isinstance(values[0], (dict, bytes, str)):
        return np.array([*values, None], object)[:-1]
    return np.array(values)


def _flat(names: Any) -> list[str]:
    if isinstance(names, Mapping):
        return [name for value in names.values() for name in _flat(value)]
    if isinstance(names, list):
        return [name for value in names for name in _flat(value)]
    return [] if names is None else [str(names)]


def _damaged(path: Path, error: Exception) -> DataError:
    text = " ".join(str(error).split())[:120] or type(error).__name__
    return DataError(f"cannot be read ({text})", where=str(path), do=AGAIN)
