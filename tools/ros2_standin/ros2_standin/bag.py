"""`ros2 bag record` and `ros2 bag info`, for bags as Jazzy and later write them."""

from __future__ import annotations

import argparse
import contextlib
import re
import signal
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ros2_standin import StandinError
from ros2_standin.fields import interface_class
from ros2_standin.graph import hidden, subscription_qos
from ros2_standin.node import own_node
from ros2_standin.packages import package_prefix

if TYPE_CHECKING:
    from rclpy.node import Node
    from rosbags.rosbag2 import Writer

FLUSH_S = 1.0
"""Time between two writes to disk, s: what `kill -9` loses at most."""


def add_commands(commands: Any) -> None:
    """Add `bag` and its verbs to an argparse parser."""
    bag = commands.add_parser("bag", help="record topics, describe a recording")
    verbs = bag.add_subparsers(metavar="VERB", required=True)
    record = verbs.add_parser("record", help="record topics until Ctrl-C")
    record.add_argument("-a", "--all", "--all-topics", action="store_true")
    record.add_argument("-o", "--output", help="directory (default: named after the time)")
    record.add_argument("-s", "--storage", choices=["mcap", "sqlite3"], default="mcap")
    record.add_argument("--topics", nargs="+", default=[], metavar="TOPIC")
    record.add_argument("positional", nargs="*", metavar="TOPIC")
    record.set_defaults(command=record_bag)
    info = verbs.add_parser("info", help="describe a bag")
    info.add_argument("bag")
    info.set_defaults(command=show_info)


def record_bag(arguments: argparse.Namespace) -> int:
    """Record the serialised messages of topics with their time of arrival, until a signal.

    Raises:
        StandinError: no topic is named, or the directory exists already.
    """
    import rclpy
    from rosbags.rosbag2 import StoragePlugin, Writer

    wanted = {
        name if name.startswith("/") else f"/{name}"
        for name in [*arguments.topics, *arguments.positional]
    }
    if not wanted and not arguments.all:
        raise StandinError("bag record: name topics, or give --all")
    path = Path(arguments.output or datetime.now().strftime("rosbag2_%Y_%m_%d-%H_%M_%S"))
    if path.exists():
        raise StandinError(f"bag record: '{path}' already exists")
    stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: stop.append(received))
    storage = StoragePlugin[arguments.storage.upper()]
    with (
        Writer(path, version=9, storage_plugin=storage) as writer,
        own_node("rosbag2_recorder") as node,
    ):
        recorder = _Recorder(node, writer)
        print(f"Recording to '{path}'; Ctrl-C ends it", flush=True)
        poll = flush = 0.0
        while not stop:
            now = time.monotonic()
            if now >= poll:
                recorder.subscribe(None if arguments.all else wanted)
                poll = now + 0.1
            if now >= flush:
                recorder.flush()
                flush = now + FLUSH_S
            rclpy.spin_once(node, timeout_sec=0.1)
    print(f"Recorded {sum(recorder.counts.values())} messages", flush=True)
    for topic in sorted(wanted - set(recorder.counts)):
        print(f"no message of '{topic}' arrived", flush=True)
    return 0


class _Recorder:
    """Subscribes to topics as they appear and passes the serialised messages to the writer."""

    def __init__(self, node: Node, writer: Writer) -> None:
        from rosbags.typesys import Stores, get_typestore

        self.counts: Counter[str] = Counter()
        self._node, self._writer = node, writer
        self._types = get_typestore(Stores.EMPTY)
        self._seen: set[str] = set()

    def subscribe(self, wanted: set[str] | None) -> None:
        for topic, types in self._node.get_topic_names_and_types():
            wants = not hidden(topic) if wanted is None else topic in wanted
            if wants and topic not in self._seen and self._node.count_publishers(topic):
                self._seen.add(topic)
                try:
                    self._record(topic, types[0])
                except StandinError as error:
                    print(f"not recording '{topic}': {error}", flush=True)

    def _record(self, topic: str, msgtype: str) -> None:
        cls = interface_class(msgtype, "msg")
        self._add_type(msgtype)
        offered = [info.qos_profile for info in self._node.get_publishers_info_by_topic(topic)]
        connection = self._writer.add_connection(
            topic,
            msgtype,
            typestore=self._types,
            offered_qos_profiles=[_qos(profile) for profile in offered],
        )

        def write(data: bytes) -> None:
            self._writer.write(connection, time.time_ns(), data)
            self.counts[topic] += 1

        self._node.create_subscription(
            cls, topic, write, subscription_qos(self._node, topic), raw=True
        )
        print(f"Subscribed to topic '{topic}'", flush=True)

    def _add_type(self, msgtype: str) -> None:
        """Register the installed definition of a message type and of the types inside it."""
        from rosbags.typesys import get_types_from_msg

        if msgtype in self._types.fielddefs:
            return
        package, _, name = msgtype.split("/")
        path = package_prefix(package) / "share" / package / "msg" / f"{name}.msg"
        if not path.is_file():
            raise StandinError(f"no definition of '{msgtype}' at {path}")
        found = get_types_from_msg(path.read_text(), msgtype)
        for inner in _inner_types(list(found.values())):
            self._add_type(inner)
        self._types.register(found)

    def flush(self) -> None:
        """Write what has arrived to disk, so that `kill -9` loses a second and not a chunk."""
        storage: Any = self._writer.storage
        if hasattr(storage, "close_chunk") and storage.chunk.msgs:
            storage.close_chunk()
            storage.bio.flush()


