"""Subscribes to the running graph without disturbing it, and fills a `Trace`."""

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
"""Commands are processed this long after their receipt: earlier messages on other topics may be
received later."""
SENT, RECEIVED = "source_timestamp", "received_timestamp"
"""Keys of the times (ns) in a message's info."""


def watch(domain_id: int, steps: int, alive: Callable[[], bool], timeout_s: float) -> Trace:
    """Listen until `steps` complete steps were seen, the graph ended, or the time is up.

    Args:
        domain_id: ROS domain of the graph.
        steps: how many steps to see.
        alive: tells whether the graph still runs.
        timeout_s: longest wall time to listen (s).

    Returns:
        The trace, with fewer than `steps` steps if the graph ended or the time was up.
    """
    transport.configure()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")  # as in the launch file
    context = rclpy.Context()
    options = SignalHandlerOptions.NO
    rclpy.init(context=context, domain_id=domain_id, signal_handler_options=options)
    node = rclpy.create_node("latency_observer", context=context)
    # the nodes' executor cannot give a message's info reliably (ls3_common.executors)
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
            return  # nothing was commanded, and the step is requested again
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
