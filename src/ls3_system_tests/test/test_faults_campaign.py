"""A bounded share of the fault campaign, by its own command: real processes on real DDS.

`make faults` runs all of it. Here a test machine may be busy with other things, so that the time
until the arm is held is only looked at, not held to 200 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ls3_common.errors import UserError
from ls3_system_tests.faults import report
from ls3_system_tests.faults.__main__ import check_settings, plan

MODULE = [sys.executable, "-m", "ls3_system_tests.faults"]
SHARE = ["none", "kill_segmentation", "stop_arm", "camera_lost"]
SHARE += ["latent_nan", "plan_outward", "robot_fault", "robot_lost", "deactivated"]
SHARE += ["hangup_arm", "ecm_moved"]
BUSY_MS = 1000.0


@pytest.mark.timeout(240)
def test_a_share_of_the_faults_breaks_nothing_and_is_resumed(
    child_of: Callable[..., Any], domain: int, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    out, work = tmp_path / "faults.json", tmp_path / "work"
    rows = work / "rows.jsonl"
    command = [*MODULE, "--only", *SHARE, "--out", str(out), "--work", str(work)]

    child = child_of(command, domain)
    wait_until(lambda: rows.exists() and len(rows.read_text().splitlines()) >= 2, 120)
    os.kill(child.process.pid, signal.SIGINT)
    assert child.wait(60) == 130, child.output
    kept = rows.read_text()
    assert not json.loads(out.read_text())["complete"]

    child = child_of(command, domain)
    assert child.wait(180) in (0, 1), child.output
    print(child.output)
    assert rows.read_text().startswith(kept), "what was done is not done again"
    document = json.loads(out.read_text())
    found = {row["faults"][0]: row for row in report.read_rows(rows)}
    assert document["complete"] and sorted(found) == sorted(SHARE)
    assert sorted(row["fault"] for row in document["by_fault"]) == sorted(SHARE)
    for name, row in found.items():
        assert (row["violations"], row["hangs"], row["unreadable"]) == ([], [], []), name
        assert row["recovered"], name
        hold = report.hold(row)
        assert hold is None or hold <= BUSY_MS, name
    assert found["none"]["moves"] >= 1, "else no fault could be seen to stop it"
    assert found["robot_fault"]["hold_ms"] > 0, "arm_node told the robot"
    assert document["metrics"]["episodes_read"] >= 1


def test_a_fault_that_does_not_exist_is_named() -> None:
    with pytest.raises(UserError, match=r"(?s)no fault 'kill_everyone'.*kill_arm"):
        plan(argparse.Namespace(only=["kill_everyone"], seed=0))


def test_rows_of_other_settings_are_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "campaign.json"
    check_settings(path, {"seed": 0, "limits": (1.0, 2.0)})
    check_settings(path, {"seed": 0, "limits": (1.0, 2.0)})
    with pytest.raises(UserError, match="another seed"):
        check_settings(path, {"seed": 1, "limits": (1.0, 2.0)})
    with pytest.raises(UserError, match="list of faults"):
        check_settings(path, {"seed": 0, "limits": (1.0, 2.0), "faults": ["kill_arm"]})
