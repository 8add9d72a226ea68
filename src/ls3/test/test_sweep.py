"""Sweeps as Ray tasks: what is run after what, and that a worker may die."""

import json
import os
import signal
import threading

import pytest
import tiny_runs
import torch
from ros_bench import until

from ls3.cli.cli import main
from ls3.studies import sweep
from ls3_common.errors import ConfigError, UserError

pytestmark = pytest.mark.background


def test_data_and_training_are_shared():
    tasks = sweep.SweepPlan(["navigation", "cable_routing"], ["ls3", "no_safe_set"], [0, 1]).tasks()
    assert len(tasks) == 2 * (1 + 2 + 2 * 2)
    names = [task.name for task in tasks]
    assert names[:4] == [
        "collect navigation",
        "train navigation seed 0",
        "train navigation seed 1",
        "learn runs/navigation/ls3/seed_0",
    ]
    assert [task.after for task in tasks[:6]] == [(), (0,), (0,), (1,), (2,), (1,)]
    own, other = tasks[3].words, tasks[5].words
    assert "--offline" not in own and other[-2:] == ("--offline", "runs/navigation/ls3/seed_0")
    assert all(need < index for index, task in enumerate(tasks) for need in task.after)


def test_one_vae_is_that_of_the_first_seed():
    tasks = sweep.SweepPlan(["navigation"], ["ls3"], [3, 4], vae="first").tasks()
    assert "--offline" not in tasks[1].words
    assert tasks[2].words[-2:] == ("--offline", "runs/navigation/ls3/seed_3")
    assert tasks[2].after == (1,)


def test_a_parameter_is_varied_one_value_at_a_time():
    vary = ["planner_node.horizon=1,3", "planner_node.delta_safe=0.5"]
    tasks = sweep.SweepPlan(["navigation"], ["ls3"], [0], vary=vary).tasks()
    assert [task.name.rsplit("/", 2)[1] for task in tasks[2:]] == [
        "ls3",
        "ls3+horizon=1",
        "ls3+horizon=3",
        "ls3+delta_safe=0.5",
    ]
    with pytest.raises(ConfigError, match=r"planner_node\.delta_safe"):
        sweep.SweepPlan(["navigation"], [], [0], vary=["learner.gamma=1,2"]).tasks()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--methods", "ls4"], "no_safe_set"),
        (["--domains", "cabel"], "cable_routing"),
        (["--vary", "planner_node.horizon=99"], r"[1, 50]"),
    ],
)
def test_mistakes_are_found_before_anything_runs(arguments, named, capsys):
    assert main(["sweep", *arguments]) == 2
    assert named in capsys.readouterr().err


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(UserError, match=r"ls3\[sweep\]"):
        sweep.run([], address=None, workers=1, threads=1, retries=0, report=print)


def kill_worker_in(run, killed):
    """Kill the process that works on a run once it has an episode."""
    until(lambda: list(run.glob("online/episodes/*.h5")))
    process = int((run / ".lock").read_text())
    assert process != os.getpid()
    os.kill(process, signal.SIGKILL)
    killed.append(process)


@pytest.mark.timeout(240)  # each worker imports PyTorch, and one does twice
def test_a_dead_workers_run_goes_on(tmp_path, monkeypatch, capfd):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'ls3[sweep]'")
    monkeypatch.chdir(tmp_path)
    words = [word for text in tiny_runs.SETTINGS for word in ("--set", text)]
    words += ["--set", "algorithm.updates=1"]
    runs = tmp_path / "runs" / "navigation"
    victim = runs / tiny_runs.NAME / "seed_0"
    killed: list[int] = []
    killer = threading.Thread(target=kill_worker_in, args=(victim, killed), daemon=True)
    killer.start()
    arguments = ["--domains", "navigation", "--methods", "ls3", "no_safe_set", "--workers", "2"]
    assert main(["sweep", *arguments, *words]) == 0, capfd.readouterr()
    killer.join()
    assert killed and int((victim / ".lock").read_text()) not in (*killed, os.getpid())
    names = {path.parents[1].name for path in runs.glob("*/seed_0/model")}
    assert names == {tiny_runs.NAME, tiny_runs.NAME.replace("ls3", "no_safe_set")}
    shared = runs / tiny_runs.NAME.replace("ls3", "no_safe_set") / "seed_0" / "offline.json"
    assert json.loads(shared.read_text())["stages"] == ["vae", "heads"]

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    alone = ["learn", "--domain", "navigation", *words, "--run", str(tmp_path / "alone")]
    assert main(alone) == 0
    torch.set_num_threads(threads)
    curves = [run / "online" / "curve.jsonl" for run in (victim, tmp_path / "alone")]
    assert curves[0].read_text() == curves[1].read_text()


def test_a_failed_task_is_named(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'ls3[sweep]'")
    monkeypatch.chdir(tmp_path)
    tasks = [
        sweep.Task("wrong", ("results", "--runs", "nowhere")),
        sweep.Task("after it", ("--help",), after=(0,)),
    ]
    lines: list[str] = []
    with pytest.raises(UserError, match="2 of 2 tasks failed: wrong, after it"):
        sweep.run(tasks, address=None, workers=1, threads=1, retries=0, report=lines.append)
    assert len(lines) == 2 and "no run has an episode" in lines[0]
