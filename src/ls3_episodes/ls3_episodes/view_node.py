"""view_node: shows the running graph on a web page, in RViz and in Foxglove; its button stops it.

view_node publishes nothing that another node of the graph acts on, and its subscriptions delay no
sender. Messages are kept as bytes and read when a picture is drawn: at a limited rate, at low
priority, and only while somebody looks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import threading
import time
import traceback
from array import array
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.srv import GetParameters
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header, String
from std_srvs.srv import Trigger
from visualization_msgs.msg import MarkerArray

from crtk_msgs.msg import OperatingState
from ls3_common import qos, ros, topics
from ls3_common.errors import DataError
from ls3_common.health import LOG_PERIOD_S
from ls3_common.parameters import parameter
from ls3_episodes.film import view
from ls3_episodes.film.scene import FilmConfig
from ls3_episodes.live.markers import Point3, shapes, to_message
from ls3_episodes.live.newest import NewestMessages
from ls3_episodes.live.server import PageServer
from ls3_episodes.live.state import LiveState, MotionReport
from ls3_interfaces.msg import ArmCommand, MotionState, Plan, TaskState
from ls3_planner.plan_input import PlanInput

if TYPE_CHECKING:
    from ls3_episodes.live.imagination import Imagination

NICENESS = 10
"""Of the thread that draws: on a busy computer planner and arm come first."""
QUALITY = 80
"""Of the JPEG."""
LEAVE_TIMEOUT_S = 0.5
"""How long the end of the process waits for the picture at hand."""
LOOK_PERIOD_S = 1.0
"""Wall seconds between two looks for arm_node's parameters."""
BOX = ["limits.workspace_low", "limits.workspace_high"]
"""The parameters of arm_node that are drawn."""


@dataclass(frozen=True, kw_only=True)
class ViewNodeConfig:
    """Parameters of view_node: its section of a domain's YAML, and what a launch file adds."""

    port: int = parameter(
        8420, low=0, high=65535, description="TCP port of the page, on this computer; 0: any"
    )
    rate: float = parameter(
        3.0, low=0.1, high=30.0, description="most pictures a second", unit="Hz"
    )
    model: str = parameter(
        "", description="directory of the trained model; empty: draw nothing imagined", is_path=True
    )
    arm: str = parameter("PSM1", description="CRTK name of the arm")
    compressed: bool = parameter(False, description="whether the camera's frames are compressed")
    horizon: int = parameter(
        100, low=1, description="T, length of an episode", unit="steps", domain="horizon"
    )
    film: FilmConfig


