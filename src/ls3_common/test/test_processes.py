"""Real processes: whatever ends the one that started them, none of them is left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from terminal_signals import as_in_a_terminal

from ls3_common import processes
from ls3_common.errors import UserError
from ls3_common.processes import launch, started
from ls3_common.progress import Interrupted

RUN = "echo up >> $0.log; for _ in {1..4000}; do sleep 0.02; done"
"""Ends one day, also where the test itself was killed."""
ORDERLY = f"trap 'sleep 0.1; echo stopped >> $0.log; exit 0' INT; {RUN}"
STUBBORN = f"trap '' INT TERM HUP; {RUN}"
FAMILY = f'setsid bash -c "{STUBBORN}" $0 & bash -c "{STUBBORN}" $0 & '
"""Two that ignore every signal: in a session of its own, and in the group of the first."""


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[str]:
    """Stands as $0 in the command line of each process of a test; all are killed in the end."""
    name = str(tmp_path / "mark")
    yield name
    for process in alive(name):
        os.kill(process, signal.SIGKILL)


def alive(mark: str) -> list[int]:
    """Processes of a test that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark.encode() in words and words[0] != sys.executable.encode():
            found.append(int(path.name))
    return found


def bash(text: str, mark: str) -> list[str]:
    return ["bash", "-c", text, mark]


def log(mark: str) -> list[str]:
    path = Path(f"{mark}.log")
    return path.read_text().split() if path.exists() else []


def until(condition: Callable[[], object], timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_an_orderly_process_is_interrupted_once_and_ends_by_itself(mark: str) -> None:
    with started(bash(ORDERLY, mark)) as child:
        until(lambda: log(mark) == ["up"])
        assert child.alive()
    assert log(mark) == ["up", "stopped"]
    assert child.process.returncode == 0 and not child.alive()


def test_a_process_that_ignores_the_interrupt_is_killed_after_the_bound(mark: str) -> None:
    with started(bash(STUBBORN, mark), patience_s=0.5):
        until(lambda: log(mark) == ["up"])
        begin = time.monotonic()
    assert time.monotonic() - begin >= 0.5
    assert not alive(mark)


def test_all_below_it_end_whatever_their_session(mark: str) -> None:
    with started(bash(FAMILY + ORDERLY, mark), patience_s=4.0) as child:
        until(lambda: log(mark) == ["up"] * 3)
        assert len(alive(mark)) >= 3
    assert child.process.returncode == 0, "it ended in order, and was not killed"
    assert not alive(mark)


def test_what_a_process_leaves_in_its_group_is_ended(mark: str) -> None:
    """As a launch that dies leaves its nodes."""
    with started(bash(f'bash -c "{STUBBORN}" $0 & sleep 0.3; exit 3', mark), patience_s=0.2) as one:
        until(lambda: log(mark) == ["up"] and not one.alive())
        assert alive(mark)
    assert one.process.returncode == 3
    assert not alive(mark)


def test_an_exception_ends_it(mark: str) -> None:
    def fail() -> None:
        with started(bash(FAMILY + STUBBORN, mark), patience_s=0.1):
            until(lambda: len(log(mark)) == 3)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not alive(mark)


def test_a_program_that_does_not_exist_is_named() -> None:
    before = [signal.getsignal(number) for number in processes.STOPPING]
    with pytest.raises(UserError, match="no `ros3` command"):
        launch(["ros3"], os.environ)
    assert before == [signal.getsignal(number) for number in processes.STOPPING]


def test_a_launch_that_ends_by_itself(mark: str) -> None:
    launch(bash("echo $WORD >> $0.log", mark), {**os.environ, "WORD": "ran"})
    assert log(mark) == ["ran"]


def test_a_launch_is_interrupted_when_this_process_is_to_stop(mark: str) -> None:
    command = bash(f"kill -TERM {os.getpid()}; {ORDERLY}", mark)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted):
        launch(command, os.environ)
    assert signal.getsignal(signal.SIGTERM) == before
    assert log(mark)[-1] == "stopped" and not alive(mark)


PARENT = """
import sys
from ls3_common.processes import launch, started
if sys.argv[1] == "launch":
    launch(sys.argv[3:], None, float(sys.argv[2]))
with started(sys.argv[3:], patience_s=float(sys.argv[2])) as child:
    print("begun", flush=True)
    child.wait()
"""


def parent(kind: str, patience: float, command: list[str], **options: object) -> subprocess.Popen:
    words = [sys.executable, "-c", PARENT, kind, str(patience), *command]
    options = {"preexec_fn": as_in_a_terminal, **options}
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, **options)  # type: ignore


@pytest.mark.parametrize("number", processes.STOPPING)
@pytest.mark.parametrize("kind", ["started", "launch"])
def test_a_signal_to_this_process_ends_it_all(mark: str, kind: str, number: signal.Signals) -> None:
    one = parent(kind, 3.0, bash(FAMILY + ORDERLY, mark))
    until(lambda: len(log(mark)) == 3)
    one.send_signal(number)
    _, error = one.communicate(timeout=60)
    assert "stopped" in log(mark), "it was interrupted, and not killed"
    assert not alive(mark)
    if kind == "started" and number != signal.SIGINT:
        assert one.returncode == 128 + number and not error


def test_a_second_signal_does_not_wait(mark: str) -> None:
    one = parent("started", 1000.0, bash(FAMILY + STUBBORN, mark))
    until(lambda: len(log(mark)) == 3)
    one.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert one.poll() is None and alive(mark)
    one.send_signal(signal.SIGTERM)
    assert one.wait(60) == 128 + signal.SIGTERM
    assert not alive(mark)


def test_a_signal_that_is_ignored_stays_ignored(mark: str) -> None:
    """As under nohup."""
    command = bash("sleep 0.5; echo done >> $0.log", mark)

    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    one = parent("launch", 1.0, command, preexec_fn=ignore, stdout=subprocess.PIPE)
    time.sleep(0.2)
    one.send_signal(signal.SIGHUP)
    assert one.stdout is not None and one.stdout.readline() == "begun\n"
    one.wait(60)
    assert log(mark)[0] == "done"


def test_what_a_background_job_starts_can_be_interrupted(mark: str) -> None:
    """A shell without job control has its background jobs ignore SIGINT, and all below them."""

    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    one = parent("started", 60.0, bash(ORDERLY, mark), preexec_fn=ignore)
    until(lambda: log(mark) == ["up"])
    one.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert one.poll() is None, "it still ignores the signal itself"
    one.send_signal(signal.SIGTERM)
    assert one.wait(60) == 128 + signal.SIGTERM
    assert log(mark) == ["up", "stopped"]


def test_at_whatever_moment_the_signal_comes_nothing_is_left(mark: str) -> None:
    chance, begun = random.Random(0), 0
    for _ in range(15):
        one = parent("started", 0.1, bash(STUBBORN, mark), stdout=subprocess.PIPE)
        if chance.random() < 0.7:  # about when it starts the process
            assert one.stdout is not None and (begun := begun + 1) and one.stdout.read(1) in "b"
        else:
            time.sleep(chance.uniform(0.0, 0.3))
        one.send_signal(chance.choice([signal.SIGINT, signal.SIGTERM]))
        one.communicate(timeout=60)
        assert not alive(mark)
    assert begun
