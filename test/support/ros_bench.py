"""A bench for nodes: real processes on real DDS, beside a node of the test's own."""

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
from typing import Any
from unittest import mock

from terminal_signals import as_in_a_terminal

DOMAINS = itertools.cycle(1 + (os.getpid() + i) % 100 for i in range(100))
"""A ROS domain for every bench, so that none hears another's stragglers; from 102 on, their ports
are among those that Linux hands out to anyone."""

# of what a test starts without a bench; DDS reads it once
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


def until(condition: Callable[[], Any], timeout: float = 100.0) -> Any:
    """Wait for a condition and return its value."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value


class Child:
    """One process under test, ended with the block; its output is kept as it comes."""

    def __init__(self, command: list[str], domain: int, **variables: str) -> None:
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(domain, **variables),
            start_new_session=True,  # a group of its own, as a terminal gives
            preexec_fn=as_in_a_terminal,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self._lines.extend(self.process.stdout)

    @property
    def output(self) -> str:
        return "".join(self._lines)

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def send(self, number: int) -> None:
        """Signal the process alone."""
        self.process.send_signal(number)

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """What Ctrl-C does: the signal for the whole group."""
        os.killpg(self.process.pid, number)

    def wait(self, timeout: float = 20.0) -> int:
        """The exit code, once the process has ended and its output is complete."""
        code = self.process.wait(timeout)
        self._reader.join(5.0)
        return code

    def stop(self) -> None:
        if self.runs:
            self.process.terminate()
            try:
                self.wait(10)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                self.wait(10)


def environment(domain: int, **variables: str) -> dict[str, str]:
    """Environment of a process in a ROS domain; a node ends with the tests, even killed ones."""
    return {
        **os.environ,
        "LS3_LAUNCH_PID": str(os.getpid()),
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        **variables,
    }


class Bench:
    """A node that spins in a thread, in a ROS domain of its own, beside processes under test."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.signals import SignalHandlerOptions

        from ls3_common import transport

        self.domain = next(DOMAINS)
        self.context = rclpy.Context()
        # as a node has it, and not in what the bench starts: a launch decides for its graph
        with mock.patch.dict(os.environ, transport.settings()):
            rclpy.init(
                context=self.context,
                domain_id=self.domain,
                signal_handler_options=SignalHandlerOptions.NO,
            )
            self.node = rclpy.create_node("bench", context=self.context)
        self.children: list[Child] = []
        self._clients: dict[str, Any] = {}
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

    def environment(self, **variables: str) -> dict[str, str]:
        """Environment of a process that the bench is to hear."""
        return environment(self.domain, **variables)

    def command(self, *words: str, **variables: str) -> Child:
        """Start a command as a process; ``A="b"`` sets a variable of its environment."""
        child = Child(list(words), self.domain, **variables)
        self.children.append(child)
        return child

    def start(self, *module: str, namespace: str = "/", **parameters: Any) -> Child:
        """Start one node as a process; ``a__b=1`` sets parameter ``a.b``.

        module: its name, or ``-c`` and code.
        """
        program = module if module[0] == "-c" else ("-m", *module)
        words = ["--ros-args", "-r", f"__ns:={namespace}"]
        for name, value in parameters.items():
            words += ["-p", f"{name.replace('__', '.')}:={_yaml(value)}"]
        return self.command(sys.executable, *program, *words)

    def between(self, function: Callable[[], Any]) -> Any:
        """Call a function between two turns of the executor, in its thread; returns the result.

        The executor may look at what another thread makes or destroys, and ends with that.
        """
        task = self._executor.create_task(function)
        until(task.done)
        return task.result()

    def action_client(self, kind: type, name: str) -> Any:
        from rclpy.action import ActionClient

        return self.between(lambda: ActionClient(self.node, kind, name))

    def destroy(self, *entities: Any) -> None:
        """Destroy publishers, timers and other entities of the bench's node."""
        for entity in entities:
            name = f"destroy_{type(entity).__name__.lower()}"
            self.between(lambda entity=entity, name=name: getattr(self.node, name)(entity))

    def collect(self, kind: type, topic: str, profile: Any = None) -> list[Any]:
        """Every message of a topic from now on, as they come; reliable unless `profile` says."""
        from ls3_common import qos

        received: list[Any] = []
        self.node.create_subscription(kind, topic, received.append, profile or qos.RELIABLE)
        return received

    until = staticmethod(until)

    def publisher(self, kind: type, topic: str, profile: Any = None) -> Any:
        """A publisher, once someone listens; reliable unless `profile` says."""
        from ls3_common import qos

        publisher = self.node.create_publisher(kind, topic, profile or qos.RELIABLE)
        self.matched(publisher)
        return publisher

    def matched(self, *publishers: Any) -> None:
        """Wait until every publisher has a subscriber."""
        until(lambda: all(publisher.get_subscription_count() for publisher in publishers))

    def ask(self, client: Any, request: Any, timeout: float = 100.0) -> Any:
        """The answer of a service."""
        until(client.service_is_ready)
        future = client.call_async(request)
        return until(lambda: future.done() and future.result(), timeout)

    def call(self, name: str) -> Any:
        """The answer of a std_srvs/Trigger service."""
        from std_srvs.srv import Trigger

        client = self._clients.get(name) or self.node.create_client(Trigger, name)
        self._clients[name] = client
        # an answer to a client whom the server has only just met may be lost
        for patience in (10, 10, 60):
            with contextlib.suppress(AssertionError):
                return self.ask(client, Trigger.Request(), patience)
        raise AssertionError(f"no answer from {name}")

    def now(self) -> int:
        """The bench's clock (ns)."""
        return int(self.node.get_clock().now().nanoseconds)

    def stamp(self) -> Any:
        """The bench's clock as a message."""
        return self.node.get_clock().now().to_msg()


def opened() -> Iterator[Bench]:
    """A bench for the body of a fixture."""
    bench = Bench()
    yield bench
    bench.close()


def _yaml(value: Any) -> str:
    import yaml

    return yaml.safe_dump(value, default_flow_style=True).split("\n")[0]
