"""Real node processes on real DDS, and a fake robot that answers them as arm and camera do."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DOMAINS = itertools.cycle(1 + (os.getpid() + i) % 100 for i in range(100))
"""A ROS domain for every test, so that none hears another's stragglers; from 102 on, their ports
are among those that Linux hands out to anyone."""
COST = {"candidates": 16, "particles": 2, "elites": 4, "iterations": 2}
PLANNER: dict[str, Any] = {
    "horizon": 3,
    "delta_safe": 0.0,
    "delta_constraint": 1.0,
    "random_share": 0.3,
    **{
        f"{profile}.{key}": value
        for profile in ("paper", "realtime")
        for key, value in COST.items()
    },
}
"""Small, and feasible whatever an untrained model thinks."""


def until(condition: Callable[[], Any], timeout: float = 100.0) -> Any:
    """Wait for a condition and return its value."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value


class Child:
    """One process under test; its output is kept as it comes."""

    def __init__(self, command: list[str], domain: int, **variables: str) -> None:
        environment = {
            **os.environ,
            "ROS_DOMAIN_ID": str(domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
            **variables,
        }
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            start_new_session=True,  # a group of its own, as a terminal gives
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self._lines.extend(self.process.stdout)

    @property
    def output(self) -> str:
        return "".join(self._lines)

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """What Ctrl-C does: the signal for the whole group."""
        os.killpg(self.process.pid, number)

    def wait(self, timeout: float = 20.0) -> int:
        code = self.process.wait(timeout)
        self._reader.join(5.0)
        return code

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.wait(10)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                self.wait(10)


class Bench:
    """A node that spins in a thread, in a ROS domain of its own, beside processes under test."""

    def __init__(self) -> None:
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.signals import SignalHandlerOptions

        self.domain = next(DOMAINS)
        self.context = rclpy.Context()
        rclpy.init(
            context=self.context,
            domain_id=self.domain,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self.node = rclpy.create_node("bench", context=self.context)
        self.children: list[Child] = []
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while not self._leaving.is_set():
            self._executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        for child in self.children:
            child.stop()
            print(child.output)  # pytest shows it where a test fails
        self._leaving.set()
        self._thread.join(5.0)
        self._executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()

    def start(self, *module: str, **parameters: Any) -> Child:
        """Start one node as a process; ``a__b=1`` sets parameter ``a.b``.

        module: its name, or ``-c`` and code.
        """
        program = module if module[0] == "-c" else ("-m", *module)
        words = [
            word
            for name, value in parameters.items()
            for word in ("-p", f"{name.replace('__', '.')}:={_yaml(value)}")
        ]
        child = Child([sys.executable, *program, "--ros-args", *words], self.domain)
        self.children.append(child)
        return child

    def action_client(self, kind: type, name: str) -> Any:
        """Made by the executor's thread, which would look at one that is still being made."""
        from rclpy.action import ActionClient

        task = self._executor.create_task(lambda: ActionClient(self.node, kind, name))
        until(task.done)
        return task.result()

    def collect(self, kind: type, topic: str, qos: Any = 10) -> list[Any]:
        """Every message of a topic from now on, as they come."""
        received: list[Any] = []
        self.node.create_subscription(kind, topic, received.append, qos)
        return received

    until = staticmethod(until)

    def publisher(self, kind: type, topic: str, qos: Any = 10) -> Any:
        """A publisher, once someone listens."""
        publisher = self.node.create_publisher(kind, topic, qos)
        until(lambda: publisher.get_subscription_count() > 0)
        return publisher

    def now(self) -> Any:
        return self.node.get_clock().now().to_msg()


def _yaml(value: Any) -> str:
    import yaml

    return yaml.safe_dump(value, default_flow_style=True).split("\n")[0]


class FakeRobot:
    """Camera, segmentation, arm and scene in one: a dot that moves by the action.

    Attributes decide what goes wrong. The goal is reached with the `goal_after`-th motion, the
    constraint is violated with the `violation_after`-th.
    """

    def __init__(self, bench: Bench) -> None:
        from sensor_msgs.msg import Image

        from ls3_common import qos, topics
        from ls3_interfaces.msg import ArmCommand, MotionState, Plan, TaskState
        from ls3_interfaces.srv import ResetScene

        self.bench = bench
        self._kinds = ArmCommand, MotionState, TaskState, Image
        self.goal_after, self.violation_after = 10**6, 10**6
        self.refusals = 0  # of the next plans
        self.shows_task_state = self.shows_mask = self.answers = True
        self.ready, self.reset_ok = True, True
        self.motions = 0
        self.seeds: list[int] = []
        self.plans: list[Any] = []
        node = bench.node
        self._commands = node.create_publisher(ArmCommand, topics.ARM_COMMAND, 10)
        self._states = node.create_publisher(MotionState, topics.MOTION_STATE, qos.LATCHED)
        self._tasks = node.create_publisher(TaskState, topics.TASK_STATE, 10)
        self._masks = node.create_publisher(Image, topics.MASK, qos.BEST_EFFORT)
        self._cameras = node.create_publisher(Image, topics.CAMERA_IMAGE, qos.BEST_EFFORT)
        node.create_subscription(Plan, topics.PLAN, self._on_plan, 10)
        node.create_service(ResetScene, topics.RESET_SCENE, self._on_reset)
        node.create_timer(0.03, self._shoot)
        self.publish_state(moving=False)

    def publish_state(self, *, moving: bool, episode: int = 0, step: int = 0) -> None:
        message = self._kinds[1](moving=moving, ready=self.ready, episode=episode, step=step)
        message.reason = "" if self.ready else "the arm is in FAULT"
        message.header.stamp = self.bench.now()
        self._states.publish(message)

    def picture(self) -> Any:
        """The camera frame's mask, as a message."""
        pixels = np.zeros((64, 64), np.uint8)
        pixels[self.motions % 60 :][:4, 20:40] = 255
        image = self._kinds[3](
            height=64, width=64, encoding="mono8", step=64, data=pixels.tobytes()
        )
        image.header.stamp = self.bench.now()
        return image

    def _shoot(self) -> None:
        mask = self.picture()
        colour = np.repeat(np.frombuffer(mask.data, np.uint8), 3).tobytes()
        camera = self._kinds[3](
            header=mask.header, height=64, width=64, encoding="rgb8", step=192, data=colour
        )
        self._cameras.publish(camera)
        if self.shows_task_state:
            task = self._kinds[2](header=mask.header)
            task.success = self.motions >= self.goal_after
            task.constraint = self.motions >= self.violation_after
            self._tasks.publish(task)
        if self.shows_mask:
            self._masks.publish(mask)

    def _on_reset(self, request: Any, response: Any) -> Any:
        self.seeds.append(request.seed)
        self.motions = 0
        response.ok, response.message = self.reset_ok, "" if self.reset_ok else "the cable is gone"
        return response

    def _on_plan(self, plan: Any) -> None:
        self.plans.append(plan)
        if not self.answers:
            return
        command = self._kinds[0](
            episode=plan.episode,
            step=plan.step,
            image_stamp=plan.header.stamp,
            requested=plan.action,
            outcome="sent" if plan.feasible else "held",
        )
        command.header.stamp = self.bench.now()
        if self.refusals:
            self.refusals -= 1
            command.outcome, command.reason = "refused", "image older than the last motion"
        if command.outcome != "sent":
            command.sent = [0.0, 0.0]
            self._commands.publish(command)
            return
        command.sent = [value / 2 for value in plan.action]  # as if clamped
        self._commands.publish(command)
        self.publish_state(moving=True, episode=plan.episode, step=plan.step)
        self.motions += 1
        self.publish_state(moving=False, episode=plan.episode, step=plan.step)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def shared_bench() -> Iterator[Bench]:
    """For nodes that the tests of a module share: a start of PyTorch takes seconds."""
    bench = Bench()
    yield bench
    bench.close()


@pytest.fixture
def robot(bench: Bench) -> FakeRobot:
    return FakeRobot(bench)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model."""
    from ls3_models.bundle import random_bundle, save_bundle

    path = tmp_path_factory.mktemp("model")
    save_bundle(random_bundle(), path, demonstrator_mean_steps=37.0)
    return path


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    return until


@pytest.fixture(scope="session")
def planner_parameters() -> dict[str, Any]:
    return {name.replace(".", "__"): value for name, value in PLANNER.items()}


@pytest.fixture
def domain() -> int:
    """A ROS domain that no other test uses now."""
    return next(DOMAINS)


@pytest.fixture(scope="session")
def child_of() -> Callable[..., Child]:
    return Child


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where a command writes; nothing is there yet."""
    return tmp_path / "out"
