"""How a sim_node process begins and ends."""

from __future__ import annotations

import signal
import time

import pytest

NODE = "ls3_sim.sim_node"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_quickly_with_code_0(bench, listener, number):
    heard = len(listener.images)
    with bench.start(NODE, real_time_factor=0.5) as child:
        bench.until(lambda: len(listener.images) > heard)
        child.send(number)
        began = time.monotonic()
        assert child.wait(10) == 0
        assert time.monotonic() - began < 5
        # on a busy machine it says that it does not hold the factor
        assert "Traceback" not in child.output and "rror" not in child.output


@pytest.mark.parametrize(
    ("parameters", "variables", "text"),
    [
        ({"real_time_facter": 2.0}, {}, "unknown key 'real_time_facter'"),
        ({"real_time_factor": -1.0}, {}, "outside [0.01, 100]"),
        ({"camera_rate": 7}, {}, "state_rate must be a multiple of camera_rate"),
        ({"camera_rate": 10}, {"MUJOCO_GL": "nonsense"}, "export MUJOCO_GL=egl"),
    ],
)
def test_what_it_cannot_run_with_is_said_without_a_traceback(
    bench, monkeypatch, parameters, variables, text
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with bench.start(NODE, **parameters) as child:
        assert child.wait(60) == 2
    assert text in child.output
    assert "Traceback" not in child.output
