"""black_box: keeps the last minute of the control step in memory, and a bag of it at each latch.

When `arm_node` stops being ready for another reason than an operator's wish, the messages of the
last `seconds` and of the next `after` seconds become a bag, named by time and reason. `~/keep`
keeps a bag at any time. `ls3 replay BAG` makes the plans in the bag again. The node sends nothing
that moves anything.
"""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from std_srvs.srv import Trigger

from dvrk_cable_env.arm.arm import BY_OPERATOR
from dvrk_cable_env.black_box.bags import bag_name, delete_oldest, write_bag
from dvrk_cable_env.black_box.memory import MB, BlackBoxConfig, Kept, Memory
from dvrk_cable_env.teleop.recording import RecordingConfig, streams
from ls3_common import qos, topics
from ls3_common.health import Health
from ls3_common.ros import declare, run
from ls3_interfaces.msg import MotionState

GRAPH_PERIOD = 0.5
"""Wall seconds between two looks for new topics."""
CLOCK_PERIOD = 0.1
"""Wall seconds between two looks at whether a bag is due."""
DEPTH = 100
"""Messages of a topic that wait while this process is busy."""


def wanted(config: BlackBoxConfig) -> list[str]:
    """Return the names of all topics of the control step."""
    recorded = streams(RecordingConfig(arm=config.arm, camera=config.camera))
    of_arm = ("local/setpoint_cp", "error", "warning", "status")
    return [
        *(stream.topic for stream in recorded),
        *(topics.MASK, topics.LATENT, topics.PLAN_INPUT, topics.RETREAT, topics.RESET_REQUEST),
        *(topics.arm(config.arm, name) for name in of_arm),
        *("/diagnostics", "/rosout"),
    ]


class BlackBoxNode(Node):
    """Passes messages to `Memory`, and writes a bag in a thread when one is due."""

    def __init__(self) -> None:
        super().__init__("black_box")
        self._config = config = declare(self, BlackBoxConfig)
        self._memory = Memory(config.seconds + config.after, config.memory * MB)
        self._kinds: dict[str, str] = {}  # of the topics that are kept, by full name
        self._wanted = {self.resolve_topic_name(name) for name in wanted(config)}
        self._state_topic = self.resolve_topic_name(topics.MOTION_STATE)
        self._was_ready = False
        self._due: tuple[float, str, float] | None = None  # when (steady), why, and wall time then
        self._writer: threading.Thread | None = None
        self._health = Health(self)
        self.create_service(Trigger, "~/keep", self._on_keep)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(GRAPH_PERIOD, self._subscribe, clock=steady)
        self.create_timer(CLOCK_PERIOD, self._tick, clock=steady)
        self._subscribe()

    def close(self) -> None:
        """Write what is due before the process ends."""
        if self._writer is not None:
            self._writer.join()
        if self._due is not None:
            self._write(*self._due[1:], self._memory.messages(time.time_ns()))

    def _subscribe(self) -> None:
        """Subscribe to the topics that have appeared, as their publishers offer them."""
        for topic, kinds in self.get_topic_names_and_types():
            if topic not in self._wanted or not self.count_publishers(topic):
                continue
            self._wanted.discard(topic)
            try:
                package, _, name = kinds[0].split("/")
                kind = getattr(importlib.import_module(f"{package}.msg"), name)
            except (ImportError, AttributeError, ValueError):
                self.get_logger().warning(f"not kept: {topic}, {kinds[0]} is not installed")
                continue
            self._kinds[topic] = kinds[0]
            offered = self.get_publishers_info_by_topic(topic)
            self.create_subscription(
                kind,
                topic,
                lambda data, topic=topic: self._receive(topic, data),
                qos.matching((info.qos_profile for info in offered), DEPTH),
                raw=True,
            )

    def _receive(self, topic: str, data: bytes) -> None:
        self._memory.add(Kept(topic, time.time_ns(), data))
        if topic == self._state_topic:
            self._on_state(deserialize_message(data, MotionState))

    def _on_state(self, state: MotionState) -> None:
        latched = self._was_ready and not state.ready
        self._was_ready = state.ready
        if latched and self._due is None and BY_OPERATOR not in state.reason:
            self._due = time.monotonic() + self._config.after, state.reason, time.time()

    def _tick(self) -> None:
        if self._due is None or time.monotonic() < self._due[0]:
            return
        if self._writer is None or not self._writer.is_alive():
            due, self._due = self._due, None
            arguments = (*due[1:], self._memory.messages(time.time_ns()))
            # messages go on arriving while a large bag is written
            self._writer = threading.Thread(target=self._write, args=arguments, name="writer")
            self._writer.start()

    def _on_keep(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._due is None
        response.message = "a bag is being written" if self._due else f"in {self._config.out}"
        self._due = self._due or (time.monotonic(), "asked by the operator", time.time())
        return response

    def _write(self, reason: str, when: float, messages: Sequence[Kept]) -> None:
        folder = Path(self._config.out)
        try:
            path = write_bag(folder, bag_name(reason, when), messages, self._kinds)
            deleted = delete_oldest(folder, self._config.disk * MB)
        except (OSError, ValueError) as error:
            said = f"no bag of '{reason}': {folder}: {getattr(error, 'strerror', None) or error}"
            self._health.stand(said)
            self.get_logger().error(said)
            return
        self._health.stand("")
        gone = f"; deleted {', '.join(bag.name for bag in deleted)}" if deleted else ""
        self.get_logger().warning(f"kept '{reason}' in {path}, {len(messages)} messages{gone}")


def main(args: list[str] | None = None) -> None:
    """Entry point of the process; `args` by default those of the command line."""
    sys.exit(run(BlackBoxNode, args))


if __name__ == "__main__":
    main()
