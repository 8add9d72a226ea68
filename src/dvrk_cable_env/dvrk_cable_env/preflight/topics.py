"""The ROS inputs of `preflight_node`: subscriptions and parameter clients, nothing else."""

from __future__ import annotations

import array
import time
from typing import Any

from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage

from dvrk_cable_env.camera.segmentation_frames import pixels_of
from dvrk_cable_env.preflight.findings import Picture, WatchedTopic
from ls3_common.ros import nanoseconds


class TopicListener:
    """Keeps the newest message of one topic, and the stamps of all messages since `restart`."""

    def __init__(self, node: Node, kind: type, topic: str, profile: QoSProfile) -> None:
        """Subscribe on `node` to `topic`, whose messages are of the class `kind`."""
        self._node, self._topic = node, topic
        self.newest: Any = None
        self._times: list[tuple[int, int]] = []  # stamp and arrival, ns
        node.create_subscription(kind, topic, self._receive, profile)

    def _receive(self, message: Any) -> None:
        self.newest = message
        now = int(self._node.get_clock().now().nanoseconds)
        self._times.append((nanoseconds(message.header.stamp), now))

    def restart(self) -> None:
        """Forget the stamps so far; the newest message stays."""
        self._times.clear()

    def stream(self) -> WatchedTopic:
        """Return the stamps since `restart`, and the topic's publishers."""
        name = self._node.resolve_topic_name(self._topic)
        found = self._node.get_publishers_info_by_topic(name)
        stamps, arrivals = zip(*self._times, strict=True) if self._times else ((), ())
        return WatchedTopic(name, stamps, arrivals, tuple(sorted(info.node_name for info in found)))

    def picture(self) -> Picture:
        """Return the newest message as a picture, or why it cannot be decoded."""
        if self.newest is None:
            return Picture()
        compressed = isinstance(self.newest, CompressedImage)
        encoding = self.newest.format if compressed else self.newest.encoding
        try:
            return Picture(encoding, pixels_of(self.newest), "")
        except ValueError as error:
            return Picture(encoding, None, str(error))


ASK_AGAIN = 1.0
"""Wall seconds after which a request without an answer is sent again."""


class RemoteParameters:
    """Reads parameters of another node, once the node is there."""

    def __init__(self, node: Node, name: str, keys: list[str]) -> None:
        """Read the parameters `keys` of the node `name`, with a client on `node`."""
        self._keys = keys
        self._client = node.create_client(GetParameters, f"{name}/get_parameters")
        self._futures: list[Any] = []
        self._asked = 0.0  # wall time of the newest request, s

    @property
    def present(self) -> bool:
        """Whether the other node is there."""
        return bool(self._client.service_is_ready())

    def ask(self) -> None:
        """Send the request, if the node is there, until an answer comes.

        The answer to a client whom the other node has only just met may be lost. A slow node may
        still answer an earlier request.
        """
        waits = self._answer() is None and time.monotonic() > self._asked + ASK_AGAIN
        if waits and self.present:
            self._asked = time.monotonic()
            request = GetParameters.Request(names=self._keys)
            self._futures.append(self._client.call_async(request))

    def _answer(self) -> Any:
        """The first answer to any request; None before."""
        return next((future.result() for future in self._futures if future.done()), None)

    def values(self) -> dict[str, Any] | None:
        """Return the values by dotted name; None before the answer, or if a parameter is missing.

        A missing parameter means that the node is of another version.
        """
        answer = self._answer()
        if answer is None or len(answer.values) != len(self._keys):
            return None
        values = map(parameter_value_to_python, answer.values)
        return {
            key: list(value) if isinstance(value, array.array) else value
            for key, value in zip(self._keys, values, strict=True)
        }
