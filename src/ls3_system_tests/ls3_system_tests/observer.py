"""A silent listener to the running graph that fills a `Trace` from the messages' stamps."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from ls3_common import qos, topics, transport
from ls3_common.ros import nanoseconds
from ls3_interfaces.msg import ArmCommand, Latent, Plan, StepRequest
from ls3_system_tests.trace import Trace

LAG_S = 0.1
"""Commands are looked at this long after their receipt: other topics may be heard later."""
SENT, RECEIVED = "source_timestamp", "received_timestamp"


def watch(domain_id: int, steps: int, alive: Callable[[], bool], timeout_s: float) -> Trace:
    """Listen until `steps` were seen, the graph is no longer `alive`, or the time is up."""
    transport.configure()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")  # as the launch file
    context = rclpy.Context()
    options = SignalHandlerOptions.NO
    rclpy.init(context=context, domain_id=domain_id, signal_handler_options=options)
    node = rclpy.create_node("latency_observer", context=context)
    # not the nodes' executor: it cannot give message info (ls3_common.executors)
    executor = SingleThreadedExecutor(context=context)
    try:
        executor.add_node(node)
        trace, commands = Trace(), deque[tuple[float, tuple[Any, ...]]]()
        _listen(node, trace, commands)
        deadline = time.monotonic() + timeout_s
        while len(trace.steps) < steps and alive() and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=LAG_S)
            while commands and commands[0][0] + LAG_S < time.monotonic():
                trace.command(*commands.popleft()[1])
        return trace
    finally:
        executor.shutdown()
        node.destroy_node()
        context.try_shutdown()


def _listen(node: Node, trace: Trace, commands: deque[tuple[float, tuple[Any, ...]]]) -> None:
    def clock(message: Clock, info: Any) -> None:
        trace.frame("clock", nanoseconds(message.clock), info[SENT])

    def frame(hop: str) -> Callable[[Any, Any], None]:
        return lambda message, info: trace.frame(hop, nanoseconds(message.header.stamp), info[SENT])

    def request(message: StepRequest, info: Any) -> None:
        trace.request((message.episode, message.step), info[SENT])

    def plan(message: Plan, info: Any) -> None:
        key, stamp = (message.episode, message.step), nanoseconds(message.header.stamp)
        trace.plan(key, stamp, info[SENT], message.solve_time)

    def command(message: ArmCommand, info: Any) -> None:
        if message.outcome == "refused":
            return  # nothing was commanded, and the step is asked again
        key, stamp = (message.episode, message.step), nanoseconds(message.image_stamp)
        commands.append((time.monotonic(), (key, stamp, info[SENT], info[RECEIVED])))

    for kind, topic, callback in (
        (Clock, "/clock", clock),
        (Image, topics.CAMERA_IMAGE, frame("camera")),
        (Image, topics.MASK, frame("mask")),
        (Latent, topics.LATENT, frame("latent")),
        (StepRequest, topics.STEP_REQUEST, request),
        (Plan, topics.PLAN, plan),
        (ArmCommand, topics.ARM_COMMAND, command),
    ):
        node.create_subscription(kind, topic, callback, qos.OBSERVER)
