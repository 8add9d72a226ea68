"""Variations as configuration: file, command line, and what data, runs and results say of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import sliders
import tiny_runs
import yaml

from ls3.cli.cli import main
from ls3.runs import dataset
from ls3.runs.domains import load_domain
from ls3_common.domain import domain_names
from ls3_common.errors import ConfigError
from ls3_common.files import read_json
from ls3_common.parameter_files import parse_values, read_section
from ls3_common.shared import find_shared
from ls3_models import checkpoint
from ls3_models.episodes import VARIATIONS, list_episodes, read_episodes

pytestmark = [pytest.mark.background, pytest.mark.usefixtures("one_thread")]

JITTER = ("environment.start_jitter=2", "environment.obstacle_offset=5")
ON = {"start_jitter": 2.0, "obstacle_offset": 5.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Data by the command, with variations and without: (varied, plain)."""
    varied, plain = (tmp_path_factory.mktemp(name) for name in ("varied", "plain"))
    assert main(["collect", *tiny_runs.options(*JITTER), "--data", str(varied)]) == 0
    assert main(["collect", *tiny_runs.options(), "--data", str(plain)]) == 0
    return varied, plain


def edited(domain: str, path: Path, **values: object) -> Path:
    """The shipped file with another section `environment`."""
    document = yaml.safe_load(find_shared(f"config/{domain}.yaml").read_text())
    document["/**/environment"] = {"ros__parameters": values}
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("name", domain_names())
def test_the_shipped_files_have_the_section_and_can_switch_it_off(name):
    section = read_section(find_shared(f"config/{name}.yaml"), "environment")
    off = [f"environment.{key}={type(value)(0)}" for key, value in section.items()]
    assert off and load_domain(name, overrides=off).variations == {}


def test_file_and_command_line_set_variations_and_the_latter_wins(tmp_path):
    path = edited("cable_routing", tmp_path / "mine.yaml", start_jitter=0.05, camera_shift=3)
    assert load_domain("cable_routing", path).variations == {
        "camera_shift": 3.0,
        "start_jitter": 0.05,
    }
    changed = load_domain("cable_routing", path, ["environment.start_jitter=0.0"])
    assert changed.variations == {"camera_shift": 3.0}


def test_a_file_without_the_section_has_none(tmp_path):
    document = yaml.safe_load(find_shared("config/pushing.yaml").read_text())
    del document["/**/environment"]
    path = tmp_path / "old.yaml"
    path.write_text(yaml.safe_dump(document))
    assert load_domain("pushing", path).variations == {}
    assert load_domain("pushing", path, ["environment.friction=0.2"]).variations


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"goal_offset": 1}, "no variation 'goal_offset'"),
        ({"camera_shift": 100}, r"'camera_shift' is 100.0, outside \[0, 32\]"),
        ({"delay": "late"}, "'delay' must be an integer"),
        ({"light": {"red": 1}}, "no variation 'light.red'"),
    ],
)
def test_the_section_is_checked_in_words(values, text, tmp_path):
    path = edited("navigation", tmp_path / "bad.yaml", **values)
    with pytest.raises(ConfigError, match=text) as caught:
        load_domain("navigation", path)
    assert "section environment" in str(caught.value)
    if "no variation" in text:
        assert "variations: camera_shift, camera_rotation" in str(caught.value)
        assert "start_jitter, obstacle_offset" in str(caught.value)


def test_commas_and_repetition_on_the_command_line():
    assert parse_values(["camera_shift=3,start_jitter=0.05", "occlusion=4"]) == {
        "camera_shift": 3,
        "start_jitter": 0.05,
        "occlusion": 4,
    }
    assert parse_values(["sizes=[1, 2],name=a,b"]) == {"sizes": [1, 2], "name": "a,b"}
    for bad in ("start_jitter", "=3", ""):
        with pytest.raises(ConfigError, match="gives no value"):
            parse_values([bad])


def test_collected_episodes_begin_where_the_section_says(data):
    varied, plain = (read_episodes(directory) for directory in data)
    first = [
        {e.observations[0].tobytes() for e in episodes if e.source == "demonstration"}
        for episodes in (varied, plain)
    ]
    assert len(first[0]) == 2 and len(first[1]) == 1
    assert all(e.succeeded for e in varied if e.source == "demonstration")
    for episode in varied:
        said = episode.attributes[VARIATIONS]
        assert said["on"] == ON and "obstacle_offset" in said["drawn"]
        assert ("start_jitter" in said["drawn"]) == (episode.source == "demonstration")
    assert all(e.attributes[VARIATIONS] == {"on": {}, "drawn": {}} for e in plain)
    assert read_json(data[0] / dataset.MARKER)["variations"] == ON
    assert read_json(data[1] / dataset.MARKER)["variations"] == {}


def test_data_of_another_start_distribution_are_refused_in_words(data, tmp_path, capsys):
    for directory, options in (
        (data[0], tiny_runs.options()),
        (data[1], tiny_runs.options(*JITTER)),
    ):
        for command in ("collect", "train"):
            run = ["--run", str(tmp_path / "run")] if command == "train" else []
            assert main([command, *options, "--data", str(directory), *run]) == 2
            error = capsys.readouterr().err
            assert "collected with" in error and "Traceback" not in error
            assert "start_jitter 2.0, obstacle_offset 5.0" in error and "no variation" in error


