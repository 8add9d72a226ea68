"""What a growing replay costs in memory."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.background

PROGRAM = """
import torch
from small import SPEC, config, episode
from ls3_models.learner import Learner
from ls3_models.ls3_learning import make_replay
from ls3_models.memory import keep_freed_memory

def used():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024

torch.set_num_threads(1)
keep_freed_memory()
learner = Learner(config(), 1, 2, 0)
one = [episode(0, steps=150)]
make_replay(learner, SPEC, one * 10)
before = used()
make_replay(learner, SPEC, one * 150)
print(used() - before)
"""


def test_memory_grows_by_what_is_kept():
    """Whatever the encoder needs for a moment is used again for the next episode."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 150, f"{done.stdout} MB"
