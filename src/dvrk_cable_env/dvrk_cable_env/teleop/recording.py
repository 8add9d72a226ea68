"""The topics of a recording that can be imported, and whether they arrive. No ROS."""

from __future__ import annotations

import dataclasses
import struct
from collections import deque
from collections.abc import Sequence

from ls3_common import topics
from ls3_common.parameters import parameter

RECORDER = "rosbag2_recorder"
"""Name of the node of `ros2 bag record`."""
PEDALS = ("clutch", "camera", "operator_present", "coag", "bicoag")
"""Topics of the dVRK's pedals and head sensor in each of their namespaces."""
LATE = 3.0
"""Seconds without a message after which a stream counts as missing."""
SLACK = 1.0
"""Seconds by which the recorder may note another time of arrival than the monitor."""
DISCOVERY = 5.0
"""Seconds that the recorder may take, after the monitor, to find the publisher of a topic."""
WINDOW = 3.0
"""Seconds over which a rate is measured."""


@dataclasses.dataclass(frozen=True)
class RecordingConfig:
    """Parameters of record_monitor; record.launch.py sets them."""

    arm: str = parameter("PSM1", description="CRTK name of the arm")
    console: str = parameter("MTMR", description="CRTK name of the master that drives the arm")
    camera: str = parameter(
        topics.CAMERA_IMAGE,
        description="the camera's topic, of type CompressedImage if it ends in /compressed",
    )
    pedals: str = parameter(
        "console console1 console2 footpedals",
        description="namespaces of the topics of pedals, separated by spaces",
    )
    clutch: str = parameter("", description="topic of a clutch that is in none of these namespaces")
    camera_rate: float = parameter(
        5.0, description="lowest rate of the camera", unit="Hz", low=0.0, high=1000.0
    )
    state_rate: float = parameter(
        50.0, description="lowest rate of the arm's poses", unit="Hz", low=0.0, high=1000.0
    )
    report: float = parameter(
        5.0, description="time between two reports", unit="s", low=0.5, high=3600.0
    )
    bag: str = parameter("", description="directory of the recording; empty: it is not watched")
    mark_topic: str = parameter(topics.EPISODE_MARK, description="topic of the operator's marks")


@dataclasses.dataclass(frozen=True)
class RecordedTopic:
    """One topic of a recording.

    topic: name. kind: message type. rate: lowest rate by wall time, Hz; 0 for events. wanted:
    whether an import needs the topic. stamped: whether messages begin with a header. pauses:
    whether messages tell that the operator is clutched.
    """

    topic: str
    kind: str
    rate: float = 0.0
    wanted: bool = False
    stamped: bool = False
    pauses: bool = False


def streams(config: RecordingConfig) -> list[RecordedTopic]:
    """Return the topics that belong in a bag; docs/demonstrations.md says what each is for."""

    def of_arm(name: str, kind: str, rate: float = 0.0, wanted: bool = False) -> RecordedTopic:
        return RecordedTopic(topics.arm(config.arm, name), kind, rate, wanted, stamped=True)

    master = f"{config.console}_{config.arm}"
    pose, joints = "geometry_msgs/msg/PoseStamped", "sensor_msgs/msg/JointState"
    compressed = config.camera.endswith("/compressed")
    camera = "sensor_msgs/msg/CompressedImage" if compressed else "sensor_msgs/msg/Image"
    pedals = [f"{place}/{name}" for place in config.pedals.split() for name in PEDALS]
    pedals += [config.clutch] if config.clutch else []
    return [
        RecordedTopic(config.camera, camera, config.camera_rate, wanted=True, stamped=True),
        of_arm("setpoint_cp", pose, config.state_rate, wanted=True),
        of_arm("measured_cp", pose, config.state_rate, wanted=True),
        of_arm("operating_state", "crtk_msgs/msg/OperatingState"),
        *(of_arm(name, joints) for name in ("setpoint_js", "measured_js")),
        *(of_arm(f"jaw/{name}", joints) for name in ("setpoint_js", "measured_js")),
        of_arm("measured_cv", "geometry_msgs/msg/TwistStamped"),
        of_arm("local/measured_cp", pose),
        *(
            RecordedTopic(topic, f"ls3_interfaces/msg/{kind}")
            for topic, kind in (
                (topics.TASK_STATE, "TaskState"),
                (topics.STEP_REQUEST, "StepRequest"),
                (topics.PLAN, "Plan"),
                (topics.ARM_COMMAND, "ArmCommand"),
                (topics.MOTION_STATE, "MotionState"),
                (topics.MOTION_HISTORY, "MotionState"),
            )
        ),
        RecordedTopic(config.mark_topic, "std_msgs/msg/String"),
        RecordedTopic("joy", "sensor_msgs/msg/Joy"),
        *(
            RecordedTopic(
                topic,
                "sensor_msgs/msg/Joy",
                pauses=topic == config.clutch or topic.endswith("/clutch"),
            )
            for topic in dict.fromkeys(pedals)
        ),
        RecordedTopic(f"{master}/following", "std_msgs/msg/Bool", pauses=True),
        RecordedTopic(f"{master}/scale", "std_msgs/msg/Float64"),
        RecordedTopic(topics.of_camera(config.camera, "camera_info"), "sensor_msgs/msg/CameraInfo"),
        RecordedTopic("/tf_static", "tf2_msgs/msg/TFMessage"),
    ]


