"""What `preflight_node` hears and asks with: subscriptions and parameter clients, nothing else."""

from __future__ import annotations

import array
from typing import Any

from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage

from dvrk_cable_env.camera.segmentation_frames import pixels_of
from dvrk_cable_env.preflight.seen import Picture, WatchedTopic
from ls3_common.ros import nanoseconds


class Ear:
    """One topic: its newest message, and the stamps of those since `forget`."""

    def __init__(self, node: Node, kind: type, topic: str, profile: QoSProfile) -> None:
        self._node, self._topic = node, topic
        self.newest: Any = None
        self._heard: list[tuple[int, int]] = []
        node.create_subscription(kind, topic, self._hear, profile)

    def _hear(self, message: Any) -> None:
        self.newest = message
        now = int(self._node.get_clock().now().nanoseconds)
        self._heard.append((nanoseconds(message.header.stamp), now))

    def forget(self) -> None:
        """Count from here."""
        self._heard.clear()

    def stream(self) -> WatchedTopic:
        """What came, and who publishes it."""
        name = self._node.resolve_topic_name(self._topic)
        found = self._node.get_publishers_info_by_topic(name)
        stamps, arrivals = zip(*self._heard, strict=True) if self._heard else ((), ())
        return WatchedTopic(name, stamps, arrivals, tuple(sorted(info.node_name for info in found)))

    def picture(self) -> Picture:
        """The newest message as an image."""
        if self.newest is None:
            return Picture()
        compressed = isinstance(self.newest, CompressedImage)
        encoding = self.newest.format if compressed else self.newest.encoding
        try:
            return Picture(encoding, pixels_of(self.newest), "")
        except ValueError as error:
            return Picture(encoding, None, str(error))


class Remote:
    """Some parameters of another node, asked for once it is there."""

    def __init__(self, node: Node, name: str, keys: list[str]) -> None:
        self._keys = keys
        self._client = node.create_client(GetParameters, f"{name}/get_parameters")
        self._future: Any = None

    @property
    def present(self) -> bool:
        """Whether there is anybody to ask."""
        return bool(self._client.service_is_ready())

    def ask(self) -> None:
        """Ask, unless that was done."""
        if self._future is None and self.present:
            self._future = self._client.call_async(GetParameters.Request(names=self._keys))

    def values(self) -> dict[str, Any] | None:
        """By dotted name; None before the answer, and where it lacks one: another version."""
        answer = self._future.result() if self._future and self._future.done() else None
        if answer is None or len(answer.values) != len(self._keys):
            return None
        values = map(parameter_value_to_python, answer.values)
        return {
            key: list(value) if isinstance(value, array.array) else value
            for key, value in zip(self._keys, values, strict=True)
        }
