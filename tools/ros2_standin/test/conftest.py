"""A temporary ament prefix with a package of tiny executables, and `ros2` run as a user would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "standin_nodes"
ROS2 = str(Path(sys.executable).parent / "ros2")
DEADLINE_S = 60.0  # of what should take a second, on a busy machine

EXECUTABLES = {
    # prints what launch gave it, then publishes until it is stopped
    "talker": """
import sys, time
import rclpy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
node = rclpy.create_node("talker", automatically_declare_parameters_from_overrides=True)
publisher = node.create_publisher(JointState, "chatter", 1000)
print("name", node.get_fully_qualified_name(), "topic", publisher.topic_name, flush=True)
for name, parameter in sorted(node._parameters.items()):
    value = parameter.value
    value = value if isinstance(value, (bool, int, float, str)) else list(value)
    print(f"{name} = {value!r}", flush=True)
print("arguments", [word for word in sys.argv[1:] if word.startswith("--my")], flush=True)
try:
    for count in range(10**6):
        publisher.publish(JointState(header=Header(frame_id=str(count)), position=[0.5] * 200))
        time.sleep(0.02)
except KeyboardInterrupt:
    print("interrupted", flush=True)
""",
    # ends after three messages, with the exit code given
    "listener": """
import sys
import rclpy
from sensor_msgs.msg import JointState

rclpy.init(args=sys.argv)
node = rclpy.create_node("listener")
got = []
node.create_subscription(JointState, "chatter", got.append, 10)
while len(got) < 3:
    rclpy.spin_once(node, timeout_sec=0.1)
print("heard", len(got), flush=True)
rclpy.shutdown()
sys.exit(int(sys.argv[1]))
""",
    # prints what it is sent, answers a service and performs a goal until it is cancelled
    "answers": """
import sys, time
import rclpy
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.executors import MultiThreadedExecutor
from rclpy.callback_groups import ReentrantCallbackGroup
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool
from ls3_interfaces.action import RunEpisode

def answer(request, response):
    response.success, response.message = request.data, "it was " + str(request.data)
    return response

def perform(handle):
    feedback = RunEpisode.Feedback()
    while True:
        feedback.step += 1
        handle.publish_feedback(feedback)
        if handle.is_cancel_requested:
            handle.canceled()
            print("canceled", flush=True)
            return RunEpisode.Result(reason="cancelled")
        if feedback.step == handle.request.max_steps:
            handle.succeed()
            return RunEpisode.Result(success=True, steps=feedback.step, reason="success")
        time.sleep(0.05)

rclpy.init(args=sys.argv)
node = rclpy.create_node("answers")
group = ReentrantCallbackGroup()
node.create_subscription(
    JointState, "told", lambda m: print("told", m.header.stamp.sec, m.name, list(m.position)), 10
)
node.create_service(SetBool, "switch", answer)
clock = node.create_publisher(Clock, "/clock", 10)
def tick():
    message = Clock()
    message.clock.sec = 77
    clock.publish(message)
node.create_timer(0.05, tick)
ActionServer(
    node, RunEpisode, "perform", perform, callback_group=group,
    goal_callback=lambda g: GoalResponse.ACCEPT if g.max_steps else GoalResponse.REJECT,
    cancel_callback=lambda h: CancelResponse.ACCEPT,
)
print("answers is ready", flush=True)
executor = MultiThreadedExecutor()
executor.add_node(node)
try:
    executor.spin()
except KeyboardInterrupt:
    pass
""",
    "polite": """
import os, signal, sys, time
def end(number, frame):
    print("stopped by", signal.Signals(number).name, flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGTERM, end)
print("polite is ready", *sys.argv[1:], flush=True)
open(os.environ["READY"], "w").close()
time.sleep(600)
""",
    "stubborn": """
import signal, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
print("stubborn is ready", flush=True)
while True:
    time.sleep(600)
""",
    # leaves a process behind that holds its output open
    "leaver": """
