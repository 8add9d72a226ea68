"""The `ls3` command itself: how soon it answers, and how it ends."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from ls3.cli.guard import guarded
from ls3_models.agent import NonFiniteLoss

pytestmark = [pytest.mark.background, pytest.mark.timeout(300)]  # two dozen Pythons start

LS3 = ("-m", "ls3.cli.cli")
QUESTIONS = (
    ("--help",),
    ("train", "--help"),
    ("sweep", "--help"),
    ("calibrate-guard", "--help"),
    ("data", "import", "--help"),
    ("--tyro-print-completion", "bash"),
)
# Each takes longer to import than a user waits for a line of help.
SLOW = ("cv2", "gymnasium", "h5py", "matplotlib", "mujoco", "numpy", "ray", "rclpy", "torch")


def test_a_tilde_in_an_option_is_the_home_directory(tmp_path: Path) -> None:
    """No shell replaces a tilde after `=`."""
    result = subprocess.run(
        [sys.executable, *LS3, "data", "inspect", ".", "--config=~/nowhere.yaml"],
        cwd=tmp_path,
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2, result.stderr
    assert str(tmp_path / "nowhere.yaml") in result.stderr


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_help_imports_nothing_slow(question: tuple[str, ...]) -> None:
    script = """
import contextlib, io, sys
from ls3.cli.cli import main

with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as answer:
    main(sys.argv[1:])
print(len(answer.getvalue()), *sys.modules)
"""
    command = [sys.executable, "-c", script, *question]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    length, *modules = result.stdout.split()
    assert int(length) > 200
    assert set(SLOW) & set(modules) == set()


def processor_seconds(*arguments: str) -> float:
    """The least of three runs of Python: other work on this machine only adds to it."""
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(seconds)


def test_help_costs_little_more_than_its_parser() -> None:
    """Half a second on an idle core; with PyTorch imported it was thirty times the parser."""
    assert processor_seconds(*LS3, "--help") < 5 * processor_seconds("-c", "import tyro")


def test_loss_that_is_not_finite_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise NonFiniteLoss("the loss of 'vae' is nan")

    assert guarded(work) == 1
    assert capsys.readouterr().err == (
        "ls3: the loss of 'vae' is nan\n  -> begin a new run with a lower learning rate\n"
    )
