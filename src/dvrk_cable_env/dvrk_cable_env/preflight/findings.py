"""The data types of `preflight`: findings, results of checks, parameters. No ROS.

Stamps are integers in nanoseconds of the graph's clock; 0 means invalid.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dvrk_cable_env.arm.arm import ArmConfig
from dvrk_cable_env.arm.pose import IDENTITY, Pose
from dvrk_cable_env.camera.segmentation import SegmentationConfig
from ls3_common.parameters import parameter

OK, WARNING, FAILED = "ok", "warning", "FAILED"
"""Levels of a result. Only FAILED forbids an episode."""
START = "start arm_node with the parameter file"


@dataclasses.dataclass(frozen=True)
class CheckResult:
    """The result of one check, one line for the operator.

    check: name of the check. level: OK, WARNING or FAILED. found: what was found. do: what to do.
    """

    check: str
    level: str
    found: str
    do: str = ""

    def __str__(self) -> str:
        line = f"{self.level:<8}{self.check:<15}{self.found}"
        return " ".join((f"{line} -> {self.do}" if self.do else line).splitlines())


@dataclasses.dataclass(frozen=True)
class PreflightConfig:
    """Parameters of preflight; the description of a field says what it means and in which unit."""

    arm: str = parameter(
        "", description="CRTK name of the arm; empty: as arm_node in the parameter file, or PSM1"
    )
    domain: str = parameter(
        "cable_routing", description="domain for which the model must be trained"
    )
    model: str = parameter(
        "",
        description="directory of a trained model; empty: the model of encoder and planner",
        is_path=True,
    )
    timeout: float = parameter(
        10.0, description="longest wait for all topics", unit="s", low=0.1, high=300.0
    )
    watch: float = parameter(
        2.0, description="time for which the topics are then watched", unit="s", low=0.5, high=60.0
    )
    min_camera_rate: float = parameter(
        5.0, description="lowest camera rate, by stamps", unit="Hz", low=0.1, high=1000.0
    )
    max_camera_age: float = parameter(
        0.5, description="largest median age of frames on arrival", unit="s", low=0.01, high=60.0
    )
    min_cable: int = parameter(
        10, description="smallest number of cable pixels in a mask", unit="px", low=1
    )
    max_cable: float = parameter(
        0.3, description="largest share of a mask that is cable", low=0.0, high=1.0
    )


@dataclasses.dataclass(frozen=True)
class WatchedTopic:
    """The messages that arrived on one topic while it was watched, n messages.

    topic: full name. stamps: of the messages, ns, n entries. arrivals: time by the graph's clock
    at each arrival, ns, n entries. publishers: names of the nodes that publish the topic.
    """

    topic: str
    stamps: tuple[int, ...] = ()
    arrivals: tuple[int, ...] = ()
    publishers: tuple[str, ...] = ()

    @property
    def rate(self) -> float:
        """Rate by the stamps, Hz, which also holds for a simulation that is slower than real."""
        if len(self.stamps) < 2 or self.stamps[-1] <= self.stamps[0]:
            return 0.0
        return (len(self.stamps) - 1) / (self.stamps[-1] - self.stamps[0]) * 1e9

    @property
    def age(self) -> float:
        """Median of arrival minus stamp, s; delays of this process itself do not count."""
        return float(np.median(np.subtract(self.arrivals, self.stamps))) * 1e-9

    def fault(self, max_age: float, max_skew: float) -> str:
        """Return why the topic cannot be relied upon; empty if it can.

        Args:
            max_age: largest `age`, s.
            max_skew: how far stamps may lie in the future, s.
        """
        if len(self.publishers) > 1:
            return (
                f"{self.topic} has {len(self.publishers)} publishers: {', '.join(self.publishers)}"
            )
        if not self.stamps:
            return f"nothing arrives on {self.topic}"
        if 0 in self.stamps:
            return f"stamps of {self.topic} are 0, which means invalid"
        if self.age < -max_skew:
            return f"stamps of {self.topic} are {-self.age:.2f} s in the future: another clock"
        if self.age > 3600:
            return f"stamps of {self.topic} are of another clock"
        if self.age > max_age:
            return f"{self.topic} is {self.age:.2f} s old on arrival, allowed {max_age:g} s"
        if not self.rate:
            return f"stamps of {self.topic} do not advance"
        return ""


@dataclasses.dataclass(frozen=True)
class Picture:
    """The newest image of a topic: uint8 (height, width, channels), or why there are no pixels."""

    encoding: str = ""
    pixels: NDArray[np.uint8] | None = None
    fault: str = "no image"


@dataclasses.dataclass(frozen=True)
class PoseStream:
    """One of the arm's pose topics with its newest pose.

    stream: the topic's messages. frame: of the pose. position: tip (x, y, z) in that frame, m.
    is_rotation: whether the orientation is a unit quaternion.
    rotation: the orientation, a quaternion (x, y, z, w).
    """

    stream: WatchedTopic
    frame: str = ""
    position: tuple[float, ...] = ()
    is_rotation: bool = True
    rotation: tuple[float, ...] = IDENTITY

    @property
    def pose(self) -> Pose:
        """Position and orientation, m."""
        return Pose(self.position, self.rotation)


@dataclasses.dataclass(frozen=True)
class Model:
    """What the files of a trained model say.

    path: directory. identity: hash of the weights, as in Latent messages. domain: for which the
    model was trained. image: (height, width, channels). action_low, action_high: bounds (dx, dy)
    of an action, m. saw_violation, saw_goal: as in `ModelFacts`.
    """

    path: str
    identity: str
    domain: str
    image: tuple[int, ...]
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    saw_violation: bool | None = None
    saw_goal: bool | None = None


@dataclasses.dataclass(frozen=True)
class Findings:
    """Everything that the checks judge. The defaults describe that nothing was found.

    simulated: whether preflight follows /clock. clock: at begin and end of the watch, ns.
    camera, frame: the camera's topic and its newest picture. mask, mask_picture: likewise.
    segmentation, arm: parameters of the running segmentation_node and arm_node; None if the node
    does not answer. lens_fault: why the lens cannot be corrected although `undistort` is true.
    task, success, constraint: the task_state topic and its newest content.
    arm_name: CRTK name of the arm listened to. arm_simulated: use_sim_time of arm_node.
    differences: parameters that differ from the file, one line each, by node.
    state, is_homed, is_busy: CRTK's operating state. setpoint, measured: the arm's poses.
    local: the setpoint relative to the arm's base. reach: why the arm's inverse kinematics refuses
    a place of the workspace (empty: does not), by place; None if the arm has no such service.
    moving: whether arm_node reports a motion. commanders: other nodes that publish motions.
    hold_heard: whether a program that drives an arm subscribes to the arm's `hold`.
    pedal_present, pedal_heard: whether the pedal has a publisher, and whether it sent a message.
    teleoperation: objections of the teleoperation guards.
    models: the model of each node that uses one, or why it cannot be read.
    latent_model: identity in the encoder's messages. complaints: reports on /diagnostics that are
    not OK, by node.
    """

    simulated: bool = False
    clock: tuple[int, int] = (0, 0)
    camera: WatchedTopic = WatchedTopic("camera/image_raw")
    frame: Picture = Picture()
    segmentation: SegmentationConfig | None = None
    lens_fault: str = ""
    mask: WatchedTopic = WatchedTopic("segmentation/mask")
    mask_picture: Picture = Picture()
    task: WatchedTopic = WatchedTopic("task_state")
    success: bool = False
    constraint: bool = False
    arm_name: str = "PSM1"
    arm: ArmConfig | None = None
    arm_simulated: bool = False
    differences: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    state: str = ""
    is_homed: bool = False
    is_busy: bool = False
    setpoint: PoseStream = PoseStream(WatchedTopic("setpoint_cp"))
    measured: PoseStream = PoseStream(WatchedTopic("measured_cp"))
    local: PoseStream = PoseStream(WatchedTopic("local/setpoint_cp"))
    reach: Mapping[str, str] | None = None
    moving: bool = False
    commanders: tuple[str, ...] = ()
    hold_heard: bool = False
    pedal_present: bool = False
    pedal_heard: bool = False
    teleoperation: tuple[str, ...] = ()
    models: Mapping[str, Model | str] = dataclasses.field(default_factory=dict)
    latent_model: str = ""
    complaints: Mapping[str, str] = dataclasses.field(default_factory=dict)