def test_a_run_names_its_variations_and_goes_on_with_no_others(data, tmp_path, capsys):
    run = tmp_path / "run"
    varied = ["--data", str(data[0]), "--run", str(run)]
    assert main(["learn", *tiny_runs.options(*JITTER), *varied]) == 0
    assert read_json(run / "run.json")["variations"] == ON
    assert read_json(run / "model" / "manifest.json")["variations"] == ON
    online = read_episodes(run / "online" / "episodes")
    assert all(e.attributes[VARIATIONS]["on"] == ON and "phase" in e.attributes for e in online)
    starts = {e.observations[0].tobytes() for e in online}
    assert len(starts) == len(list_episodes(run / "online" / "episodes")), "online ones vary too"
    assert main(["learn", *tiny_runs.options(*JITTER), *varied]) == 0  # goes on
    capsys.readouterr()
    plain = ["--data", str(data[1]), "--run", str(run)]
    assert main(["learn", *tiny_runs.options(), *plain]) == 2
    error = capsys.readouterr().err
    assert "begun with another" in error
    assert "variations.start_jitter (2.0, now none)" in error
    assert "variations.obstacle_offset (5.0, now none)" in error


def test_older_data_and_runs_had_none(data, tmp_path, capsys):
    old = shutil.copytree(data[1], tmp_path / "data")
    marker = read_json(old / dataset.MARKER)
    del marker["variations"]
    (old / dataset.MARKER).write_text(json.dumps(marker))
    run = tmp_path / "run"
    words = ["train", *tiny_runs.options(), "--data", str(old), "--run", str(run)]
    assert main(words) == 0
    path = run / "checkpoint.safetensors"
    tensors, description = checkpoint.load(path)
    assert description.pop("variations") == {}
    checkpoint.save(path, tensors, description)
    assert main(words) == 0
    assert checkpoint.load(path)[1]["variations"] == {}
    # with the mark gone nobody knows of the data; the run is still one without
    varied = shutil.copytree(old, tmp_path / "unmarked")
    (varied / dataset.MARKER).unlink()
    other = ["train", *tiny_runs.options(*JITTER), "--data", str(varied), "--run", str(run)]
    capsys.readouterr()
    assert main(other) == 2
    assert "begun with another variations.start_jitter (none, now 2.0)" in capsys.readouterr().err
    assert main([*other[:-1], str(tmp_path / "new")]) == 0


def test_a_recording_may_have_any(tmp_path):
    domain = load_domain("navigation", overrides=JITTER)
    dataset.claim(tmp_path / "new", domain, recorded=True)
    dataset.refuse_other_variations(tmp_path / "new", domain)
    dataset.refuse_other_variations(tmp_path / "new", load_domain("navigation"))
    dataset.claim(tmp_path / "old", domain)
    dataset.claim(tmp_path / "old", domain, recorded=True)
    assert read_json(tmp_path / "old" / dataset.MARKER)["variations"] == ON, "collected ones too"


def test_a_damaged_mark_is_refused(tmp_path, capsys):
    (tmp_path / dataset.MARKER).write_text('{"domain": "navigation", "variations": [1]}')
    assert main(["collect", *tiny_runs.options(), "--data", str(tmp_path)]) == 2
    assert "'variations' is no JSON object" in capsys.readouterr().err


def evaluated(words, capsys):
    capsys.readouterr()
    assert main(["evaluate", *words]) == 0
    printed = capsys.readouterr().out
    return json.loads(printed[printed.index("{") :])


def test_evaluate_varies_this_evaluation_only_and_says_so(data, tmp_path, capsys):
    run = tmp_path / "run"
    varied = ["--data", str(data[0]), "--run", str(run)]
    assert main(["train", *tiny_runs.options(*JITTER), *varied]) == 0
    words = ["--model", str(run / "offline_model"), "--episodes", "2"]
    words = [*tiny_runs.options(*JITTER), *words]
    assert evaluated(words, capsys)["variations"] == ON
    more = [*words, "--vary", "camera_shift=3,start_jitter=0", "--vary", "delay=1"]
    figures = evaluated(more, capsys)
    assert figures["variations"] == {"obstacle_offset": 5.0, "camera_shift": 3.0, "delay": 1}
    for bad, text in (
        ("goal_offset=1", "no variation 'goal_offset'"),
        ("camera_shift=40", "outside [0, 32]"),
        ("camera_shift=much", "must be a number"),
    ):
        assert main(["evaluate", *words, "--vary", bad]) == 2
        error = capsys.readouterr().err
        assert text in error and "Traceback" not in error


def test_an_environment_of_ones_own_without_a_dataclass(tmp_path, capsys):
    config = sliders.write_config(tmp_path / "mine.yaml")
    options = ["--domain", sliders.NAME, "--config", str(config)]
    dark = ["--set", "environment.brightness=100"]
    assert main(["collect", *options, *dark, "--data", str(tmp_path / "dark")]) == 0
    episodes = read_episodes(tmp_path / "dark")
    assert max(int(np.max(e.observations)) for e in episodes) == 100
    said = {"on": {"brightness": 100}, "drawn": {}}
    assert all(e.attributes[VARIATIONS] == said for e in episodes)
    assert read_json(tmp_path / "dark" / dataset.MARKER)["variations"] == {"brightness": 100}
    assert main(["collect", *options, "--data", str(tmp_path / "dark")]) == 2
    assert "collected with brightness 100" in capsys.readouterr().err
    bad = ["--set", "environment.colour=1", "--data", str(tmp_path / "other")]
    assert main(["collect", *options, *bad]) == 2
    assert "variations: brightness" in capsys.readouterr().err
