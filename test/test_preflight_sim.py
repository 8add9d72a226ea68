"""`ros2 run dvrk_cable_env preflight` against the simulation, as an operator rehearses it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ros_bench import Bench, until

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "src/ls3_planner/models/cable_routing"
# a test machine may be busy with other things for a second
PATIENT = "limits.max_state_age:=2.0", "limits.max_clock_skew:=1.0"
SIMULATED = "use_sim_time:=true"


@contextlib.contextmanager
def node(bench: Bench, package: str, executable: str, *parameters: str) -> Iterator[None]:
    """One node as an operator starts it, gone when the block ends."""
    given = [word for parameter in parameters for word in ("-p", parameter)]
    with bench.command("ros2", "run", package, executable, "--ros-args", *given) as child:
        yield
        assert child.runs, f"{executable} died"


@pytest.fixture(scope="module")
def simulation(shared_bench: Bench) -> Iterator[Bench]:
    """The bench beside a simulated robot and the segmentation of its camera's frames."""
    with (
        node(shared_bench, "ls3_sim", "sim_node"),
        node(shared_bench, "dvrk_cable_env", "segmentation_node"),
    ):
        yield shared_bench


def preflight(bench: Bench, *words: str, timeout: float = 15.0) -> tuple[int, list[str]]:
    """Exit code, and the lines that are not ok, but for what is no part of this rehearsal."""
    given = (SIMULATED, f"timeout:={timeout}", "max_camera_age:=2.0", f"model:={MODEL}")
    command = ["ros2", "run", "dvrk_cable_env", "preflight", "--ros-args"]
    command += [word for parameter in given for word in ("-p", parameter)]
    result = subprocess.run(
        [*command, *words],
        env=bench.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = result.stdout.splitlines()
    assert len(lines) == 17, result.stderr
    warnings = {line.split()[1] for line in lines if line.startswith("warning")}
    assert warnings == {"parameters", "pedal"}, "no parameter file and no foot in simulation"
    return result.returncode, [line for line in lines if line.startswith("FAILED")]


@pytest.mark.timeout(240)
def test_a_disabled_arm_a_homed_one_and_no_camera(simulation: Bench) -> None:
    with node(simulation, "dvrk_cable_env", "arm_node", SIMULATED, *PATIENT):
        code, failed = preflight(simulation)
        assert code == 1 and len(failed) == 2, failed
        assert "arm state" in failed[0] and "DISABLED" in failed[0]
        assert "arm pose" in failed[1] and "0, which means invalid" in failed[1]
        # refused as long as arm_node has not heard from the arm for PATIENT's time
        until(lambda: simulation.call("/arm_node/home").success, 20.0)
        assert preflight(simulation) == (0, [])
        code, failed = preflight(simulation, "-r", "camera/image_raw:=another/camera", timeout=8.0)
        assert code == 1 and len(failed) == 1
        assert "nothing arrives on /another/camera" in failed[0]


def test_an_arm_in_another_frame(simulation: Bench) -> None:
    parameters = SIMULATED, "auto_enable:=true", "limits.frame:=table", *PATIENT
    with node(simulation, "dvrk_cable_env", "arm_node", *parameters):
        code, failed = preflight(simulation)
    assert code == 1 and any("in frame 'PSM1_base', arm_node expects 'table'" in x for x in failed)
