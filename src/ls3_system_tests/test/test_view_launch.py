"""`view:=true`: the page of the whole simulated graph, and of one that a person steers."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from browser import CHROMIUM, Browser
from ros_bench import until

from ls3_common import qos, topics
from ls3_common.shared import find_shared

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
PATIENT = {"limits__max_state_age": 5.0, "limits__max_clock_skew": 1.0, "limits__max_silence": 20.0}


@pytest.fixture
def config(tmp_path: Path, planner_parameters: dict[str, Any]) -> Path:
    """The shipped parameters, with plans that cost next to nothing, and any port."""
    document = yaml.safe_load(find_shared("config/cable_routing.yaml").read_text())
    planner = {name.replace("__", "."): value for name, value in planner_parameters.items()}
    document["/**/planner_node"]["ros__parameters"] = planner
    document["/**/view_node"] = {"ros__parameters": {"port": 0}}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Callable[[Any], Browser]]:
    """Opens the page that a launch says it serves."""
    with Browser(tmp_path / "chromium") as browser:

        def opened(child: Any) -> Browser:
            pattern = r"http://localhost:\d+"
            found = until(lambda: re.search(pattern, child.output) or not child.runs)
            assert found is not True, child.output
            browser.open(found[0])
            return browser

        yield opened


def process_of(name: str, launch: int) -> int:
    """The process of a node that a launch has started."""
    for path in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # it has just ended
            fields = dict(line.split(":", 1) for line in path.read_text().splitlines())
            words = (path.parent / "cmdline").read_text().split("\0")
            if int(fields["PPid"]) == launch and any(word.endswith(f"/{name}") for word in words):
                return int(path.parent.name)
    raise AssertionError(f"no process of {name}")


@pytest.mark.timeout(240)
def test_the_stop_button_disarms_the_arm_of_a_running_graph(
    bench: Any, config: Path, model: Path, tmp_path: Path, page: Callable[[Any], Browser]
) -> None:
    from ls3_interfaces.msg import MotionState

    given = {"config": config, "model": model, "out": tmp_path / "out", "real_time_factor": 4.0}
    words = [f"{name}:={value}" for name, value in given.items()]
    words += ["episodes:=1000", "video:=false", "view:=true"]
    graph = bench.command("ros2", "launch", "ls3_planner", "cable_routing.launch.py", *words)
    browser = page(graph)
    states = bench.collect(MotionState, topics.MOTION_STATE, qos.LATCHED)
    # an episode is under way: the film's title and scale came with the domain's file
    browser.wait_for_text("facts", lambda text: "PLAN" in text and "task" in text, 100)
    assert browser.text("title") == "LS3 cable routing"
    bench.until(lambda: states and states[-1].ready)
    browser.wait_for("!document.getElementById('stop').disabled")
    browser.click("stop")
    answer = browser.wait_for_text("answer", lambda text: "asked" not in text and text)
    assert answer.startswith("Stopped: ")
    assert states[-1].ready is False
    assert states[-1].reason.startswith("stopped by the operator")
    browser.wait_for_text("facts", lambda text: "not ready: stopped by the operator" in text)
    # nothing but ~/arm lets the arm go on, and no page offers that
    assert bench.call("/arm_node/arm").success
    browser.wait_for_text("facts", lambda text: re.search(r"arm\s+ready", text))

    # who watches may go: the graph does not end with view_node
    os.kill(process_of("view_node", graph.process.pid), signal.SIGKILL)
    browser.wait_for_text("banner", lambda text: "NO CONNECTION to view_node" in text)
    heard = len(states)
    bench.until(lambda: len(states) > heard + 4)
    assert graph.runs


@pytest.mark.timeout(240)
def test_a_person_who_records_sees_camera_and_arm(
    bench: Any, config: Path, tmp_path: Path, page: Callable[[Any], Browser]
) -> None:
    bench.start("ls3_sim.sim_node", real_time_factor=2.0)
    bench.start("dvrk_cable_env.arm.arm_node", auto_enable=True, use_sim_time=True, **PATIENT)
    words = [f"out:={tmp_path / 'bag'}", f"config:={config}", "view:=true"]
    browser = page(bench.command("ros2", "launch", "dvrk_cable_env", "record.launch.py", *words))
    browser.wait_for_text("streams", lambda text: re.search(r"camera: \d", text), 100)
    wanted = "ARM READY", "ENABLED, homed", " mm"
    browser.wait_for_text("facts", lambda text: all(word in text for word in wanted), 100)
    assert "plan: none" in browser.text("streams")
    browser.wait_for("document.getElementById('picture').naturalWidth === 1280")
    browser.wait_for_text("nodes", lambda text: "record_monitor" in text)