def _inner_types(definition: Any) -> set[str]:
    """Names of the message types inside a parsed definition, at any depth."""
    if isinstance(definition, list | tuple):
        return set().union(*map(_inner_types, definition))
    return {definition} if isinstance(definition, str) and "/msg/" in definition else set()


def _qos(profile: Any) -> Any:
    """Convert an rclpy QoS profile to that of rosbags, whose enumerations have the same numbers."""
    from rosbags.interfaces import (
        Qos,
        QosDurability,
        QosHistory,
        QosLiveliness,
        QosReliability,
        QosTime,
    )

    return Qos(
        QosHistory(profile.history),
        profile.depth,
        QosReliability(profile.reliability),
        QosDurability(profile.durability),
        QosTime(*divmod(profile.deadline.nanoseconds, 10**9)),
        QosTime(*divmod(profile.lifespan.nanoseconds, 10**9)),
        QosLiveliness(profile.liveliness),
        QosTime(*divmod(profile.liveliness_lease_duration.nanoseconds, 10**9)),
        profile.avoid_ros_namespace_conventions,
    )


def show_info(arguments: argparse.Namespace) -> int:
    """Print the metadata of a bag; of a recording that was cut off, what is still readable.

    Raises:
        StandinError: there is no recording, or nothing of it can be read.
    """
    bag = Path(arguments.bag)
    suffixes = (".mcap", ".db3", ".mcap.zstd", ".db3.zstd")  # zstd: --compression-mode file
    files = [bag] if bag.is_file() else [f for f in bag.glob("*") if f.name.endswith(suffixes)]
    files.sort(key=lambda file: [int(n) for n in re.findall(r"\d+", file.name)])
    if not files:
        raise StandinError(f"bag info: no recording at '{bag}'")
    metadata = (bag if bag.is_dir() else bag.parent) / "metadata.yaml"
    if metadata.is_file():
        content = yaml.safe_load(metadata.read_text())["rosbag2_bagfile_information"]
        start = content["starting_time"]["nanoseconds_since_epoch"]
        end = start + content["duration"]["nanoseconds"]
        topics = {
            (item["topic_metadata"]["name"], item["topic_metadata"]["type"]): item["message_count"]
            for item in content["topics_with_message_count"]
        }
        distribution = content.get("ros_distro") or "unknown"
    else:
        distribution = "unknown"
        start, end, topics = _readable(files)
        print(f"'{bag}' has no metadata.yaml: the recorder was killed. Still readable:")
    size = sum(file.stat().st_size for file in files)
    print(f"\nFiles:             {', '.join(file.name for file in files)}")
    print(f"Bag size:          {_size(size)}")
    print(f"Storage id:        {'mcap' if '.mcap' in files[0].suffixes else 'sqlite3'}")
    print(f"ROS Distro:        {distribution}")
    print(f"Duration:          {(end - start) / 1e9:.9f}s")
    print(f"Start:             {_date(start)}")
    print(f"End:               {_date(end)}")
    print(f"Messages:          {sum(topics.values())}")
    lead = "Topic information: "
    for (name, kind), count in sorted(topics.items()):
        print(f"{lead}Topic: {name} | Type: {kind} | Count: {count} | Serialization Format: cdr")
        lead = " " * len(lead)
    return 0


def _readable(files: list[Path]) -> tuple[int, int, dict[tuple[str, str], int]]:
    """First and last time (ns), and message counts by topic and type, of what precedes the cut."""
    from mcap.exceptions import McapError
    from mcap.records import Channel, Message, Schema
    from mcap.stream_reader import StreamReader

    times: list[int] = []
    topics = Counter[tuple[str, str]]()
    for file in files:
        if file.suffix != ".mcap":
            raise StandinError(f"'{file}' has no metadata.yaml: the recorder was killed")
        schemas, channels = dict[int, str](), dict[int, tuple[str, str]]()
        # count the messages before the cut
        with file.open("rb") as stream, contextlib.suppress(McapError, EOFError):
            for record in StreamReader(stream).records:
                if isinstance(record, Schema):
                    schemas[record.id] = record.name
                elif isinstance(record, Channel):
                    channels[record.id] = record.topic, schemas[record.schema_id]
                elif isinstance(record, Message):
                    topics[channels[record.channel_id]] += 1
                    times.append(record.log_time)
    return min(times, default=0), max(times, default=0), dict(topics)


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.{0 if unit == 'B' else 1}f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def _date(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    moment = datetime.fromtimestamp(seconds).strftime("%b %e %Y %H:%M:%S")
    return f"{moment}.{rest:09d} ({seconds}.{rest:09d})"
