"""Environments for the tests, and a bench that talks to a running sim_node over real DDS."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import pytest

import ls3_sim  # noqa: F401 (registers the environments)
from ls3_sim.cable_env import CableEnv

if TYPE_CHECKING:
    from crtk_client import CrtkClient


sys.path.insert(0, str(Path(__file__).parent))  # crtk_client


def pytest_configure() -> None:
    # before rclpy is first imported: DDS reads these once
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


@pytest.fixture(scope="session")
def env() -> Iterator[CableEnv]:
    """One environment for all tests: making its renderer is what takes long."""
    made = gymnasium.make("LS3/CableRouting-v0")
    yield made.unwrapped
    made.close()


@contextlib.contextmanager
def sim_process(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A sim_node with ROS parameters such as ``real_time_factor:=4.0``, gone after the block."""
    given = [word for argument in arguments for word in ("-p", argument)]
    child = subprocess.Popen(
        [sys.executable, "-m", "ls3_sim.sim_node", "--ros-args", *given],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
        try:
            child.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()


@pytest.fixture(scope="session")
def start() -> Callable[..., Any]:
    return sim_process


class Bench:
    """A ROS node that hears all that sim_node says, with the newest messages last."""

    def __init__(self) -> None:
        import rclpy
        from geometry_msgs.msg import PoseStamped
        from rclpy.executors import SingleThreadedExecutor
        from rosgraph_msgs.msg import Clock
        from sensor_msgs.msg import Image, JointState
        from std_msgs.msg import Empty

        from crtk_msgs.msg import OperatingState, StringStamped
        from ls3_common import qos
        from ls3_interfaces.msg import TaskState
        from ls3_interfaces.srv import ResetScene

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("bench", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self.latched, self.state_type = qos.LATCHED, OperatingState
        self.clock = self.hear(Clock, "/clock", qos.BEST_EFFORT)
        self.images = self.hear(Image, "camera/image_raw", 100)
        self.tasks = self.hear(TaskState, "task_state", 100)
        self.states = self.hear(OperatingState, "PSM1/operating_state", self.latched_deep())
        self.measured = self.hear(PoseStamped, "PSM1/measured_cp", 1)
        self.setpoints = self.hear(PoseStamped, "PSM1/setpoint_cp", 1)
        self.joints = self.hear(JointState, "PSM1/measured_js", 1)
        self.pose_type, self.command_type, self.reset_type = PoseStamped, StringStamped, ResetScene
        create = self.node.create_publisher
        self.commands = create(StringStamped, "PSM1/state_command", 10)
        self.moves = create(PoseStamped, "PSM1/move_cp", 10)
        self.servos = create(PoseStamped, "PSM1/servo_cp", 10)
        self.holds = create(Empty, "PSM1/hold", 10)
        self.resets = self.node.create_client(ResetScene, "reset_scene")

    @staticmethod
    def latched_deep() -> Any:
        from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

        return QoSProfile(
            depth=100,
            reliability=ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL,
        )

    def hear(self, kind: type, topic: str, qos: Any) -> list[Any]:
        heard: list[Any] = []
        self.node.create_subscription(kind, topic, heard.append, qos)
        return heard

    def until(self, condition: Callable[[], Any], timeout: float = 60.0) -> Any:
        """Spin until a condition holds and return its value."""
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            assert time.monotonic() < deadline, "waited in vain"
            self._executor.spin_once(timeout_sec=0.05)
        return value

    def matched(self) -> None:
        """Wait until every endpoint has its partner."""
        out = (self.commands, self.moves, self.servos, self.holds)
        self.until(lambda: all(publisher.get_subscription_count() for publisher in out))
        self.until(lambda: self.resets.service_is_ready())
        self.until(lambda: self.states and self.measured and self.images)

    def now(self) -> int:
        """Simulated time (ns)."""
        stamp = self.clock[-1].clock
        return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)

    def wait(self, seconds: float) -> None:
        """Let simulated time pass."""
        end = self.now() + seconds * 1e9
        self.until(lambda: self.now() >= end)

    def reset(self, seed: int = 0) -> Any:
        future = self.resets.call_async(self.reset_type.Request(seed=seed))
        return self.until(lambda: future.done() and future.result())

    def ready(self) -> None:
        """Enable and home the arm; one that is already would tell of it at some later time."""

        def done() -> bool:
            state = self.states[-1]
            moved = self.measured[-1].header.stamp.sec > 0
            return state.state == "ENABLED" and state.is_homed and not state.is_busy and moved

        if not done():
            for command in ("enable", "home"):
                self.commands.publish(self.command_type(string=command))
            self.until(done)

    def pose(self, x: float, y: float, z: float = -0.12, frame: str = "PSM1_base") -> Any:
        message = self.pose_type()
        message.header.frame_id = frame
        place, turn = message.pose.position, message.pose.orientation
        place.x, place.y, place.z = x, y, z
        turn.x, turn.w = 1.0, 0.0
        return message

    def move(self, x: float, y: float) -> int:
        """Move there; the simulated time (ns) at which the arm was no longer busy."""
        before = len(self.states)
        self.moves.publish(self.pose(x, y))
        self.until(lambda: len(self.states) >= before + 2 and not self.states[-1].is_busy)
        stamp = self.states[-1].header.stamp
        return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(bench: Bench) -> Iterator[CrtkClient]:
    """A client of the arm of a sim_node, four times as fast as the wall, as it starts."""
    from crtk_client import CrtkClient

    with sim_process("real_time_factor:=4.0") as child:
        made = CrtkClient(bench)
        bench.matched()
        made.matched()
        yield made
        assert child.poll() is None, "sim_node died"


@pytest.fixture
def psm(client: CrtkClient) -> CrtkClient:
    """The client of an arm that is enabled, homed and at its start."""
    client.bench.until(lambda: not client.bench.states[-1].is_busy)
    if client.bench.states[-1].state == "PAUSED":
        client.command("resume")
    client.command("enable")
    client.command("home")
    client.bench.until(lambda: client.states[-1] == ("ENABLED", True, False))
    assert client.bench.reset().ok
    client.bench.wait(0.1)
    return client
