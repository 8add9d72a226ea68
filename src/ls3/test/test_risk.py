"""`ls3 calibrate-risk`: what is shown is true as often as it says, and planners obey it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tiny_runs

from ls3.cli.cli import main
from ls3.runs.domains import load_domain
from ls3.studies.risk import LEVELS, loss, p_value, rollouts_needed
from ls3_common.errors import DataError
from ls3_common.files import read_json, write_json
from ls3_models.bundle import MANIFEST, load_bundle
from ls3_models.episodes import Episode
from ls3_planner.plan import make_planner
from ls3_planner.risk import RISK, in_words, limited

pytestmark = [pytest.mark.background, pytest.mark.usefixtures("one_thread")]

RESAMPLED = 500


def episode(executed, violated):
    """An episode whose actions are 0 where nothing was executed."""
    actions = np.zeros((len(executed), 2), np.float32)
    actions[np.array(executed, bool), 1] = 0.1
    return Episode(
        observations=np.zeros((len(executed) + 1, 64, 64, 1), np.uint8),
        actions=actions,
        rewards=np.zeros(len(executed), np.float32),
        constraint=np.array(violated, bool),
        success=np.zeros(len(executed), bool),
        source="online",
        seed=0,
    )


def test_the_steps_before_a_violation_count_and_holds_do_not():
    # the violation is the outcome of step 4; within 2 steps of it begin steps 3 and 4
    assert loss(episode([1, 1, 1, 1, 1], [0, 0, 0, 0, 1]), 2) == pytest.approx(2 / 5)
    assert loss(episode([1, 1, 1, 0, 1], [0, 0, 0, 0, 1]), 2) == pytest.approx(1 / 4)
    assert loss(episode([0, 0, 0], [0, 0, 1]), 3) == 0
    assert loss(episode([1, 1, 1], [0, 0, 0]), 3) == 0


def test_the_p_value_by_hand():
    # no loss: (1 - share)^n, by Hoeffding's bound
    assert p_value(np.zeros(59), 0.05) == pytest.approx(0.95**59)
    assert p_value(np.full(10, 0.05), 0.05) == 1.0
    assert p_value(np.full(10, 0.2), 0.05) == 1.0
    # one loss of 1 in 100: Hoeffding's bound, as e P(at most 1 of 100) is 0.10
    assert p_value(np.eye(100)[0], 0.05) == pytest.approx(0.0843, abs=1e-4)
    # five of 20: e P(at most 5 of 20) = e 21700 / 2^20, as Hoeffding's bound is 0.073
    assert p_value(np.repeat([1.0, 0.0], [5, 15]), 0.5) == pytest.approx(np.e * 21700 / 2**20)


@pytest.mark.parametrize("kind", ["whole", "parts"])
def test_a_share_that_is_exceeded_is_rarely_shown(kind):
    """Of 500 calibration sets on the edge, at most 5 % may say what is not true."""
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(RESAMPLED):
        losses = rng.random(120) < 0.051
        if kind == "parts":  # a tenth of an episode's steps, in half of the episodes
            losses = rng.beta(0.1, 0.1 * 0.949 / 0.051, 120)
        wrong += p_value(losses.astype(float), 0.05) <= 0.05
    assert wrong <= 0.05 * RESAMPLED


def test_what_is_far_below_the_share_is_shown():
    rng = np.random.default_rng(1)
    shown = [p_value((rng.random(300) < 0.005) * 0.1, 0.05) <= 0.0125 for _ in range(RESAMPLED)]
    assert np.mean(shown) > 0.99


def test_the_least_number_of_rollouts_is_the_least():
    needed = rollouts_needed(0.05, 0.95)
    assert p_value(np.zeros(needed), 0.05) <= 0.05 / len(LEVELS)
    assert p_value(np.zeros(needed - 1), 0.05) > 0.05 / len(LEVELS)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    data = tiny_runs.collect_data(directory / "data")
    run = directory / "run"
    assert main(["train", *tiny_runs.options(), "--data", str(data), "--run", str(run)]) == 0
    return run / "offline_model"


@pytest.fixture
def words(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = [word for text in tiny_runs.SETTINGS for word in ("--set", text)]
    return [
        "calibrate-risk",
        *("--domain", "navigation", "--model", str(model), *settings),
        *("--set", "domain.horizon=8", "--share", "0.5", "--confidence", "0.5", "--rollouts", "3"),
    ]


def test_the_limit_is_written_and_the_planner_obeys_it(words, model, capsys):
    assert main(words) == 0
    assert "at most 50% of executed steps" in capsys.readouterr().out
    bundle = load_bundle(model)
    config = load_domain("navigation", None, tiny_runs.SETTINGS).planner
    assert limited(bundle, config) == config  # nothing had to be lowered
    assert in_words(bundle, config).startswith("risk: at most 50%")

    manifest = read_json(model / MANIFEST)
    manifest[RISK]["delta_constraint"] = 0.03
    write_json(model / MANIFEST, manifest)
    bundle = load_bundle(model)
    assert make_planner(bundle, config).config.delta_constraint == 0.03
    lower = dataclasses.replace(config, delta_constraint=0.01)
    assert make_planner(bundle, lower).config.delta_constraint == 0.01
    # what was shown of other settings says nothing of these
    other = config.as_profile("paper")
    assert make_planner(bundle, other).config.delta_constraint == other.delta_constraint
    assert "calibrated with another" in in_words(bundle, other)
    assert "profile" in in_words(bundle, other)

    manifest[RISK] = {"delta_constraint": 2}
    write_json(model / MANIFEST, manifest)
    with pytest.raises(DataError, match="calibrate-risk"):
        make_planner(load_bundle(model), config)


def test_what_cannot_be_shown_is_refused_in_words(words, capsys):
    assert main([*words, "--rollouts", "2"]) == 2
    assert "give at least 3" in capsys.readouterr().err
    assert main([*words, "--share", "1"]) == 2
    assert "--share" in capsys.readouterr().err
    assert main([*words[:-6], "--domain", "reacher"]) == 2
    assert "domain" in capsys.readouterr().err
