"""The campaign: what it runs and in which order, and what a failure or a kill leaves of it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_runs
import yaml
from ros_bench import until

from ls3.cli.cli import main
from ls3.studies import campaign
from ls3.studies.sweep import Task
from ls3_common.errors import DataError, UserError

pytestmark = pytest.mark.background

HELP = ("--help",)


def run(tasks, directory, commit="abc"):
    runner = campaign.Runner(tasks, [1.0] * len(tasks), directory, commit)
    runner.run(2, lambda: None)
    return runner


def write(path, **document):
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_list_does_shared_work_once_and_in_order():
    tasks, minutes = campaign.read_campaign()
    words = [task.words for task in tasks]
    assert len(set(words)) == len(words) == len(minutes)
    assert all(need < index for index, task in enumerate(tasks) for need in task.after)
    learned = [task for task in tasks if task.words[0] == "learn"]
    for need in (tasks[index] for task in learned for index in task.after):
        assert need.words[0] in ("train", "collect")
    trained = [w for w in words if w[:5] == ("train", "--domain", "pushing", "--seed", "0")]
    assert trained == [("train", "--domain", "pushing", "--seed", "0", "--offline", "shipped")]


def test_checkpoints_come_after_the_run(tmp_path):
    group = {"domains": ["navigation"], "methods": ["no_safe_set"], "seeds": [3]}
    minutes = {"collect": 1, "train": 2, "learn": 3, "evaluate": 4}
    groups = [{**group, "checkpoints": True, "minutes": {"learn": 9}}, {"commands": ["train"]}]
    tasks, expected = campaign.read_campaign(
        write(tmp_path / "list.yaml", minutes=minutes, groups=groups)
    )
    assert expected == [1, 2, 9, 4, 2]
    common = ("--domain", "navigation", "--method", "no_safe_set", "--seed", "3")
    assert tasks[3] == Task(
        "checkpoints of learn runs/navigation/no_safe_set/seed_3",
        ("evaluate", "--checkpoints", *common),
        (2,),
    )
    assert tasks[4].words == ("train",)


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"minutes": {}}, "groups"),
        ({"minutes": {}, "groups": [{"domain": "navigation"}]}, "domain"),
        ({"minutes": {}, "groups": [{"commands": ["measure"]}]}, "measure"),
        (
            {"minutes": {}, "groups": [{"domains": ["x"], "methods": ["ls3"], "seeds": [0]}]},
            "no domain 'x'",
        ),
    ],
)
def test_a_wrong_list_is_refused_before_anything_runs(tmp_path, document, named, capsys):
    file = write(tmp_path / "list.yaml", **document)
    assert main(["campaign", "--file", str(file)]) == 2
    assert named in capsys.readouterr().err


@pytest.mark.parametrize(
    ("commit", "named"), [("12ab+", "files differ from 12ab"), ("", "no source tree")]
)
def test_figures_come_from_a_clean_commit(monkeypatch, commit, named):
    monkeypatch.setattr(campaign, "git_commit", lambda: commit)
    with pytest.raises(UserError, match=named):
        campaign.clean_commit()
    monkeypatch.setattr(campaign, "git_commit", lambda: "12ab")
    assert campaign.clean_commit() == "12ab"


def test_a_failure_stops_what_needs_it_and_nothing_else(tmp_path):
    wrong = ("results", "--runs", str(tmp_path / "nowhere"))
    tasks = [Task("wrong", wrong), Task("after", ("train",), (0,)), Task("fine", HELP)]
    with pytest.raises(UserError, match=r"1 of 3 tasks failed: results .*000_results\.log"):
        run(tasks, tmp_path)
    assert "no run has an episode" in (tmp_path / "logs" / "000_results.log").read_text()
    assert [path.name for path in sorted((tmp_path / "logs").iterdir())] == [
        "000_results.log",
        "002_--help.log",
    ]
    state = json.loads((tmp_path / campaign.STATE).read_text())
    assert state["commit"] == "abc" and list(state["done"]) == ["--help"]


def test_what_is_done_is_not_done_again_and_another_commit_is_refused(tmp_path):
    tasks = [Task("fine", HELP)]
    run(tasks, tmp_path)
    log = tmp_path / "logs" / "000_--help.log"
    log.unlink()
    run(tasks, tmp_path)
    assert not log.exists()
    with pytest.raises(DataError, match="begun at commit abc, and here is def"):
        run(tasks, tmp_path, commit="def")


@pytest.mark.parametrize("done", [None, [], {"a 'b": 1}])
def test_a_damaged_state_is_named(tmp_path, done):
    (tmp_path / campaign.STATE).write_text(json.dumps({"commit": "abc", "done": done}))
    with pytest.raises(DataError, match=r"campaign\.json: this is no state of a campaign"):
        run([Task("fine", HELP)], tmp_path)


PROGRAM = """
import sys
from pathlib import Path
from ls3.studies import campaign
from ls3.studies.sweep import Task

words = sys.argv[1:]
campaign.Runner([Task("learn", tuple(words))], [1.0], Path("runs"), "abc").run(1, lambda: None)
"""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_tasks_end_with_the_campaign_and_go_on_with_it(tmp_path, number):
    data = tiny_runs.collect_data(tmp_path / "data")
    words = [
        "learn",
        *tiny_runs.options("algorithm.updates=3"),
        "--run",
        "run",
        "--data",
        str(data),
    ]
    command = [sys.executable, "-c", PROGRAM, *words]
    episodes = tmp_path / "run" / "online" / "episodes"
    first = subprocess.Popen(command, cwd=tmp_path)
    until(lambda: list(episodes.glob("*.h5")))
    task = int((tmp_path / "run" / ".lock").read_text())
    first.send_signal(number)
    assert first.wait(60) != 0
    until(lambda: not Path(f"/proc/{task}").exists())
    assert not (tmp_path / "runs" / campaign.STATE).exists()
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
    assert os.listdir(tmp_path / "runs") and len(list(episodes.glob("*.h5"))) == 6
