"""`ros2 topic pub`, `ros2 service call` and `ros2 action send_goal`; output as the real one's."""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING, Any

from ros2_standin import StandinError
from ros2_standin.fields import document, fill, interface_class, parse
from ros2_standin.node import own_node

if TYPE_CHECKING:
    from rclpy.node import Node

POLL_S = 0.1


def add_commands(commands: Any) -> None:
    """Add `service` and `action` with their verbs to an argparse parser."""
    service = commands.add_parser("service", help="call services")
    call = service.add_subparsers(metavar="VERB", required=True).add_parser("call")
    call.add_argument("name", help="e.g. /arm_node/arm")
    call.add_argument("type", help="e.g. std_srvs/srv/Trigger")
    call.add_argument("values", nargs="?", default="{}", help="the request in YAML")
    call.set_defaults(command=call_service)
    action = commands.add_parser("action", help="send goals to actions")
    goal = action.add_subparsers(metavar="VERB", required=True).add_parser("send_goal")
    goal.add_argument("name", help="e.g. /run_episode")
    goal.add_argument("type", help="e.g. ls3_interfaces/action/RunEpisode")
    goal.add_argument("values", help="the goal in YAML")
    goal.add_argument("-f", "--feedback", action="store_true", help="print the feedback")
    goal.set_defaults(command=send_goal)


def add_publish(verbs: Any) -> None:
    """Add `pub` to the verbs of `topic`."""
    pub = verbs.add_parser("pub", help="publish messages")
    pub.add_argument("topic")
    pub.add_argument("type", help="e.g. std_msgs/msg/String")
    pub.add_argument("values", nargs="?", default="{}", help="the message in YAML")
    pub.add_argument("-r", "--rate", type=float, default=1.0, metavar="N", help="Hz, default 1")
    count = pub.add_mutually_exclusive_group()
    count.add_argument("-1", "--once", action="store_true", help="publish one message and exit")
    count.add_argument("-t", "--times", type=int, default=0, metavar="N", help="0: until Ctrl-C")
    pub.add_argument(
        "-w",
        "--wait-matching-subscriptions",
        type=int,
        metavar="N",
        help="wait for N subscriptions; by default 1 with --once or --times, else 0",
    )
    pub.add_argument("--keep-alive", type=float, default=0.1, metavar="S", help="stay on, s")
    pub.add_argument("-s", "--use-sim-time", action="store_true", help="stamp by /clock")
    pub.add_argument("--spin-time", type=float, default=4.0, metavar="S", help="wait for /clock, s")
    pub.set_defaults(command=publish)


def publish(arguments: argparse.Namespace) -> int:
    """Publish a message once, several times, or until Ctrl-C.

    Raises:
        StandinError: the type is not installed, the values do not fit, or the rate is not positive.
    """
    import rclpy
    from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

    message, values = interface_class(arguments.type, "msg")(), parse(arguments.values)
    stamps = fill(message, values)
    if not arguments.rate > 0:
        raise StandinError("rate must be greater than zero")
    times = 1 if arguments.once else arguments.times
    wanted = arguments.wait_matching_subscriptions
    profile = QoSProfile(  # that of the real command
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )
    with own_node(f"_ros2cli_{os.getpid()}", sim_time=arguments.use_sim_time) as node:
        publisher = node.create_publisher(type(message), arguments.topic, profile)
        if arguments.use_sim_time:
            _wait_for_clock(node, arguments.spin_time)
        _wait_for_subscriptions(node, publisher, (1 if times else 0) if wanted is None else wanted)
        print("publisher: beginning loop", flush=True)
        count = 0
        while True:
            for stamp in stamps:
                stamp(node.get_clock().now().to_msg())
            count += 1
            print(f"publishing #{count}: {message!r}\n", flush=True)
            publisher.publish(message)
            if count == times:
                break
            end = time.monotonic() + 1 / arguments.rate
            while (left := end - time.monotonic()) > 0:
                rclpy.spin_once(node, timeout_sec=left)
        time.sleep(arguments.keep_alive)
    return 0


def _wait_for_clock(node: Node, patience_s: float) -> None:
    import rclpy

    end = time.monotonic() + patience_s
    while node.get_clock().now().nanoseconds == 0:
        rclpy.spin_once(node, timeout_sec=POLL_S)
        if time.monotonic() > end:
            raise StandinError("--use-sim-time: nothing publishes /clock")


def _wait_for_subscriptions(node: Node, publisher: Any, wanted: int) -> None:
    """Wait until this many subscriptions match, and say so once a second."""
    import rclpy

    said = 0.0
    while publisher.get_subscription_count() < wanted:
        if time.monotonic() > said + 1.0:
            said = time.monotonic()
            print(f"Waiting for at least {wanted} matching subscription(s)...", flush=True)
        rclpy.spin_once(node, timeout_sec=POLL_S)


def call_service(arguments: argparse.Namespace) -> int:
    """Call a service, once it is there, and print the request and the response.

    Raises:
        StandinError: the type is not installed, or the values do not fit.
    """
    import rclpy

    kind = interface_class(arguments.type, "srv")
    request = kind.Request()
    fill(request, parse(arguments.values))
    with own_node(f"_ros2cli_requester_{os.getpid()}") as node:
        client = node.create_client(kind, arguments.name)
        if not client.service_is_ready():
            print("waiting for service to become available...", flush=True)
            while not client.wait_for_service(POLL_S):
                pass
        print(f"requester: making request: {request!r}\n", flush=True)
        future = client.call_async(request)
        rclpy.spin_until_future_complete(node, future)
        print(f"response:\n{future.result()!r}\n", flush=True)
    return 0


def send_goal(arguments: argparse.Namespace) -> int:
    """Send a goal to an action and wait for its result; Ctrl-C cancels the goal.

    Raises:
        StandinError: the type is not installed, or the values do not fit.
    """
    import rclpy
    from action_msgs.msg import GoalStatus
    from rclpy.action import ActionClient

    names = {
        getattr(GoalStatus, name): name.removeprefix("STATUS_")
        for name in dir(GoalStatus)
        if name.startswith("STATUS_")
    }
    kind = interface_class(arguments.type, "action")
    goal = kind.Goal()
    fill(goal, parse(arguments.values))

    def show(message: Any) -> None:
        print(f"Feedback:\n    {document(message.feedback)}", flush=True)

    with own_node(f"_ros2cli_send_goal_{os.getpid()}") as node:
        client = ActionClient(node, kind, arguments.name)
        handle: Any = None
        try:
            print("Waiting for an action server to become available...", flush=True)
            while not client.wait_for_server(POLL_S):
                pass
            print(f"Sending goal:\n     {document(goal)}", flush=True)
            sent = client.send_goal_async(goal, show if arguments.feedback else None)
            rclpy.spin_until_future_complete(node, sent)
            handle = sent.result()
            if not handle.accepted:
                handle = None
                print("Goal was rejected.", flush=True)
                return 0  # as the real command does
            print(f"Goal accepted with ID: {bytes(handle.goal_id.uuid).hex()}\n", flush=True)
            future = handle.get_result_async()
            rclpy.spin_until_future_complete(node, future)
            handle, result = None, future.result()
            print(f"Result:\n    {document(result.result)}", flush=True)
            print(f"Goal finished with status: {names[result.status]}", flush=True)
        finally:
            if handle is not None:
                print("Canceling goal...", flush=True)
                rclpy.spin_until_future_complete(node, handle.cancel_goal_async(), timeout_sec=10.0)
                print("Goal canceled.", flush=True)
            client.destroy()
    return 0