def header_stamp(data: bytes) -> int:
    """Return the stamp (ns) of a serialised message with a header; 0 if it is too short."""
    if len(data) < 12:
        return 0
    order = "<" if data[1] & 1 else ">"  # the encapsulation of CDR states the byte order
    seconds, rest = struct.unpack_from(f"{order}iI", data, 4)
    return max(int(seconds) * 10**9 + int(rest), 0)


class Meter:
    """Measures at which rate one topic arrives, and warns. Times are seconds of a steady clock."""

    def __init__(self, stream: RecordedTopic, now: float) -> None:
        """Begin to measure `stream` at time `now`."""
        self.stream, self.count = stream, 0
        self._since, self._newest = now, -1.0
        self._arrivals: deque[float] = deque(maxlen=4096)
        self._invalid: deque[float] = deque(maxlen=4096)  # with stamp 0

    def receive(self, now: float, stamp: int | None = None) -> None:
        """Count a message that arrived at `now`; `stamp` (ns) if the message has a header."""
        self.count += 1
        self._newest = now
        self._arrivals.append(now)
        if stamp == 0:
            self._invalid.append(now)

    def rate(self, now: float) -> float:
        """Rate (Hz) over the last `WINDOW` seconds, or since the start if that is shorter."""
        span = min(WINDOW, now - self._since)
        return self._within(self._arrivals, now) / span if span > 0 else 0.0

    def warning(self, now: float) -> str:
        """Return what is wrong with the topic; empty if nothing is, and in the first seconds."""
        stream = self.stream
        if now - self._since < LATE:
            return ""
        if stream.wanted and not self.count:
            return f"{stream.topic}: missing, no message has arrived"
        if stream.rate and self.count and now - self._newest > LATE:
            return f"{stream.topic}: no message for {LATE:g} s"
        arrived = self._within(self._arrivals, now)
        if stream.rate and self.count and arrived < stream.rate * WINDOW:
            return f"{stream.topic}: slow, less than {stream.rate:g} Hz"
        if stream.stamped and 2 * self._within(self._invalid, now) > arrived > 0:
            return f"{stream.topic}: most messages have stamp 0, which means invalid"
        return ""

    def lost(self, kept: float | None, horizon: float) -> str:
        """Return that messages arrive here but not in the recording; empty if they do.

        Args:
            kept: when the newest message of the topic in the bag was recorded; None: there is none.
            horizon: when the newest message of all in the bag was recorded. What was recorded
                later may still be in the recorder's memory.
        """
        if not self._arrivals:
            return ""
        since = self._arrivals[0] + DISCOVERY if kept is None else kept
        gone = any(since + SLACK < time < horizon - SLACK for time in self._arrivals)
        if horizon - since <= LATE or not gone:
            return ""
        return f"{self.stream.topic}: messages arrive, but not in the recording"

    @staticmethod
    def _within(times: deque[float], now: float) -> int:
        return sum(now - time <= WINDOW for time in times)


def describe(meters: Sequence[Meter], now: float) -> str:
    """Describe all topics in one line: the rate of streams, the number of messages of events."""
    parts = []
    for meter in meters:
        if meter.stream.rate:
            parts.append(f"{meter.stream.topic} {meter.rate(now):.3g} Hz")
        elif meter.count:
            parts.append(f"{meter.stream.topic} {meter.count}")
    return ", ".join(parts)
