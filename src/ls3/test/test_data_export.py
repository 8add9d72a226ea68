"""What is exported is loaded with the library that it is for, and holds the same numbers.

Neither library is among this repository's own: ``pip install 'ls3[export]'``, and lerobot.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ls3.cli.commands import run
from ls3.data import registry
from ls3.data.registry import DataFormat
from ls3_models.episodes import Episode, write_episode

pytestmark = pytest.mark.background

LENGTHS = (3, 5)


@pytest.fixture
def episodes(tmp_path: Path) -> list[Episode]:
    """Two of the cable domain's shape, written to `data`."""
    rng = np.random.default_rng(0)
    found = []
    for index, steps in enumerate(LENGTHS):
        success = np.arange(steps) >= 2
        episode = Episode(
            observations=rng.integers(0, 256, (steps + 1, 64, 64, 1), np.uint8),
            actions=rng.uniform(-0.015, 0.015, (steps, 2)).astype(np.float32),
            rewards=np.where(success, 0.0, -1.0).astype(np.float32),
            constraint=np.arange(steps) == 4,
            success=success,
            source=("demonstration", "constraint")[index],
            seed=(7, -1)[index],
        )
        write_episode(tmp_path / "data", f"episode_{index}", episode)
        found.append(episode)
    return found


def export(kind: str, folder: Path, *words: str) -> int:
    out = str(folder / kind)
    return run(["data", "export", "--format", kind, "--out", out, str(folder / "data"), *words])


def test_minari_reads_it(episodes: list[Episode], tmp_path: Path) -> None:
    minari = pytest.importorskip("minari")
    assert export("minari", tmp_path) == 0
    dataset = minari.MinariDataset(tmp_path / "minari" / "data")
    assert dataset.total_episodes == len(LENGTHS)
    assert dataset.total_steps == sum(LENGTHS)
    assert dataset.spec.dataset_id == "ls3/cable-routing-v0"
    assert dataset.env_spec.id == "LS3/CableRouting-v0"
    assert dataset.observation_space.contains(episodes[0].observations[0])
    assert dataset.action_space.contains(episodes[0].actions[0])
    sources = [m["source"] for m in dataset.storage.get_episode_metadata(range(len(LENGTHS)))]
    assert sources == ["demonstration", "constraint"]
    for found, expected in zip(dataset.iterate_episodes(), episodes, strict=True):
        assert np.array_equal(found.observations, expected.observations)
        assert np.array_equal(found.actions, expected.actions)
        assert np.array_equal(found.rewards, expected.rewards)
        assert np.array_equal(found.infos["success"][1:], expected.success)
        assert np.array_equal(found.infos["constraint"][1:], expected.constraint)
        assert found.truncations.tolist() == [False] * (len(expected) - 1) + [True]
        assert not found.terminations.any()


