"""record_monitor: reports which topics of a recording arrive, how fast, and what is missing.

record_monitor also watches the bag itself, because a topic that arrives here need not reach the
recorder. Reports go to the log and to /diagnostics. record.launch.py starts record_monitor beside
`ros2 bag record`.
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSCompatibility, qos_check_compatible
from std_msgs.msg import String

from dvrk_cable_env.bags.growing import GrowingBag
from dvrk_cable_env.teleop.recording import (
    DISCOVERY,
    LATE,
    RECORDER,
    Meter,
    RecordedTopic,
    RecordingConfig,
    describe,
    header_stamp,
    streams,
)
from ls3_common import qos, topics
from ls3_common.health import Health
from ls3_common.ros import declare, run

UNWRITTEN = 4 << 20
"""Bytes that a recorder may keep in memory: it writes whole chunks, of 768 KiB by default."""
CHECK_PERIOD = 0.5
"""Wall seconds between two checks of the graph and of the rates."""


class RecordMonitor(Node):
    """Measures and reports the topics of a recording.

    Like the recorder, it subscribes to each topic once the topic is published.
    """

    def __init__(self) -> None:
        super().__init__("record_monitor")
        self._config = config = declare(self, RecordingConfig)
        self._began = time.monotonic()
        self._bag = GrowingBag(Path(config.bag)) if config.bag else None
        self._grown, self._size, self._received = self._began, 0, 0
        self._meters = {stream.topic: Meter(stream, self._began) for stream in streams(config)}
        self._heard: set[str] = set()
        self._faults: dict[str, str] = {}
        self._warned: set[str] = set()
        self._marks = 0
        self._running, self._last = False, ""
        self._health = Health(self)
        # A recorder subscribes to topics that are published. With this publisher the mark topic
        # exists from the start, so that no mark of a program that sends one and ends is lost.
        self._publisher = self.create_publisher(String, config.mark_topic, qos.RELIABLE)
        self.create_subscription(String, config.mark_topic, self._on_mark, qos.RELIABLE)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(CHECK_PERIOD, self._check, clock=steady)
        self.create_timer(config.report, self._report, clock=steady)

    def _on_mark(self, message: String) -> None:
        text = message.data.strip().lower()
        word = text.partition(" ")[0]
        self._meters[self._config.mark_topic].receive(time.monotonic())
        self._marks += word == "start"
        if word in ("start", "stop"):
            self._running = word == "start"
        self._last = text
        self.get_logger().info(f"mark: {text}")

    def _check(self) -> None:
        types = dict(self.get_topic_names_and_types())
        for meter in self._meters.values():
            stream = meter.stream
            name = self.resolve_topic_name(stream.topic)
            if name in self._heard or stream.topic == self._config.mark_topic:
                continue
            if name in types and self.count_publishers(name):
                self._heard.add(name)
                self._listen(meter, types[name])
        self._warn()

    def _listen(self, meter: Meter, found: list[str]) -> None:
        stream = meter.stream
        if stream.kind not in found:
            self._faults[stream.topic] = f"{stream.topic}: is {found[0]}, expected {stream.kind}"
            return
        if len(found) > 1:  # rosbag2 does not record such a topic
            self._faults[stream.topic] = f"{stream.topic}: has several types: {', '.join(found)}"
            return
        try:
            kind = _message(stream)
        except (ImportError, AttributeError):
            self._faults[stream.topic] = f"{stream.topic}: {stream.kind} is not installed"
            return

        def receive(data: bytes) -> None:
            self._received += len(data)
            meter.receive(time.monotonic(), header_stamp(data) if stream.stamped else None)

        # raw: only the arrival and the stamp matter
        self.create_subscription(kind, stream.topic, receive, qos.BEST_EFFORT, raw=True)

    def _warn(self) -> None:
        now = time.monotonic()
        warnings = [warning for m in self._meters.values() if (warning := m.warning(now))]
        warnings += self._faults.values()
        if fault := self._unknown_pauses(now):
            warnings.append(fault)
        topic = self.resolve_topic_name(self._config.mark_topic)
        listeners = {info.node_name for info in self.get_subscriptions_info_by_topic(topic)}
        if RECORDER not in listeners and now - self._began > LATE:
            warnings.append("nothing records: no rosbag2_recorder subscribes to the marks")
        elif RECORDER in listeners:
            warnings += self._refused()
            warnings += self._lost(now)
        for warning in warnings:
            if warning not in self._warned:
                self.get_logger().warning(warning)
        for warning in sorted(self._warned - set(warnings)):
            self.get_logger().info(f"resolved: {warning}")
        self._warned = set(warnings)
        self._health.stand("; ".join(warnings))

    def _refused(self) -> list[str]:
        """Publishers whose messages the recorder cannot receive.

        The recorder has asked for what the publishers offered when it found the topic. A publisher
        that begins later, such as a driver that is started again, may offer less.
        """
        found = []
        for name in sorted(self._heard):
            readers = [
                info.qos_profile
                for info in self.get_subscriptions_info_by_topic(name)
                if info.node_name == RECORDER
            ]
            for info in self.get_publishers_info_by_topic(name) if readers else ():
                fits = (qos_check_compatible(info.qos_profile, reader)[0] for reader in readers)
                if all(fit == QoSCompatibility.ERROR for fit in fits):
                    found.append(
                        f"{name}: what {info.node_name} publishes does not reach the recording, "
                        "because it offers another quality of service than the publishers before: "
                        "start the recording again"
                    )
        return found

    def _lost(self, now: float) -> list[str]:
        """Topics of which the bag itself lacks what has arrived here."""
        if self._bag is None:
            return []
        self._bag.look()
        if self._bag.size != self._size:
            self._grown, self._size, self._received = now, self._bag.size, 0
        if self._received > UNWRITTEN and now - self._grown > 2 * DISCOVERY:
            return [f"{self._config.bag}: the recording does not grow; is the disk full?"]
        if not self._bag.newest:
            return []
        ahead = time.time() - now  # the recorder's clock is that of the system
        kept = {topic: log / 1e9 - ahead for topic, log in self._bag.newest.items()}
        horizon = max(kept.values())
        meters = self._meters.values()
        faults = (
            m.lost(kept.get(self.resolve_topic_name(m.stream.topic)), horizon) for m in meters
        )
        return [fault for fault in faults if fault]

    def _unknown_pauses(self, now: float) -> str:
        """Why the time in which the operator is clutched may be unknown; empty if it is known.

        arm_node's commands are the steps themselves, so that no clutch is needed beside them.
        """
        pauses = [stream.topic for stream in streams(self._config) if stream.pauses]
        heard = {t for t in self._meters if self.resolve_topic_name(t) in self._heard}
        moves = topics.arm(self._config.arm, "setpoint_cp") in heard
        if now - self._began < LATE or not moves or heard & {*pauses, topics.ARM_COMMAND}:
            return ""
        return (
            f"no clutch: nothing publishes {', '.join(pauses)}; the import cannot cut out the time "
            "while a clutch is pressed (record.launch.py: clutch:=TOPIC)"
        )

    def _report(self) -> None:
        now = time.monotonic()
        episode = f"episode {self._marks} runs" if self._running else "no episode runs"
        last = f", last mark '{self._last}'" if self._last else ""
        bad = f"; {len(self._warned)} WARNINGS" if self._warned else ""
        rates = describe(list(self._meters.values()), now)
        self.get_logger().info(f"{now - self._began:.0f} s, {episode}{last}{bad}: {rates}")


def _message(stream: RecordedTopic) -> Any:
    """The class of a stream's messages."""
    package, _, name = stream.kind.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), name)


def main(args: list[str] | None = None) -> None:
    """Entry point of the process; `args` by default those of the command line."""
    sys.exit(run(RecordMonitor, args))


if __name__ == "__main__":
    main()
