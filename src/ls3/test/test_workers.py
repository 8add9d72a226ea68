"""Episodes of a phase at once, in processes of their own: as one after the other, and as safe."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_runs
import torch
from ros_bench import until

from ls3.cli.cli import main
from ls3.learning.workers import ATTEMPTS, WorkerPool
from ls3.runs.domains import load_domain
from ls3.runs.methods import METHODS, Method, find_method
from ls3_common.errors import UserError
from ls3_models import checkpoint
from ls3_models.episodes import list_episodes, read_episode
from ls3_models.offline_data import OfflineData

pytestmark = [pytest.mark.background, pytest.mark.usefixtures("one_thread")]

MORE = ("algorithm.trajectories=4",)
PROGRAM = """
import sys, torch
torch.set_num_threads(1)
from ls3.cli.cli import main
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    data = tiny_runs.collect_data(tmp_path_factory.mktemp("data"))
    return ["learn", *tiny_runs.options(*MORE), "--data", str(data), "--seed", "3"]


@pytest.fixture(scope="module")
def whole(words, tmp_path_factory):
    """A run of one process."""
    run = tmp_path_factory.mktemp("whole")
    assert main([*words, "--run", str(run)]) == 0
    return run


def assert_equal(run, other):
    for name in ("checkpoint.safetensors", "online/checkpoint.safetensors"):
        ours, theirs = (checkpoint.load(path / name)[0] for path in (run, other))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name
    curves = [(path / "online" / "curve.jsonl").read_text() for path in (run, other)]
    assert curves[0] == curves[1]
    files = [list_episodes(path / "online" / "episodes") for path in (run, other)]
    for one, two in zip(*files, strict=True):
        first, second = read_episode(one), read_episode(two)
        assert first.digest() == second.digest() and first.seed == second.seed
        assert first.attributes == second.attributes


@pytest.fixture
def begun(words, tmp_path):
    """The process of `ls3 learn --workers 2` with its first episode, and its directory."""
    command = [sys.executable, "-c", PROGRAM, *words, "--run", str(tmp_path), "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    until(lambda: list_episodes(tmp_path / "online" / "episodes"))
    yield process, tmp_path
    process.kill()
    process.communicate()


def children(process):
    """The workers of a process: its children that have its program's arguments no more."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [pid for pid in map(int, listed) if b"spawn_main" in command_of(pid)]


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_they_end_at_the_curve_and_weights_of_one_process(words, whole, tmp_path):
    assert main([*words, "--run", str(tmp_path), "--workers", "3"]) == 0
    assert_equal(tmp_path, whole)
    rows = [json.loads(line) for line in (tmp_path / "online" / "curve.jsonl").open()]
    assert [row["episode"] for row in rows] == list(range(8))


def test_ctrl_c_stops_them_and_one_process_ends_the_run(words, whole, begun):
    """A terminal sends the signal to the workers as well."""
    process, run = begun
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in error, error
    assert main([*words, "--run", str(run)]) == 0
    assert_equal(run, whole)


def test_a_killed_worker_is_replaced(whole, begun):
    process, run = begun
    os.kill(children(process)[0], signal.SIGKILL)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert_equal(run, whole)


def test_they_end_with_a_killed_learner(words, whole, begun):
    process, run = begun
    workers = children(process)
    assert len(workers) == 2
    process.kill()
    process.wait()
    until(lambda: not any(b"spawn_main" in command_of(pid) for pid in workers))
    assert main([*words, "--run", str(run)]) == 0
    assert_equal(run, whole)


def test_workers_that_die_again_and_again_end_the_run(tmp_path):
    domain = load_domain("navigation", overrides=[*tiny_runs.SETTINGS, *MORE])
    with WorkerPool(domain, "ls3", 0, 1) as workers:
        workers.begin(0, Stateless(), {7: 0}, tmp_path)
        for _ in range(ATTEMPTS - 1):
            workers._workers[0].process.kill()
            workers._collect()
            workers._hand_out()
        workers._workers[0].process.kill()
        with pytest.raises(UserError, match="3 workers died in episode 7"):
            workers.wait_for(7, lambda: False)


class Stateless:
    def state(self):
        return {}


def test_what_goes_wrong_in_a_worker_is_told(tmp_path):
    domain = load_domain("navigation", overrides=[*tiny_runs.SETTINGS, *MORE])
    with WorkerPool(domain, "ls3", 0, 1) as workers:
        workers.begin(0, Stateless(), {7: 0}, tmp_path)
        with pytest.raises(RuntimeError, match=r"(?s)episode 7 failed in a worker.*Traceback"):
            workers.wait_for(7, lambda: False)
        kind = find_method("ls3").kind
        nothing = OfflineData(domain.data_spec, (), (), "")
        agent = kind.make(domain.settings(kind.sections), nothing, 0)
        (tmp_path / "file").write_text("no folder")
        workers.begin(1, agent, {8: 0}, tmp_path / "file")
        with pytest.raises(FileExistsError):  # which `ls3` tells as a refusal of the system
            workers.wait_for(8, lambda: False)


def test_numbers_and_methods_that_cannot_be_are_refused(monkeypatch, words, capsys):
    assert main([*words, "--workers", "0"]) == 2
    assert "give at least 1" in capsys.readouterr().err
    monkeypatch.setitem(METHODS, "random", Method("Random", "random_agent:KIND"))
    with pytest.raises(UserError, match="'random' cannot run in other processes"):
        WorkerPool(load_domain("navigation"), "random", 0, 2)