import subprocess, time
subprocess.Popen(["sleep", "600"])
print("leaver is ready", flush=True)
time.sleep(600)
""",
    "fails": "raise SystemExit(3)",
}


class Command:
    """One command in a process group of its own, its output in a file."""

    def __init__(self, words: list[str], environment: dict[str, str], log: Path) -> None:
        self.mark = f"STANDIN_MARK={uuid.uuid4()}"
        self._log = log
        environment = {**environment, **dict([self.mark.split("=")])}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_for(self, *texts: str) -> None:
        """Until all the texts have been printed."""
        end = time.monotonic() + DEADLINE_S
        while missing := [text for text in texts if text not in self.output]:
            assert time.monotonic() < end, f"no {missing} in:\n{self.output}"
            assert self.process.poll() is None, f"ended without {missing}:\n{self.output}"
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> float:
        """Signal the command alone; how long until it and all it started are gone, in seconds."""
        start = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(DEADLINE_S)
        while left := self.left():
            assert time.monotonic() < start + DEADLINE_S, f"orphans: {left}"
            time.sleep(0.02)
        return time.monotonic() - start

    def end(self) -> int:
        """The exit code; nothing may be left running."""
        code = self.process.wait(DEADLINE_S)
        assert not self.left()
        return code

    def left(self) -> list[str]:
        """Command lines of all living processes that inherited this command's mark."""
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                marked = self.mark.encode() in (directory / "environ").read_bytes()
                zombie = (directory / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
                if marked and not zombie:
                    found.append((directory / "cmdline").read_text().replace("\0", " "))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                pass
        return found


class Workspace:
    """The prefix, its launch files and the commands started in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.prefix = path / "prefix"
        index = self.prefix / "share/ament_index/resource_index/packages"
        libraries = self.prefix / "lib" / PACKAGE
        self._launch = self.prefix / "share" / PACKAGE / "launch"
        for directory in (index, libraries, self._launch):
            directory.mkdir(parents=True)
        (index / PACKAGE).touch()
        for name, text in EXECUTABLES.items():
            (libraries / name).write_text(f"#!{sys.executable}\n{text}")
            (libraries / name).chmod(0o755)
        self.environment = {
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "ROS_DOMAIN_ID": str(os.getpid() % 100 + 1),
            **os.environ,
            "AMENT_PREFIX_PATH": f"{self.prefix}:{sys.prefix}",
            "ROS_LOG_DIR": str(path / "log"),
            "READY": str(path / "ready"),
        }
        self._commands: list[Command] = []

    def write(self, body: str, name: str = "test.launch.py") -> Path:
        """A launch file of the package: `body` is what stands in its list of entities."""
        text = f"""
from launch import LaunchDescription
from launch.actions import *
from launch.conditions import *
from launch.event_handlers import *
from launch.events import Shutdown as ShutdownEvent
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import *
from launch_ros.actions import Node, PushRosNamespace, SetParameter
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue
from launch_ros.substitutions import FindPackageShare

def generate_launch_description():
    return LaunchDescription([{body}])
"""
        return self.write_text(text, name)

    def write_text(self, text: str, name: str = "test.launch.py") -> Path:
        path = self._launch / name
        path.write_text(text)
        return path

    def ros2(self, *words: str, **environment: str) -> Command:
        return self._run([ROS2, *words], environment)

    def python(self, text: str, **environment: str) -> Command:
        return self._run([sys.executable, "-c", text], environment)

    def _run(self, words: list[str], environment: dict[str, str]) -> Command:
        log = self.path / f"command{len(self._commands)}.txt"
        command = Command(words, {**self.environment, **environment}, log)
        self._commands.append(command)
        return command

    def launch(self, *words: str, **environment: str) -> Command:
        return self.ros2("launch", PACKAGE, "test.launch.py", *words, **environment)

    def close(self) -> None:
        for command in self._commands:
            if command.process.poll() is None:
                command.process.kill()
                command.process.wait()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with a talker that publishes /robot/chatter all the time."""
    made = Workspace(tmp_path_factory.mktemp("live"))
    talker = made.ros2("run", PACKAGE, "talker", "--ros-args", "-r", "__ns:=/robot")
    talker.wait_for("topic /robot/chatter")
    yield made
    made.close()
