"""Records the graph's messages on DDS, and calls the graph's services as an operator would."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import rclpy
from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import ListParameters, SetParameters
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import Empty
from std_srvs.srv import Trigger

from ls3.learning.through_graph import MODEL_USERS
from ls3_common import qos, topics
from ls3_common.ros import nanoseconds
from ls3_interfaces.action import RunEpisode
from ls3_interfaces.msg import ArmCommand, MotionState
from ls3_interfaces.srv import LoadModel
from ls3_system_tests.faults.check import STILL_M, ArmMove, Heard, Point, Ready
from ls3_system_tests.faults.injector import ARM, NAME, SIM
from ls3_system_tests.faults.processes import MODULES, node_name

SENT = "source_timestamp"
"""Key of the time of sending (ns) in a message's info."""
MOVES = ("sent", "clamped")
"""Outcomes of an ArmCommand that moves the arm."""
POLL_S = 0.02
RETRY_S = 2.0
"""A request is sent again after this time: a process that was just killed does not answer."""


class Observer:
    """The observing node, whose callbacks run in a thread of its own.

    Attributes:
        last_move: when the last goal was sent to the robot (ns of wall time).
        last_change: when the robot's setpoint last changed (ns of wall time).
        state: the newest state of arm_node.
    """

    def __init__(self) -> None:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        self._node = node = rclpy.create_node("fault_observer")
        self._lock = threading.Lock()
        self._seen = Heard()
        self._setpoint: Point | None = None
        self.last_move = self.last_change = 0
        self.state = Ready(0, False, "nothing heard yet")
        hear = node.create_subscription
        setpoint, move = topics.arm(ARM, "setpoint_cp"), topics.arm(ARM, "move_cp")
        hear(PoseStamped, f"{SIM}/{setpoint}", self._on_setpoint, qos.RELIABLE)
        hear(PoseStamped, move, self._on_move, qos.RELIABLE)
        hear(Empty, topics.arm(ARM, "hold"), self._on_hold, qos.RELIABLE)
        hear(ArmCommand, topics.ARM_COMMAND, self._on_answer, qos.RELIABLE)
        hear(MotionState, topics.MOTION_STATE, self._on_state, qos.LATCHED)
        ask = node.create_client
        self._arm = ask(Trigger, f"{node_name('arm')}/arm")
        self._change = ask(ChangeState, f"{node_name('arm')}/change_state")
        self._inject = ask(SetParameters, f"/{NAME}/set_parameters")
        self._loaders = {name: ask(LoadModel, topics.load_model(name)) for name in MODEL_USERS}
        self._pings = {
            name: ask(ListParameters, f"{node_name(name)}/list_parameters") for name in MODULES
        }
        self._episodes = ActionClient(node, RunEpisode, topics.RUN_EPISODE)
        self._goal: Any = None  # the future of a goal's handle
        self._result: Any = None
        self._leaving = threading.Event()
        # the nodes' executor cannot give a message's info reliably (ls3_common.executors)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop observing."""
        self._leaving.set()
        self._thread.join(5.0)
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown()

    def take(self) -> Heard:
        """Return the messages that were observed since the last call."""
        with self._lock:
            seen, self._seen = self._seen, Heard()
            moves = [*([seen.before] if seen.before else []), *sorted(seen.moves)]
            self._seen.before = moves[-1] if moves else None
            self._seen.setpoints = seen.setpoints[-1:]
            self._seen.states = sorted(seen.states)[-1:]
        return seen

    def silent(self, patience: float) -> list[str]:
        """Return the names of the processes that do not answer within `patience` seconds."""
        deadline = time.monotonic() + patience
        waiting, sent = dict(self._pings), dict.fromkeys(self._pings, -RETRY_S)
        answers: dict[str, list[Any]] = {name: [] for name in waiting}
        while waiting and time.monotonic() < deadline:
            for name, client in list(waiting.items()):
                if any(future.done() for future in answers[name]):
                    del waiting[name]
                elif time.monotonic() - sent[name] > RETRY_S and client.service_is_ready():
                    sent[name] = time.monotonic()
                    answers[name].append(client.call_async(ListParameters.Request()))
            time.sleep(POLL_S)
        return sorted(waiting)

    def inject(self, names: list[str], patience: float = 10.0) -> None:
        """Set the injector's active faults, by name.

        Raises:
            TimeoutError: the injector does not answer within `patience` seconds, or refuses.
        """
        value = ParameterValue(type=ParameterType.PARAMETER_STRING_ARRAY, string_array_value=names)
        request = SetParameters.Request(parameters=[Parameter(name="active", value=value)])
        answer = self._call(self._inject, request, patience)
        if answer is None or not answer.results[0].successful:
            raise TimeoutError(f"the injector does not accept the faults {names}: {answer}")

    def arm(self) -> None:
        """Arm as an operator would; first activate arm_node if it is inactive."""
        if "not active" in self.state.reason:
            self._transition(Transition.TRANSITION_ACTIVATE)
        self._call(self._arm, Trigger.Request(), 1.0)

    def deactivate(self) -> None:
        """Deactivate arm_node, without waiting for the answer."""
        self._transition(Transition.TRANSITION_DEACTIVATE, wait=False)

    def load(self, path: str) -> list[str]:
        """Have all nodes load the model at `path`; return the nodes that accept the model."""
        taken = []
        for name, client in self._loaders.items():
            answer = self._call(client, LoadModel.Request(path=path), 5.0)
            if answer is not None and answer.ok:
                taken.append(name)
        return taken

    def begin_episode(self, number: int, steps: int) -> None:
        """Have an episode of at most `steps` steps run, unless one runs already."""
        if self._goal is not None and not self._goal.done():
            return
        if self._goal is not None and self._goal.result() is not None:
            handle = self._goal.result()
            if handle.accepted and self._result is None:
                self._result = handle.get_result_async()
            if handle.accepted and not self._result.done():
                return
        if self._episodes.server_is_ready():
            goal = RunEpisode.Goal(
                seed=number, episode=number, max_steps=steps, stop_on_success=False
            )
            self._goal, self._result = self._episodes.send_goal_async(goal), None

    def end_episode(self, patience: float) -> str:
        """Cancel the episode and return the path of its file; empty if there is none.

        Raises:
            TimeoutError: the episode does not end within `patience` seconds.
        """
        if self._goal is None or not self._wait(self._goal.done, patience):
            return ""
        handle = self._goal.result()
        if handle is None or not handle.accepted:
            return ""
        if self._result is None:
            self._result = handle.get_result_async()
        if not self._result.done():
            handle.cancel_goal_async()
        if not self._wait(self._result.done, patience):
            raise TimeoutError("episode_node does not end a cancelled episode")
        ended = self._result.result()
        self.forget_episode()
        return str(ended.result.file) if ended.status != GoalStatus.STATUS_UNKNOWN else ""

    def forget_episode(self) -> None:
        """Drop the episode, because episode_node was killed and will not answer."""
        self._goal = self._result = None

    def _transition(self, transition: int, wait: bool = True) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        if wait:
            self._call(self._change, request, 1.0)
        else:
            self._change.call_async(request)

    def _call(self, client: Any, request: Any, patience: float) -> Any:
        if not client.service_is_ready():
            return None
        future = client.call_async(request)
        return future.result() if self._wait(future.done, patience) else None

    @staticmethod
    def _wait(condition: Callable[[], bool], patience: float) -> bool:
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def _spin(self) -> None:
        while not self._leaving.is_set():
            self._executor.spin_once(timeout_sec=0.1)

    def _on_setpoint(self, message: PoseStamped, info: Any) -> None:
        point = _point(message, info)
        with self._lock:
            last, self._setpoint = self._setpoint, point
            if last and max(abs(point.x - last.x), abs(point.y - last.y)) > STILL_M:
                self.last_change = point.sent
            self._seen.setpoints.append(point)

    def _on_move(self, message: PoseStamped, info: Any) -> None:
        with self._lock:
            self._seen.moves.append(_point(message, info))
            self.last_move = info[SENT]

    def _on_hold(self, _message: Empty, info: Any) -> None:
        with self._lock:
            self._seen.holds.append(info[SENT])

    def _on_answer(self, message: ArmCommand) -> None:
        if message.outcome in MOVES:
            answer = ArmMove(nanoseconds(message.header.stamp), nanoseconds(message.image_stamp))
            with self._lock:
                self._seen.answers.append(answer)

    def _on_state(self, message: MotionState, info: Any) -> None:
        self.state = Ready(info[SENT], message.ready, message.reason)
        with self._lock:
            self._seen.states.append(self.state)


def _point(message: PoseStamped, info: Any) -> Point:
    position = message.pose.position
    stamp = nanoseconds(message.header.stamp)
    return Point(info[SENT], stamp, position.x, position.y, position.z)