def test_lerobot_reads_it(episodes: list[Episode], tmp_path: Path) -> None:
    module = pytest.importorskip("lerobot.datasets.lerobot_dataset")
    assert export("lerobot", tmp_path, "--fps", "4") == 0
    dataset = module.LeRobotDataset("ls3/cable_routing", root=tmp_path / "lerobot")
    assert (dataset.num_episodes, dataset.num_frames, dataset.fps) == (2, sum(LENGTHS), 4)
    assert dataset.meta.robot_type == "dvrk"
    assert dataset.meta.episodes["source"] == ["demonstration", "constraint"]
    expected = [(e, t) for e in episodes for t in range(len(e))]
    for index, (episode, step) in enumerate(expected):
        item = dataset[index]
        pixels = (item["observation.image"].numpy() * 255).round()
        assert pixels.shape == (3, 64, 64)
        assert np.array_equal(pixels[0], episode.observations[step, :, :, 0])
        assert np.array_equal(item["action"].numpy(), episode.actions[step])
        assert item["next.reward"].item() == episode.rewards[step]
        assert item["next.success"].item() == episode.success[step]
        assert item["next.constraint"].item() == episode.constraint[step]
        assert item["next.done"].item() == (step == len(episode) - 1)
        assert item["timestamp"].item() == pytest.approx(step / 4)
        assert item["task"] == "cable routing"
    actions = np.concatenate([episode.actions for episode in episodes])
    stats = dataset.meta.stats
    assert stats["action"]["mean"] == pytest.approx(actions.mean(0), abs=1e-6)
    assert stats["action"]["max"] == pytest.approx(actions.max(0), abs=1e-6)
    assert stats["observation.image"]["mean"].shape == (3, 1, 1)
    assert stats["observation.image"]["mean"].ravel() == pytest.approx([0.5] * 3, abs=0.02)
    second = module.LeRobotDataset("ls3/cable_routing", root=tmp_path / "lerobot", episodes=[1])
    assert second[0]["action"].tolist() == episodes[1].actions[0].tolist()
    pairs = {"action": [0.0, 0.25]}  # seconds: this step's action and the next one's
    chunked = module.LeRobotDataset(
        "ls3/cable_routing", root=tmp_path / "lerobot", delta_timestamps=pairs
    )
    assert np.array_equal(chunked[3]["action"].numpy(), episodes[1].actions[:2])


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Minari needed no library: what is refused comes before it is used."""
    minari = importlib.import_module("ls3.data.formats.minari")
    monkeypatch.setattr(minari, "FORMAT", dataclasses.replace(minari.FORMAT, needs=()))


def test_what_is_refused(
    episodes: list[Episode], tmp_path: Path, installed: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def refusal(*words: str) -> str:
        assert export("minari", tmp_path, *words) == 2
        return capsys.readouterr().err

    assert "--fps is 0" in refusal("--fps", "0")
    assert "domain 'navigation' has" in refusal("--domain", "navigation")
    assert not (tmp_path / "minari").exists()
    (tmp_path / "minari").mkdir()
    (tmp_path / "minari" / "notes.txt").write_text("mine")
    assert "is not empty" in refusal()
    (tmp_path / "data" / "episode_2.h5").write_bytes(b"no episode")
    (tmp_path / "minari" / "notes.txt").unlink()
    assert "damaged episode file" in refusal()
    assert not list((tmp_path / "minari").iterdir()), "nothing half written"
    assert run(["data", "export", "--format", "minari", "--out", "x", str(tmp_path / "none")]) == 2


def test_an_export_that_ends_midway_leaves_nothing(
    episodes: list[Episode], tmp_path: Path, installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export_a_part(_episodes: object, _about: object, out: Path) -> None:
        (out / "data").mkdir()
        (out / "data" / "part").write_text("half")
        raise KeyboardInterrupt

    half = DataFormat("half a format", export=export_a_part)
    monkeypatch.setattr("ls3.data.formats.minari.FORMAT", half)
    assert export("minari", tmp_path) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(("kind", "module"), [("minari", "minari"), ("lerobot", "pyarrow")])
def test_a_library_that_is_missing_is_named(
    kind: str,
    module: str,
    episodes: list[Episode],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real: Any = importlib.import_module

    def absent(name: str) -> Any:
        if name == module:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return real(name)

    monkeypatch.setattr(registry.importlib, "import_module", absent)
    assert export(kind, tmp_path) == 2
    error = capsys.readouterr().err
    assert f"the format {kind} needs {module}" in error
    assert "pip install 'ls3[export]'" in error


def test_lerobots_table_of_contents(episodes: list[Episode], tmp_path: Path) -> None:
    """What pyarrow alone can tell."""
    pytest.importorskip("pandas")
    parquet = pytest.importorskip("pyarrow.parquet")
    assert export("lerobot", tmp_path) == 0
    info = json.loads((tmp_path / "lerobot" / "meta" / "info.json").read_text())
    assert info["codebase_version"] == "v3.0"
    assert (info["total_episodes"], info["total_frames"]) == (2, sum(LENGTHS))
    file = tmp_path / "lerobot" / info["data_path"].format(chunk_index=0, file_index=0)
    table = parquet.read_table(file)
    assert set(table.column_names) == set(info["features"])
    assert table["index"].to_pylist() == list(range(sum(LENGTHS)))
