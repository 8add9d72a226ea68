"""Waiting threads spin where they have the cores to themselves, and sleep where they do not."""

from __future__ import annotations

import os

import pytest

import ls3_models

pytestmark = pytest.mark.background


@pytest.mark.parametrize(("load", "spins"), [(0.0, True), (1.9, True), (2.1, False), (9.0, False)])
def test_threads_spin_on_idle_cores_only(
    monkeypatch: pytest.MonkeyPatch, load: float, spins: bool
) -> None:
    monkeypatch.delenv(ls3_models.SPIN, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    ls3_models.let_threads_spin()
    assert (os.environ.pop(ls3_models.SPIN, None) is not None) is spins


def test_what_the_user_says_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ls3_models.SPIN, "7")
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    ls3_models.let_threads_spin()
    assert os.environ[ls3_models.SPIN] == "7"
