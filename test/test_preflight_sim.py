"""`ros2 run dvrk_cable_env preflight` against the simulation, as an operator rehearses it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from std_srvs.srv import Trigger

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "src/ls3_planner/models/cable_routing"
# a test machine may be busy with other things for a second
PATIENT = "limits.max_state_age:=2.0", "limits.max_clock_skew:=1.0"
SIMULATED = "use_sim_time:=true"


@contextlib.contextmanager
def node(package: str, executable: str, *parameters: str) -> Iterator[None]:
    """One node as its own process, gone when the block ends."""
    given = [word for parameter in parameters for word in ("-p", parameter)]
    child = subprocess.Popen(["ros2", "run", package, executable, "--ros-args", *given])
    try:
        yield
        assert child.poll() is None, f"{executable} died"
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(timeout=15)


@pytest.fixture(scope="module")
def simulation() -> Iterator[None]:
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    with node("ls3_sim", "sim_node"), node("dvrk_cable_env", "segmentation_node"):
        yield


def home() -> None:
    """The operator's `ros2 service call /arm_node/home std_srvs/srv/Trigger`."""
    context = rclpy.Context()
    rclpy.init(context=context)
    try:
        operator = rclpy.create_node("operator", context=context)
        client = operator.create_client(Trigger, "/arm_node/home")
        assert client.wait_for_service(timeout_sec=20.0)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(operator)
        future = client.call_async(Trigger.Request())
        executor.spin_until_future_complete(future, timeout_sec=20.0)
        assert future.result().success
        executor.shutdown()
        operator.destroy_node()
    finally:
        context.try_shutdown()


def preflight(*words: str, timeout: float = 15.0) -> tuple[int, list[str]]:
    """Exit code, and the lines that are not ok, but for what is no part of this rehearsal."""
    given = (SIMULATED, f"timeout:={timeout}", "max_camera_age:=2.0", f"model:={MODEL}")
    command = ["ros2", "run", "dvrk_cable_env", "preflight", "--ros-args"]
    command += [word for parameter in given for word in ("-p", parameter)]
    result = subprocess.run(
        [*command, *words], capture_output=True, text=True, timeout=60, check=False
    )
    lines = result.stdout.splitlines()
    assert len(lines) == 14, result.stderr
    warnings = {line.split()[1] for line in lines if line.startswith("warning")}
    assert warnings == {"parameters", "pedal"}, "no parameter file and no foot in simulation"
    return result.returncode, [line for line in lines if line.startswith("FAILED")]


@pytest.mark.timeout(240)
def test_a_disabled_arm_a_homed_one_and_no_camera(simulation: None) -> None:
    with node("dvrk_cable_env", "arm_node", SIMULATED, *PATIENT):
        code, failed = preflight()
        assert code == 1 and len(failed) == 2, failed
        assert "arm state" in failed[0] and "DISABLED" in failed[0]
        assert "arm pose" in failed[1] and "0, which means invalid" in failed[1]
        home()
        assert preflight() == (0, [])
        code, failed = preflight("-r", "camera/image_raw:=another/camera", timeout=8.0)
        assert code == 1 and len(failed) == 1
        assert "nothing arrives on /another/camera" in failed[0]


def test_an_arm_in_another_frame(simulation: None) -> None:
    parameters = SIMULATED, "auto_enable:=true", "limits.frame:=table", *PATIENT
    with node("dvrk_cable_env", "arm_node", *parameters):
        code, failed = preflight()
    assert code == 1 and any("in frame 'PSM1_base', arm_node expects 'table'" in x for x in failed)
