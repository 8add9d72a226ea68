"""`ros2 topic` and `ros2 node list`, each with a node of its own and no daemon."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ros2_standin import StandinError, send
from ros2_standin.fields import document, interface_class
from ros2_standin.node import own_node

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.qos import QoSProfile

Found = TypeVar("Found")


def add_commands(commands: Any) -> None:
    """Add `topic` and `node` with their verbs to an argparse parser."""
    topic = commands.add_parser("topic", help="list or print topics")
    verbs = topic.add_subparsers(metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="names of topics")
    listing.add_argument("-t", "--show-types", action="store_true")
    listing.add_argument("--include-hidden-topics", action="store_true")
    _add_spin_time(listing)
    listing.set_defaults(command=list_topics)
    echo = verbs.add_parser("echo", help="print messages")
    echo.add_argument("topic")
    echo.add_argument("type", nargs="?", help="e.g. std_msgs/msg/String (default: as published)")
    echo.add_argument("--once", action="store_true", help="end after the first message")
    echo.add_argument("--field", help="e.g. pose.position")
    echo.add_argument("-f", "--full-length", action="store_true")
    echo.add_argument("-l", "--truncate-length", type=int, default=128)
    _add_spin_time(echo)
    echo.set_defaults(command=echo_topic)
    send.add_publish(verbs)
    node = commands.add_parser("node", help="list nodes").add_subparsers(
        metavar="VERB", required=True
    )
    nodes = node.add_parser("list", help="names of nodes")
    nodes.add_argument("-a", "--all", action="store_true", help="also list hidden nodes")
    _add_spin_time(nodes)
    nodes.set_defaults(command=list_nodes)


def _add_spin_time(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--spin-time", type=float, default=4.0, metavar="S", help="longest wait for discovery, s"
    )


def hidden(name: str) -> bool:
    """Whether a name is hidden: one of its parts begins with an underscore."""
    return any(part.startswith("_") for part in name.split("/"))


def _settled(look: Callable[[], Found], timeout_s: float) -> Found:
    """Call `look` until its result has changed and then stayed the same for a second."""
    first = newest = look()
    start = since = time.monotonic()
    while time.monotonic() < (start + timeout_s if newest == first else since + 1.0):
        time.sleep(0.05)
        now = look()
        if now != newest:
            newest, since = now, time.monotonic()
    return newest


def list_topics(arguments: argparse.Namespace) -> int:
    """Print the names of all topics."""
    with own_node(f"_ros2cli_{os.getpid()}") as node:
        topics = _settled(node.get_topic_names_and_types, arguments.spin_time)
    for name, types in sorted(topics):
        if arguments.include_hidden_topics or not hidden(name):
            print(f"{name} [{', '.join(types)}]" if arguments.show_types else name)
    return 0


def list_nodes(arguments: argparse.Namespace) -> int:
    """Print the full names of all nodes."""
    with own_node(f"_ros2cli_{os.getpid()}") as node:
        nodes = _settled(node.get_node_names_and_namespaces, arguments.spin_time)
        own = node.get_name()
    for name, namespace in sorted(nodes, key=lambda pair: (pair[1], pair[0])):
        if name != own and (arguments.all or not name.startswith("_")):
            print(f"{namespace.rstrip('/')}/{name}")
    return 0


def subscription_qos(node: Node, topic: str) -> QoSProfile:
    """Return a profile that matches every publisher of the topic.

    The profile is reliable if all publishers are, and latched if all publishers are.
    """
    from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

    offered = [info.qos_profile for info in node.get_publishers_info_by_topic(topic)]
    reliable = all(qos.reliability == ReliabilityPolicy.RELIABLE for qos in offered)
    latched = all(qos.durability == DurabilityPolicy.TRANSIENT_LOCAL for qos in offered)
    return QoSProfile(
        depth=100,
        reliability=ReliabilityPolicy["RELIABLE" if offered and reliable else "BEST_EFFORT"],
        durability=DurabilityPolicy["TRANSIENT_LOCAL" if offered and latched else "VOLATILE"],
    )


def echo_topic(arguments: argparse.Namespace) -> int:
    """Print the messages of one topic as YAML until Ctrl-C.

    Raises:
        StandinError: the topic's type is unknown, or the field does not exist.
    """
    import rclpy

    with own_node(f"_ros2cli_{os.getpid()}") as node:
        topic = arguments.topic if arguments.topic.startswith("/") else f"/{arguments.topic}"
        end = time.monotonic() + arguments.spin_time
        while not node.get_publishers_info_by_topic(topic) and time.monotonic() < end:
            time.sleep(0.05)
        types = dict(node.get_topic_names_and_types()).get(topic, [])
        if arguments.type is None and len(types) != 1:
            known = "has several types: " + ", ".join(types) if types else "is not published"
            raise StandinError(f"topic '{topic}' {known}; give its type, or a longer --spin-time")
        cls = interface_class(arguments.type or types[0], "msg")
        done: list[bool] = []
        limit = None if arguments.full_length else arguments.truncate_length

        def show(message: Any) -> None:
            if not (done and arguments.once):
                print(document(_field(message, arguments.field), limit) + "---", flush=True)
                done.append(True)

        node.create_subscription(cls, topic, show, subscription_qos(node, topic))
        while not (done and arguments.once):
            rclpy.spin_once(node, timeout_sec=0.1)
    return 0


def _field(message: Any, path: str | None) -> Any:
    for name in path.split(".") if path else ():
        if not hasattr(message, name):
            raise StandinError(f"{type(message).__name__} has no field '{name}' (--field {path})")
        message = getattr(message, name)
    return message
