"""LeRobot data sets for the tests: our own exports, and what other people make of theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet
from recorded import Recording, record_episode, simulation

from ls3.cli.commands import run
from ls3.data.lerobot_files import open_files
from ls3.data.lerobot_video import write_videos
from ls3_models.episodes import Episode, write_episode

LENGTHS = (3, 5)
PERIOD = ("--period", "0.45")
NOMINAL = ("--period", "0.2", "--arm", "PSM1")
"""For sets without measured times, whose rows lie closer together than they were recorded."""
KINDS, SEEDS = ("demonstration", "constraint"), (3, 8)


def masks(folder: Path) -> list[Episode]:
    """Two episodes of the cable domain's shape, written to `folder`."""
    rng = np.random.default_rng(0)
    found = []
    for index, steps in enumerate(LENGTHS):
        success = (np.arange(steps) >= steps - 1) & (index == 1)
        episode = Episode(
            observations=rng.integers(0, 2, (steps + 1, 64, 64, 1), np.uint8) * np.uint8(255),
            actions=rng.uniform(-0.015, 0.015, (steps, 2)).astype(np.float32),
            rewards=np.where(success, 0.0, -1.0).astype(np.float32),
            constraint=(np.arange(steps) >= 1) & (index == 0),
            success=success,
            source=("constraint", "demonstration")[index],
            seed=-1,
        )
        write_episode(folder, f"episode_{index}", episode)
        found.append(episode)
    return found


def record(path: Path, steps: int = 4, **settings: Any) -> list[Episode]:
    """A bag with two episodes, of which the operator marks the first as successful."""
    truth = []
    with simulation() as env, Recording(path, **settings) as recording:
        for number, (kind, seed) in enumerate(zip(KINDS, SEEDS, strict=True)):
            recording.mark(f"start {kind}")
            recording.wait(1)
            truth.append(record_episode(recording, env, kind, seed, number, steps))
            recording.wait(1)
            if number == 0:
                recording.mark("success")
            recording.mark("stop")
            recording.wait(2000)
    return truth


def make_lab(folder: Path) -> Path:
    """Make a bag, the data set imported from it, and its export with every recorded frame."""
    record(folder / "bag")
    assert run(["data", "import", str(folder / "bag"), "--out", str(folder / "data")]) == 0
    words = ["--recordings", str(folder / "bag")]
    assert export("open_h", folder / "data", folder / "export", *words) == 0
    return folder


def export(kind: str, data: Path, out: Path, *words: str) -> int:
    return run(["data", "export", "--format", kind, "--out", str(out), str(data), *words])


def edit_info(root: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = root / "meta/info.json"
    info = json.loads(path.read_text())
    change(info)
    path.write_text(json.dumps(info))


def edit_tables(root: Path, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    """Rewrite all tables of a v2.1 data set."""
    for path in sorted(root.glob("data/*/*.parquet")):
        columns = parquet.read_table(path).to_pydict()
        parquet.write_table(pyarrow.table(dict(change(columns))), path)


def as_other_people_do(root: Path) -> None:
    """As Open-H's own conversion writes it: two arms, nested names, nothing of ours."""

    def both(columns: dict[str, Any]) -> Mapping[str, Any]:
        for name in ("observation.state", "action"):
            still = [[0.1, 0.1, 0.1, 0.0, 0.0, 0.0, 1.0]] * len(columns[name])
            columns[name] = [[*a, *b] for a, b in zip(still, columns[name], strict=True)]
        return {k: v for k, v in columns.items() if not k.startswith(("next.", "observation.meta"))}

    edit_tables(root, both)

    def names(info: dict[str, Any]) -> None:
        for name in ("observation.state", "action"):
            own = info["features"][name]["names"]
            info["features"][name]["names"] = [[n.replace("psm1", "psm2") for n in own] + own]
            info["features"][name]["shape"] = [14]
        for name in [n for n in info["features"] if n.startswith(("next.", "observation.meta"))]:
            del info["features"][name]

    edit_info(root, names)
    lines = [json.loads(line) for line in (root / "meta/episodes.jsonl").read_text().splitlines()]
    plain = [{k: v for k, v in line.items() if k != "source"} for line in lines]
    (root / "meta/episodes.jsonl").write_text("\n".join(map(json.dumps, plain)))


def to_v3(root: Path, out: Path) -> None:
    """The data set in the layout of v3.0: one table and one video for all episodes."""
    files = open_files(root)
    (camera,) = [key for key, one in files.features.items() if one["dtype"] == "video"]
    tables = [parquet.read_table(path) for path in sorted(root.glob("data/*/*.parquet"))]
    data, episodes = out / "data/chunk-000/file-000.parquet", out / "meta/episodes/chunk-000"
    for folder in (data.parent, episodes):
        folder.mkdir(parents=True)
    parquet.write_table(pyarrow.concat_tables(tables), data)
    pictures, rows, begin = [], [], 0
    for index, facts in files.episodes.items():
        pictures += list(files.pictures(index, camera, facts["length"]))
        place = {f"videos/{camera}/{kind}_index": 0 for kind in ("chunk", "file")}
        place |= {f"data/{kind}_index": 0 for kind in ("chunk", "file")}
        place[f"videos/{camera}/from_timestamp"] = begin / files.fps
        rows.append({**facts, **place})
        begin += facts["length"]
    parquet.write_table(pyarrow.Table.from_pylist(rows), episodes / "file-000.parquet")
    video = out / f"videos/{camera}/chunk-000/file-000.mp4"
    write_videos(((0, one) for one in pictures), {0: video}, int(files.fps), lossless=True)
    info = dict(files.info)
    info["codebase_version"] = "v3.0"
    info["data_path"] = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
    info["video_path"] = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    (out / "meta/info.json").write_text(json.dumps(info))
