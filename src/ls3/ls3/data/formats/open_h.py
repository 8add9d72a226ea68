"""LeRobot v2.1 by the rules of Open-H-Embodiment, which `LeRobotDataset` of lerobot 0.3.3 reads.

The rules are those of Open-H's guide and of its validator: pictures as videos called
`observation.images.*`, `observation.state` and `action`, outcomes as splits, and a README in
``meta``. With the recordings of the episodes, every recorded frame is a row, with the whole picture
and the arm's poses; without them, a row is a step, with what the networks see. Time stamps are
nominal, as LeRobot demands; `observation.meta.time` has the measured ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ls3.data.lerobot_files import INFO
from ls3.data.lerobot_rows import (
    INDEX,
    OUTCOME,
    Feature,
    index_columns,
    picture,
    png,
    scalars,
    schema,
    statistics,
    step_columns,
    step_frames,
    table,
    vector,
)
from ls3.data.lerobot_video import video_info, write_videos
from ls3.data.open_h_card import card, splits
from ls3.data.recorded_rows import RecordedRows
from ls3.data.registry import DataFacts, DataFormat
from ls3_common.files import write_json, write_rows, write_text
from ls3_models.episodes import Episode

MIN_RATE, MIN_SIDE = 20, 480
"""Least frames per second, and least height and width (px), that Open-H suggests."""
CHUNK = 1000
"""Number of episodes per folder."""
INSTRUCTION = "instruction.text"
"""Feature with the task in words, which Open-H asks for in every row."""
PATHS = {
    "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
    "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
}


class _Rows(Protocol):
    """The rows of a data set: those of its recordings, or one per step."""

    rate: int
    camera: str
    features: dict[str, Feature]

    def columns(self, index: int) -> Mapping[str, np.ndarray]: ...
    def pictures(self) -> Iterator[tuple[int, np.ndarray]]: ...


class _StepRows:
    """One row per step, with the frames that the networks see."""

    def __init__(self, episodes: Sequence[Episode], facts: DataFacts) -> None:
        self._episodes, self._facts = episodes, facts
        self.rate = facts.rate
        self.camera = f"observation.images.{'mask' if facts.channels == 1 else 'camera'}"
        axes = [f"a{i}" for i in range(len(facts.action_low))]
        self.features: dict[str, Feature] = {"action": vector(axes)}
        if facts.action_unit == "m":
            self.features["observation.state"] = vector(f"displacement_{i}" for i in axes)

    def columns(self, index: int) -> Mapping[str, np.ndarray]:
        found = step_columns(self._episodes[index])
        moved = np.cumsum(found["action"], axis=0)
        # where the actions so far lead, from s_0: nothing else of the robot is in an episode
        return found | {"observation.state": moved - found["action"]}

    def pictures(self) -> Iterator[tuple[int, np.ndarray]]:
        for index, episode in enumerate(self._episodes):
            yield from ((index, frame) for frame in step_frames(episode, self._facts)[:-1])


def _export(episodes: Sequence[Episode], facts: DataFacts, out: Path) -> None:
    """Write the episodes into `out`, a new and empty directory; the successful ones come first."""
    files = sorted(range(len(episodes)), key=lambda i: not _successful(episodes[i]))
    ordered = _Ordered(episodes, files)
    recorded = RecordedRows(ordered, facts) if facts.recordings else None
    rows: _Rows = _StepRows(ordered, facts) if recorded is None else recorded
    videos = {i: _place(out, "video_path", i, rows.camera) for i in range(len(ordered))}
    samples, size = write_videos(rows.pictures(), videos, rows.rate, lossless=recorded is None)
    height, width = size
    features = {
        rows.camera: picture(height, width, "video") | {"info": video_info(rows.rate, size)},
        **rows.features,
        INSTRUCTION: {"dtype": "string", "shape": [1], "names": None},
        **scalars(OUTCOME | INDEX),
    }
    lines, figures = [], []
    first = 0
    for index, episode in enumerate(ordered):
        columns = dict(rows.columns(index))
        count = len(columns["action"])
        columns |= index_columns(count, index, first, rows.rate)
        columns[INSTRUCTION] = np.array([facts.description] * count)
        _write_table(out, index, columns, features)
        line = {"episode_index": index, "tasks": [facts.description], "length": count}
        line["source"] = episode.source
        if recorded is None:
            line["last_image"] = png(step_frames(episode, facts)[-1]).hex()
        lines.append(line)
        numeric = [k for k, one in features.items() if one["dtype"] not in ("video", "string")]
        found = {key: statistics(columns[key], quantiles=False) for key in numeric}
        found[rows.camera] = statistics(samples[index], is_image=True, quantiles=False)
        figures.append({"episode_index": index, "stats": found})
        first += count
    good = sum(map(_successful, ordered))
    info = {
        "codebase_version": "v2.1",
        "robot_type": facts.robot,
        "total_episodes": len(lines),
        "total_frames": first,
        "total_tasks": 1,
        "total_videos": len(lines),
        "total_chunks": 1 + (len(lines) - 1) // CHUNK,
        "chunks_size": CHUNK,
        "fps": rows.rate,
        "splits": splits(good, len(lines)),
        **PATHS,
        "features": features,
    }
    write_json(out / INFO, info)
    write_rows(out / "meta/episodes.jsonl", lines)
    write_rows(out / "meta/episodes_stats.jsonl", figures)
    write_rows(out / "meta/tasks.jsonl", [{"task_index": 0, "task": facts.description}])
    write_text(out / "meta/README.md", card(info, facts, recorded))
    _remark(facts, rows, size, recorded)


def _successful(episode: Episode) -> bool:
    return episode.succeeded and not episode.violated


class _Ordered(Sequence[Episode]):
    """Episodes in another order, each of which is read when it is asked for."""

    def __init__(self, episodes: Sequence[Episode], order: Sequence[int]) -> None:
        self._episodes, self._order = episodes, order

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: Any) -> Any:
        return self._episodes[self._order[index]]


def _place(out: Path, kind: str, index: int, camera: str = "") -> Path:
    names = {"episode_chunk": index // CHUNK, "episode_index": index, "video_key": camera}
    path = out / PATHS[kind].format(**names)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _write_table(
    out: Path, index: int, columns: Mapping[str, Any], features: Mapping[str, Feature]
) -> None:
    from pyarrow import parquet

    types = schema(features, "Sequence")
    parquet.write_table(table(columns, types), _place(out, "data_path", index))


def _remark(
    facts: DataFacts, rows: _Rows, size: tuple[int, int], recorded: RecordedRows | None
) -> None:
    """Say where the data set falls short of what Open-H suggests."""
    if recorded is None:
        facts.report(
            "one frame per step, as the networks see it: give --recordings for every recorded frame"
        )
    if rows.rate < MIN_RATE:
        facts.report(f"{rows.rate} frames per second; Open-H suggests {MIN_RATE} or more")
    if min(size) < MIN_SIDE:
        facts.report(f"pictures of {size[1]}x{size[0]} px; Open-H suggests {MIN_SIDE} or more")
    if "observation.state" not in rows.features:
        facts.report("no observation.state, which Open-H demands: the domain moves no tip")
    if recorded and recorded.drift > 1 / rows.rate:
        facts.report(
            f"frames lie up to {recorded.drift:.3g} s off the nominal clock of {rows.rate} per "
            "second: frames were lost or came late; observation.meta.time has the measured times"
        )


FORMAT = DataFormat(
    "LeRobot v2.1 by the rules of Open-H-Embodiment, with the frames of --recordings",
    needs=("pyarrow", "imageio_ffmpeg"),
    frames=True,
    export=_export,
)
