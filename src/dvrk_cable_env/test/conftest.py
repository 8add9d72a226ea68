"""A bench for the nodes: real processes, real DDS, and a small fake CRTK arm to talk to."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ls3_common import transport

sys.path.insert(0, str(Path(__file__).parent))  # lenses

# of arm_node: a test machine may be busy with other things for a second
PATIENT = {
    "motion_timeout": 3.0,
    "limits__max_state_age": 1.5,
    "limits__max_image_age": 20.0,
    # the fake arm is quicker than any
    "limits__max_velocity": 1.0,
    "limits__max_acceleration": 20.0,
}


os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
transport.configure()


class FakeArm:
    """Speaks CRTK on PSM1/*: 100 Hz poses, operating_state latched and on change only.

    A move takes `duration` seconds and jumps at its end. Tests break it through attributes.
    """

    def __init__(self, node: Any, clock: Callable[[], Any]) -> None:
        from geometry_msgs.msg import PoseStamped
        from std_msgs.msg import Empty

        from crtk_msgs.msg import OperatingState, StringStamped
        from ls3_common import qos

        self._types = OperatingState, PoseStamped
        self._clock = clock
        self.position = [0.0, 0.0, -0.1]
        self.state, self.is_homed, self.is_busy = "DISABLED", False, False
        self.duration = 0.05
        self.publishes_poses = self.stamps_are_valid = True
        self.ignores_moves = False
        self.commands: list[str] = []
        self.moves: list[tuple[float, float, float]] = []
        self.move: Any = None  # the newest, whole
        self.holds = 0
        self._arrival: tuple[float, Any] | None = None
        self._states = node.create_publisher(OperatingState, "PSM1/operating_state", qos.LATCHED)
        self._poses = [
            node.create_publisher(PoseStamped, f"PSM1/{name}", qos.RELIABLE)
            for name in ("setpoint_cp", "measured_cp")
        ]
        node.create_subscription(
            StringStamped, "PSM1/state_command", self._on_command, qos.RELIABLE
        )
        node.create_subscription(PoseStamped, "PSM1/move_cp", self._on_move, qos.RELIABLE)
        node.create_subscription(Empty, "PSM1/hold", self._on_hold, qos.RELIABLE)
        node.create_timer(0.01, self._tick)
        self.publish_state()

    def become(self, **fields: Any) -> None:
        for name, value in fields.items():
            setattr(self, name, value)
        self.publish_state()

    def publish_state(self) -> None:
        message = self._types[0](state=self.state, is_homed=self.is_homed, is_busy=self.is_busy)
        message.header.stamp = self._clock()
        self._states.publish(message)

    def _on_command(self, message: Any) -> None:
        self.commands.append(message.string)
        if message.string == "enable":
            self.become(state="ENABLED")
        elif message.string == "home":
            self.become(is_homed=True)

    def _on_move(self, message: Any) -> None:
        self.move, goal = message, message.pose.position
        self.moves.append((goal.x, goal.y, goal.z))
        if not self.ignores_moves:
            self._arrival = (time.monotonic() + self.duration, goal)
            self.become(is_busy=True)

    def _on_hold(self, _message: Any) -> None:
        self.holds += 1
        if self._arrival:
            self._arrival = None
            self.become(is_busy=False)

    def _tick(self) -> None:
        if self._arrival and time.monotonic() >= self._arrival[0]:
            goal, self._arrival = self._arrival[1], None
            self.position[:2] = [goal.x, goal.y]
            self._publish_poses()
            self.become(is_busy=False)
        if self.publishes_poses:
            self._publish_poses()

    def _publish_poses(self) -> None:
        message = self._types[1]()
        message.header.frame_id = "PSM1_base"
        if self.stamps_are_valid:
            message.header.stamp = self._clock()
        place = message.pose.position
        place.x, place.y, place.z = self.position
        message.pose.orientation.x, message.pose.orientation.w = 1.0, 0.0  # tool down
        for publisher in self._poses:
            publisher.publish(message)


def stamp(nanoseconds: int) -> Any:
    """A time of the graph's clock as message."""
    from rclpy.time import Time

    return Time(nanoseconds=nanoseconds).to_msg()


class Bench:
    """A node that spins in its own thread, beside the process under test."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.signals import SignalHandlerOptions

        self.context = rclpy.Context()
        rclpy.init(context=self.context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node("bench", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._stop = threading.Event()
        self._clients: dict[str, Any] = {}
        self.simulated_time: int | None = None  # ns; None: the system's
        self.arm = FakeArm(self.node, lambda: stamp(self.now()))
        self._thread.start()

    def _spin(self) -> None:
        while not self._stop.is_set():
            self._executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5.0)
        self._executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()

    def now(self) -> int:
        """The bench's clock (ns)."""
        if self.simulated_time is not None:
            return self.simulated_time
        return int(self.node.get_clock().now().nanoseconds)

    def collect(self, kind: type, topic: str, qos: Any = 10) -> list[Any]:
        """Every message of a topic from now on, as they come."""
        received: list[Any] = []
        self.node.create_subscription(kind, topic, received.append, qos)
        return received

    @staticmethod
    def until(condition: Callable[[], Any], timeout: float = 60.0) -> Any:
        """Wait for a condition and return its value."""
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.01)
        return value

    def matched(self, endpoint: Any) -> None:
        """Wait until a publisher has a subscriber."""
        self.until(lambda: endpoint.get_subscription_count() > 0)

    def call(self, name: str) -> Any:
        """Call a std_srvs/Trigger service."""
        from std_srvs.srv import Trigger

        client = self._clients.get(name) or self.node.create_client(Trigger, name)
        self._clients[name] = client
        self.until(client.service_is_ready)
        # an answer to a client whom the server has only just met may be lost
        for patience in (10, 10, 60):
            future = client.call_async(Trigger.Request())
            with contextlib.suppress(AssertionError):
                return self.until(lambda future=future: future.done() and future.result(), patience)
        raise AssertionError(f"no answer from {name}")


class Rig:
    """Sends plans to a running arm_node and reads what came of them."""

    def __init__(self, bench: Bench, child: subprocess.Popen[str]) -> None:
        from ls3_common import qos
        from ls3_interfaces.msg import ArmCommand, MotionState, Plan

        self.bench, self.arm, self.child, self.name = bench, bench.arm, child, "/arm_node"
        self.commands = bench.collect(ArmCommand, "arm_command")
        self.states = bench.collect(MotionState, "motion_state", qos.LATCHED)
        self._plan_type = Plan
        self._plans = bench.node.create_publisher(Plan, "plan", 10)
        self.step = self.sent = 0  # newest plan, newest that moved the arm
        bench.matched(self._plans)
        bench.until(lambda: self.states)

    def ready(self) -> Any:
        """The MotionState of an arm that is ready and has ended its last motion, once it is."""
        self.bench.until(
            lambda: (last := self.states[-1]).ready and not last.moving and last.step == self.sent
        )
        return self.states[-1]

    def not_ready(self, text: str) -> None:
        self.bench.until(lambda: not self.states[-1].ready and text in self.states[-1].reason)

    def plan(
        self,
        *action: float,
        image: int | None = None,
        feasible: bool = True,
        patience: float = 15.0,
    ) -> Any:
        """The answer to one plan; its image is of now unless `image` (ns) says otherwise."""
        self.step += 1
        message = self._plan_type(episode=7, step=self.step, feasible=feasible, action=list(action))
        message.header.stamp = stamp(self.bench.now() if image is None else image)
        self._plans.publish(message)
        answer = self.bench.until(lambda: self._answers(7, self.step), patience)[0]
        if answer.outcome in ("sent", "clamped"):
            self.sent = self.step
        assert answer.image_stamp == message.header.stamp
        return answer

    def _answers(self, episode: int, step: int) -> list[Any]:
        return [c for c in self.commands if (c.episode, c.step) == (episode, step)]

    def rearm(self) -> None:
        """Whatever a test did to the arm is undone and the operator arms it again."""
        arm = self.arm
        arm.publishes_poses = arm.stamps_are_valid = True
        arm.ignores_moves, arm.duration = False, 0.05
        arm.become(state="ENABLED", is_homed=True, is_busy=False)
        self.arm_it()
        arm.moves.clear()

    def arm_it(self) -> None:
        """The operator arms, as often as it takes: what the node knows may still be old."""
        self.bench.until(lambda: self.bench.call(f"{self.name}/arm").success)
        self.ready()


@contextlib.contextmanager
def process(module: str, namespace: str = "/", **parameters: Any) -> Iterator[Any]:
    """One node as its own process (a Popen), gone when the block ends."""
    command = [sys.executable, "-m", module, "--ros-args", "-r", f"__ns:={namespace}"]
    for name, value in parameters.items():
        command += ["-p", f"{name.replace('__', '.')}:={json.dumps(value)}"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=10)
        child.kill()  # does nothing to one that has left
        child.wait()


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


@pytest.fixture
def rig_of(bench: Bench) -> Callable[..., Rig]:
    """Makes the Rig of an arm_node that a test started itself."""
    return lambda child: Rig(bench, child)


@pytest.fixture(scope="module")
def running(bench: Bench) -> Iterator[Rig]:
    """One arm_node that the tests of a module share."""
    with process("dvrk_cable_env.arm.arm_node", auto_enable=True, **PATIENT) as child:
        rig = Rig(bench, child)
        rig.ready()
        assert bench.arm.commands == ["enable", "home"]
        yield rig


@pytest.fixture
def rig(running: Rig) -> Iterator[Rig]:
    """The shared arm_node, armed; the arm is where the last test left it."""
    running.rearm()
    yield running
    assert running.child.poll() is None, "arm_node died"


@pytest.fixture(scope="session")
def patient() -> dict[str, float]:
    """Parameters for an arm_node whose limits in time are not under test."""
    return PATIENT


@pytest.fixture(scope="session")
def start() -> Callable[..., Any]:
    return process