class ViewNode(Node):
    """Subscribes to the graph, draws in a thread, and serves the page from another one."""

    def __init__(self) -> None:
        super().__init__("view_node")
        self.config = config = ros.declare(self, ViewNodeConfig)
        self._live = LiveState(config.film, config.horizon)
        self._lock = threading.Lock()  # of `_live`: callbacks write it, the drawing thread reads it
        self._newest = NewestMessages(self)
        self._plan: Plan | None = None
        self._model = ("", "")  # directory and identity of the planner's model
        self._goal: Point3 | None = None
        self._box: tuple[Any, Any] | None = None
        self._imagination = _imagination(config.model) if config.model else None
        self._stopper = self.create_client(Trigger, topics.arm_node("stop"))
        self._asker = self.create_client(GetParameters, topics.arm_node("get_parameters"))
        self._pictures = self.create_publisher(CompressedImage, topics.VIEW_PICTURE, qos.RELIABLE)
        self._markers = self.create_publisher(MarkerArray, topics.VIEW_MARKERS, qos.RELIABLE)
        self._page = PageServer(config.port, self._stop_arm)
        self._listen()
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(LOOK_PERIOD_S, self._ask_box, clock=steady)
        self._leaving = threading.Event()
        self._drawer = threading.Thread(target=self._work, name="draw", daemon=True)
        self._drawer.start()
        self.get_logger().info(f"the page is at http://localhost:{self._page.port}")

    def close(self) -> None:
        """Close the page and stop to draw."""
        self._leaving.set()
        self._page.close()
        self._drawer.join(LEAVE_TIMEOUT_S)

    def _listen(self) -> None:
        config, live = self.config, self._live
        base, kind = topics.CAMERA_IMAGE, Image
        if config.compressed:
            base, kind = f"{self.resolve_topic_name(base)}/compressed", CompressedImage
        self._newest.keep("camera", kind, base)
        self._newest.keep("mask", Image, topics.MASK)
        self._newest.keep("robot", PoseStamped, topics.arm(config.arm, "setpoint_cp"))
        for message, topic, take, profile in (
            (Plan, topics.PLAN, self._on_plan, qos.BEST_EFFORT),
            (String, topics.PLAN_INPUT, self._on_plan_input, qos.BEST_EFFORT),
            (ArmCommand, topics.ARM_COMMAND, live.command, qos.BEST_EFFORT),
            (PoseStamped, topics.arm(config.arm, "move_cp"), self._on_goal, qos.BEST_EFFORT),
            (DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.BEST_EFFORT),
            # states, of which somebody who begins to look late needs the present one
            (MotionState, topics.MOTION_STATE, self._on_motion, qos.LATCHED),
            (String, topics.RESET_REQUEST, lambda text: live.ask(text.data), qos.LATCHED),
            (
                OperatingState,
                topics.arm(config.arm, "operating_state"),
                lambda state: live.robot(state.state, state.is_homed),
                qos.LATCHED,
            ),
            (
                TaskState,
                topics.TASK_STATE,
                lambda state: live.task(state.success, state.constraint),
                qos.BEST_EFFORT,
            ),
        ):
            self.create_subscription(message, topic, self._locked(take), profile)

    def _locked(self, take: Callable[[Any], None]) -> Callable[[Any], None]:
        def take_alone(message: Any) -> None:
            with self._lock:
                take(message)

        return take_alone

    def _on_plan(self, plan: Plan) -> None:
        self._read_tip()
        with contextlib.suppress(ValueError):  # of a wrong size; arm_node refuses it and says so
            self._live.plan(plan)
            self._plan = plan

    def _on_plan_input(self, message: String) -> None:
        with contextlib.suppress(DataError):  # of another version: there are no words, then
            made = PlanInput.from_json(message.data)
            self._model = (made.model, made.identity)

    def _on_motion(self, state: MotionState) -> None:
        frame = state.header.frame_id
        self._live.move(MotionReport(state.moving, state.ready, state.reason, frame))

    def _on_goal(self, pose: PoseStamped) -> None:
        point = pose.pose.position
        self._goal = (point.x, point.y, point.z)

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        for status in array.status:
            level = status.level
            values = [(pair.key, pair.value) for pair in status.values]
            number = level[0] if isinstance(level, bytes) else int(level)
            self._live.diagnose(status.name, number, status.message, values)

    def _read_tip(self) -> None:
        if found := self._newest.message("robot"):
            pose, came = found
            point = pose.pose.position
            self._live.tip((point.x, point.y, point.z), came)

    def _ask_box(self) -> None:
        """Ask arm_node for the workspace that it keeps the arm in, until there is an answer."""
        if not self._asker.service_is_ready():
            self._box = None
        elif self._box is None:  # an answer to a client whom the server has just met may be lost
            asked = self._asker.call_async(GetParameters.Request(names=BOX))
            asked.add_done_callback(self._on_box)

    def _on_box(self, asked: Any) -> None:
        corners = [value.double_array_value for value in asked.result().values]
        if [len(corner) for corner in corners] == [2, 2]:
            self._box = (corners[0], corners[1])

    def _stop_arm(self) -> Future[tuple[bool, str]]:
        """Ask arm_node to stop. The page's thread calls this."""
        answer: Future[tuple[bool, str]] = Future()
        if not self._stopper.service_is_ready():
            answer.set_result((False, "no arm_node offers to stop: use the emergency stop"))
            return answer
        self.get_logger().info("the page asks arm_node to stop")

        def done(asked: Any) -> None:
            if answer.set_running_or_notify_cancel():  # else the page has given up
                answer.set_result((asked.result().success, asked.result().message))

        self._stopper.call_async(Trigger.Request()).add_done_callback(done)
        return answer

    def _work(self) -> None:
        """Draw as long as somebody looks."""
        thread = threading.get_native_id()
        own = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, max(own, NICENESS))
        while not self._leaving.is_set():
            began = time.monotonic()
            try:
                self._show()
                if self._markers.get_subscription_count():
                    self._publish_markers()
            except Exception:  # the page says by itself that nothing new comes
                words = f"nothing is shown:\n{traceback.format_exc()}"
                self.get_logger().error(words, throttle_duration_sec=LOG_PERIOD_S)
            self._leaving.wait(max(0.0, 1 / self.config.rate - (time.monotonic() - began)))

    def _show(self) -> None:
        """Draw, and show the picture on the page and to subscribers, if there are any."""
        subscribed = self._pictures.get_subscription_count()
        if not (subscribed or self._page.looking):
            return
        seen = {stream: self._newest.image(stream) for stream in ("camera", "mask")}
        can_stop = self._stopper.service_is_ready()
        with self._lock:
            live = self._live
            for stream, image in seen.items():
                if image is not None:
                    live.see(stream, *image)
            self._read_tip()
            latent = None if live.stale("plan") else live.scene.latent
            shown, page = live.frame(), live.page(can_stop)
        if self._imagination is not None:
            imagined = self._imagination.image(latent, *self._model)
            shown = dataclasses.replace(shown, imagined=imagined)
        file = io.BytesIO()
        view.painted(shown).save(file, "JPEG", quality=QUALITY)
        self._page.show(file.getvalue(), page)
        if subscribed:
            message = CompressedImage(format="jpeg", data=array("B", file.getvalue()))
            message.header.stamp = self.get_clock().now().to_msg()
            self._pictures.publish(message)

    def _publish_markers(self) -> None:
        with self._lock:
            live, plan = self._live, self._plan
            if live.motion is None or not live.motion.frame:
                return  # there is no arm, so that the frame is unknown
            self._read_tip()
            tip = None if live.stale("robot") else live.pose
            frame, words, fresh = live.motion.frame, live.frame().reason, not live.stale("plan")
        steps = np.empty((0, 2))
        if plan is not None and plan.feasible and fresh and len(plan.action) == 2:
            steps = np.asarray(plan.action_sequence, float).reshape(-1, 2)
        found = shapes(tip, steps, box=self._box, goal=self._goal, words=words)
        header = Header(frame_id=frame, stamp=self.get_clock().now().to_msg())
        self._markers.publish(to_message(found, header))


def _imagination(model: str) -> Imagination:
    # PyTorch takes seconds: after the parameters were found good, and only with a model
    from ls3_episodes.live.imagination import Imagination

    return Imagination(model)


def main() -> NoReturn:
    """Entry point of the process."""
    ros.leave(ros.run(ViewNode))


if __name__ == "__main__":
    main()
