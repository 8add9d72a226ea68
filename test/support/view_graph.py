"""What view_node hears of a graph, and the node as a process."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ls3_common import qos, topics

WORDS = "no plan, (5) fails: P(in the safe set) at most 0.49 of 0.738 asked"
FILM = {"film__title": "a task", "film__width": 0.3}


class Graph:
    """What view_node hears of a graph, published by the bench."""

    def __init__(self, bench: Any) -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        from geometry_msgs.msg import PoseStamped
        from sensor_msgs.msg import Image
        from std_msgs.msg import String

        from ls3_interfaces.msg import MotionState, Plan

        self.bench = bench
        self.silent = False
        self.frames = 0
        self._kinds = Image, PoseStamped, DiagnosticArray
        node = bench.node
        self.plans = node.create_publisher(Plan, topics.PLAN, qos.RELIABLE)
        self.inputs = node.create_publisher(String, topics.PLAN_INPUT, qos.RELIABLE)
        self.states = node.create_publisher(MotionState, topics.MOTION_STATE, qos.LATCHED)
        self._cameras = node.create_publisher(Image, topics.CAMERA_IMAGE, qos.RELIABLE)
        self._masks = node.create_publisher(Image, topics.MASK, qos.RELIABLE)
        self._poses = node.create_publisher(PoseStamped, "PSM1/setpoint_cp", qos.RELIABLE)
        self._health = node.create_publisher(DiagnosticArray, "/diagnostics", qos.RELIABLE)
        node.create_timer(0.05, self._shoot)

    def _shoot(self) -> None:
        from diagnostic_msgs.msg import DiagnosticStatus

        if self.silent:
            return
        image, pose, array = self._kinds
        self.frames += 1
        pixels = np.full((64, 64, 3), 200, np.uint8)
        pixels[self.frames % 60 :][:4, 20:40] = 0
        for publisher, encoding, channels in (
            (self._cameras, "rgb8", 3),
            (self._masks, "mono8", 1),
        ):
            data = np.ascontiguousarray(pixels[..., :channels]).tobytes()
            message = image(height=64, width=64, encoding=encoding, step=64 * channels, data=data)
            publisher.publish(message)
        tip = pose()
        tip.pose.position.x, tip.pose.position.y, tip.pose.position.z = 0.01, 0.02, -0.12
        self._poses.publish(tip)
        status = DiagnosticStatus(level=b"\x00", name="arm_node", message="ok")
        self._health.publish(array(status=[status]))

    def plan(self, step: int, **changes: Any) -> None:
        from ls3_interfaces.msg import Plan

        values: dict[str, Any] = {
            "episode": 2,
            "step": step,
            "feasible": True,
            "action": [0.01, 0.0],
            "action_sequence": [0.01, 0.0, 0.0, 0.01],
            "safe_probability": 0.875,
            "constraint_probability": 0.125,
            "value": -12.0,
            "delta_safe": 0.8,
        }
        self.plans.publish(Plan(**(values | changes)))

    def hold(self, step: int) -> None:
        self.plan(step, feasible=False, action=[0.0, 0.0], reason=WORDS)

    def say_ready(self, *, ready: bool = True) -> None:
        from ls3_interfaces.msg import MotionState

        state = MotionState(ready=ready, reason="" if ready else "stopped by the operator")
        state.header.frame_id = "PSM1_base"
        self.states.publish(state)


def port_of(child: Any, bench: Any) -> int:
    """The port that the node says, once it does."""
    return int(bench.until(lambda: re.search(r"http://localhost:(\d+)", child.output), 60)[1])


def started(graph: Graph, **parameters: Any) -> Any:
    child = graph.bench.start("ls3_episodes.view_node", port=0, rate=20.0, **FILM, **parameters)
    graph.bench.matched(graph.plans, graph.inputs, graph.states)
    return child
