"""Figure 6: `ls3 evaluate --checkpoints` on the policies that runs keep on their way."""

import json

import pytest
import tiny_comparisons
import tiny_runs
from interruptions import KilledError, Signalling, killed

from ls3.cli.cli import main
from ls3.learning import algorithm
from ls3.learning.checkpoints import rates
from ls3_common.files import read_json, read_rows
from ls3_sim import registration

pytestmark = pytest.mark.background


@pytest.fixture(scope="module")
def top(tmp_path_factory):
    """Directory with runs of LS3 (three phases) and of SACfD, whose policies of each episode."""
    top = tmp_path_factory.mktemp("checkpoints")
    data = tiny_runs.collect_data(top / "data")
    config = tiny_comparisons.write_config(top / "navigation.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(top)
        patch.setattr(algorithm, "KEPT_EVERY", 2)
        for method in ("ls3", "sacfd"):
            assert main(tiny_comparisons.words("learn", method, config, data)) == 0
    return top


def words(method, *more):
    given = tiny_comparisons.words("evaluate", method, "navigation.yaml", None)
    return [*given, "--checkpoints", "--episodes", "2", *more]


def rollouts(method):
    return read_rows(f"runs/navigation/{method}/seed_0/online/checkpoints.jsonl", do="")


def test_the_policies_of_phases_and_of_some_episodes_are_evaluated(top, monkeypatch, capsys):
    monkeypatch.chdir(top)
    for method, kept in (("ls3", [0, 1, 2, 3]), ("sacfd", [0, 2])):
        capsys.readouterr()
        assert main([*words(method), "--out", f"{method}.json"]) == 0
        figures = read_json(f"{method}.json")
        assert figures["episodes"] == kept and set(figures["rollouts"]) == {2}
        rows = rollouts(method)
        assert [row["episodes"] for row in rows] == [n for n in kept for _ in range(2)]
        assert len({row["seed"] for row in rows}) == 2
    assert main(["results"]) == 0
    known = read_json("results/training_navigation_sacfd.json")
    assert known["metrics"]["checkpoints"]["0"]["episodes"] == [0, 2]
    assert known["processors"] == [known["machine"]["cpu"]]
    assert main(["results"]) == 0
    assert read_json("results/training_navigation_sacfd.json") == known


def test_killed_between_rollouts_it_goes_on(top, tmp_path, monkeypatch):
    monkeypatch.chdir(top)
    made, path = registration.make_task, "runs/navigation/sacfd/seed_0/online"
    assert main(words("sacfd")) == 0
    whole = rollouts("sacfd")
    (top / path / "checkpoints.jsonl").unlink()

    def killing(domain, *more):
        return Signalling(made(domain, *more), 20, killed)  # in the third rollout

    with monkeypatch.context() as patch:
        patch.setattr(registration, "make_task", killing)
        with pytest.raises(KilledError):
            main(words("sacfd"))
    assert rollouts("sacfd") == whole[:2]
    assert main(words("sacfd")) == 0 and rollouts("sacfd") == whole


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (words("awac"), "no run here: run.json is expected"),
        (words("awac", "--run", "runs/navigation/sacfd/seed_0"), "a run of method 'sacfd'"),
        (words("sacfd", "--model", "x"), "leave --model out"),
        (words("sacfd", "--vary", "start_jitter=1.0"), "leave --vary out"),
        (
            words("sacfd", "--set", "environment.start_jitter=1.0"),
            "this run has no variation",
        ),
        ([*words("sacfd")[:-3], "--run", "x"], "add --checkpoints"),
        ([*words("sacfd")[:-1], "0"], "give at least 1"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(top, monkeypatch, capsys, arguments, named):
    monkeypatch.chdir(top)
    assert main(arguments) == 2
    assert named in capsys.readouterr().err


def test_a_run_of_an_earlier_version_has_kept_none(top, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(top)
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text((top / "runs/navigation/sacfd/seed_0/run.json").read_text())
    assert main(words("sacfd", "--run", str(run))) == 2
    assert "has kept no policy" in capsys.readouterr().err


def test_rates_are_of_each_policy():
    rows = [
        {"episodes": 10, "success": True, "violation": False},
        {"episodes": 0, "success": False, "violation": True},
        {"episodes": 10, "success": False, "violation": False},
    ]
    assert json.loads(json.dumps(rates(rows))) == {
        "episodes": [0, 10],
        "rollouts": [1, 2],
        "success_rate": [0, 0.5],
        "violation_rate": [1, 0],
    }
    assert rates([]) == {}
