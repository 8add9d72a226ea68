"""How a sim_node process begins and ends."""

from __future__ import annotations

import signal
import time

import pytest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_quickly_with_code_0(bench, start, number):
    with start("real_time_factor:=0.5") as child:
        heard = len(bench.images)
        bench.until(lambda: len(bench.images) > heard)
        child.send_signal(number)
        began = time.monotonic()
        assert child.wait(timeout=10) == 0
        assert time.monotonic() - began < 5
        said = child.stderr.read()  # on a busy machine that it does not hold the factor
        assert "Traceback" not in said and "rror" not in said


@pytest.mark.parametrize(
    ("argument", "variables", "text"),
    [
        ("real_time_facter:=2.0", {}, "unknown key 'real_time_facter'"),
        ("real_time_factor:=-1.0", {}, "outside [0.01, 100]"),
        ("camera_rate:=7", {}, "state_rate must be a multiple of camera_rate"),
        ("camera_rate:=10", {"MUJOCO_GL": "nonsense"}, "sudo apt-get install libegl1"),
    ],
)
def test_what_it_cannot_run_with_is_said_without_a_traceback(start, argument, variables, text):
    with start(argument, **variables) as child:
        _, said = child.communicate(timeout=60)
        assert child.returncode == 2
        assert text in said
        assert "Traceback" not in said
