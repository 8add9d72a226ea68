"""A domain of one's own takes a file and an environment: three actions, grey, another T."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium
import pytest
import sliders
import yaml

from ls3.cli.cli import main
from ls3.runs.domains import load_domain
from ls3_common.errors import ConfigError
from ls3_common.files import read_json
from ls3_models.bundle import load_bundle
from ls3_models.episodes import list_episodes, read_episode, read_episodes
from ls3_sim.registration import make_environment

pytestmark = [pytest.mark.background, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sliders.write_config(tmp_path_factory.mktemp("config") / "mine.yaml")


@pytest.fixture(scope="module")
def data(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("data")
    assert main(["collect", *words(config), "--data", str(directory)]) == 0
    return directory


def words(config: Path) -> list[str]:
    return ["--domain", sliders.NAME, "--config", str(config)]


def test_collect(data: Path) -> None:
    episodes = read_episodes(data)
    assert {e.source for e in episodes} == {"demonstration", "random", "constraint"}
    assert {e.observations.shape for e in episodes} == {(sliders.T + 1, 64, 64, 2)}
    assert {e.actions.shape for e in episodes} == {(sliders.T, 3)}


def test_learn_and_evaluate(
    config: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(["learn", *words(config), "--data", str(data), "--run", str(run)]) == 0
    model = load_bundle(run / "model")
    assert (model.observation_shape, model.frame_channels) == ((64, 64, 2), 1)
    assert model.action_high == pytest.approx((0.3, 0.2, 0.1))
    (online,) = list_episodes(run / "online" / "episodes")
    assert read_episode(online).actions.shape == (sliders.T, 3)
    assert read_json(run / "run.json")["domain_spec"]["action_unit"] == "of the slider's length"
    evaluate = ["evaluate", *words(config), "--model", str(run / "model"), "--episodes", "1"]
    capsys.readouterr()
    film = tmp_path / "films" / "evaluated.mp4"
    assert main([*evaluate, "--video", str(film)]) == 0
    assert film.stat().st_size > 1000
    printed = capsys.readouterr().out
    assert json.loads(printed[printed.index("{") :])["episodes"] == 1
    assert main([*evaluate, "--vary", "brightness=100"]) == 0
    assert main([*evaluate, "--vary", "colour=100"]) == 2
    error = capsys.readouterr().err
    assert "no variation 'colour'" in error and "variations: brightness" in error
    # what the model was not trained for is refused, not clipped
    assert main([*evaluate, "--set", "domain.action_high=[0.5, 0.2, 0.1]"]) == 2
    assert "the model of 'sliders' has action_high" in capsys.readouterr().err


def test_look_at_the_data(
    config: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheet.png"
    assert main(["data", "inspect", *words(config), "--sheet", str(sheet), str(data)]) == 0
    shown = capsys.readouterr().out
    assert "action 2, from -0.1 to 0.1 (of the slider's length)" in shown
    assert "violate (end_stop or collision)" in shown and sheet.exists()


def test_export(config: Path, data: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    out = str(tmp_path / "lerobot")
    export = ["data", "export", *words(config), "--format", "lerobot", "--out", out, str(data)]
    assert main(export) == 0
    features = read_json(tmp_path / "lerobot" / "meta" / "info.json")["features"]
    assert features["action"]["shape"] == [3]


def test_images_that_the_networks_do_not_take_are_refused_before_training(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = [*words(config), "--set", "domain.image_size=32", "--data", str(tmp_path / "data")]
    assert main(["collect", *small]) == 0
    assert main(["train", *small, "--run", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert "domain: images of 32 x 32, the networks take 64 x 64" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("section", "key", "text"),
    [
        ("learner", "frame_stack", "'frame_stack' stands twice"),
        ("algorithm", "horizon", "leave it out here: it is domain.horizon under /**"),
        ("algorithm", "environment", "domain.environment under /**"),
    ],
)
def test_a_fact_that_a_section_repeats_is_named(
    config: Path, tmp_path: Path, section: str, key: str, text: str
) -> None:
    document = yaml.safe_load(config.read_text())
    document[f"/**/{section}"]["ros__parameters"][key] = 1
    path = tmp_path / "old.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigError) as caught:
        load_domain(sliders.NAME, path)
    assert text in str(caught.value) and f"section {section}" in str(caught.value)


class Deaf(sliders.Sliders):
    """Does not take the facts from the domain: it has its own."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(load_domain("navigation").spec, render_mode)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, r"observations of shape \(64, 64, 3\), the domain \(64, 64, 2\)"),
        ({"frames": 3}, r"actions from \(-3.0, -3.0\), the domain \(-0.2"),
    ],
)
def test_an_environment_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, int], text: str
) -> None:
    name = "LS3Test/Deaf-v0"
    path = sliders.write_config(tmp_path / "mine.yaml", environment=name, **changes)
    gymnasium.register(name, entry_point=Deaf)
    try:
        with pytest.raises(ConfigError, match=text):
            make_environment(load_domain(sliders.NAME, path).spec)
    finally:
        del gymnasium.registry[name]
