"""What `preflight` sees and how it says what that is worth. Pure: no ROS.

Stamps are integers in nanoseconds of the graph's clock, 0 means invalid.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dvrk_cable_env.arm.arm import ArmConfig
from dvrk_cable_env.camera.segmentation import SegmentationConfig
from ls3_common.parameters import parameter

OK, WARNING, FAILED = "ok", "warning", "FAILED"
START = "start arm_node with the parameter file"


@dataclasses.dataclass(frozen=True)
class CheckResult:
    """One line for the operator. Only FAILED forbids an episode."""

    check: str
    level: str
    seen: str
    do: str = ""

    def __str__(self) -> str:
        line = f"{self.level:<8}{self.check:<15}{self.seen}"
        return " ".join((f"{line} -> {self.do}" if self.do else line).splitlines())


@dataclasses.dataclass(frozen=True)
class PreflightConfig:
    """Parameters of preflight."""

    arm: str = parameter(
        "", description="CRTK name of the arm; empty: arm_node's in the parameter file, or PSM1"
    )
    domain: str = parameter("cable_routing", description="what the model must be trained for")
    model: str = parameter(
        "", description="directory of the trained models; empty: those of encoder and planner"
    )
    timeout: float = parameter(
        10.0, description="longest wait until everything is heard of", unit="s", low=0.1, high=300.0
    )
    watch: float = parameter(
        2.0, description="how long it is watched from then on", unit="s", low=0.5, high=60.0
    )
    min_camera_rate: float = parameter(
        5.0, description="slowest camera, by its stamps", unit="Hz", low=0.1, high=1000.0
    )
    max_camera_age: float = parameter(
        0.5, description="oldest frame on arrival, median", unit="s", low=0.01, high=60.0
    )
    min_cable: int = parameter(10, description="fewest cable pixels of a mask", unit="px", low=1)
    max_cable: float = parameter(
        0.3, description="largest share of a mask that may be cable", low=0.0, high=1.0
    )


@dataclasses.dataclass(frozen=True)
class WatchedTopic:
    """What came on one topic while it was watched, with the clock (ns) at each arrival."""

    topic: str
    stamps: tuple[int, ...] = ()
    arrivals: tuple[int, ...] = ()
    publishers: tuple[str, ...] = ()

    @property
    def rate(self) -> float:
        """By the stamps (Hz), so that a simulation may be slower than the wall."""
        if len(self.stamps) < 2 or self.stamps[-1] <= self.stamps[0]:
            return 0.0
        return (len(self.stamps) - 1) / (self.stamps[-1] - self.stamps[0]) * 1e9

    @property
    def age(self) -> float:
        """Median of arrival - stamp (s): what this process itself was late for is no matter."""
        return float(np.median(np.subtract(self.arrivals, self.stamps))) * 1e-9

    def fault(self, max_age: float, max_skew: float) -> str:
        """Why it cannot be relied upon, or an empty text."""
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
    """The newest image of a topic: uint8 (height, width, channel), or why there are no pixels."""

    encoding: str = ""
    pixels: NDArray[np.uint8] | None = None
    fault: str = "no image"


@dataclasses.dataclass(frozen=True)
class PoseStream:
    """One of the arm's poses; the newest tip (x, y, z) in `frame` (m)."""

    stream: WatchedTopic
    frame: str = ""
    position: tuple[float, ...] = ()
    is_rotation: bool = True


@dataclasses.dataclass(frozen=True)
class Model:
    """What the files of a trained model say; `identity` as the nodes tell it."""

    path: str
    identity: str
    domain: str
    image: tuple[int, ...]  # height, width, channel
    action_low: tuple[float, ...]  # m
    action_high: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Seen:
    """Everything that is judged; as it stands, nothing at all was seen.

    `arm` and `segmentation` are the parameters of the nodes as they run, None where one does not
    answer; `differences` names, by node, what the parameter file has otherwise.
    """

    simulated: bool = False  # this process follows /clock
    clock: tuple[int, int] = (0, 0)  # at the begin and the end (ns)
    camera: WatchedTopic = WatchedTopic("camera/image_raw")
    frame: Picture = Picture()
    segmentation: SegmentationConfig | None = None
    lens_fault: str = ""  # why this frame's lens cannot be corrected, where `undistort` wants it
    mask: WatchedTopic = WatchedTopic("segmentation/mask")
    mask_picture: Picture = Picture()
    task: WatchedTopic = WatchedTopic("task_state")
    success: bool = False
    constraint: bool = False
    arm_name: str = "PSM1"  # whose topics were listened to
    arm: ArmConfig | None = None
    arm_simulated: bool = False
    differences: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    state: str = ""  # CRTK's
    is_homed: bool = False
    is_busy: bool = False
    setpoint: PoseStream = PoseStream(WatchedTopic("setpoint_cp"))
    measured: PoseStream = PoseStream(WatchedTopic("measured_cp"))
    moving: bool = False  # arm_node's word
    commanders: tuple[str, ...] = ()  # but arm_node
    pedal_present: bool = False
    pedal_heard: bool = False
    teleoperation: tuple[str, ...] = ()  # objections
    models: Mapping[str, Model | str] = dataclasses.field(default_factory=dict)
    """By who uses it; a text says why it cannot be told."""
    latent_model: str = ""  # identity that the encoder's messages carry
    complaints: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What nodes of the graph say on /diagnostics, where it is not "ok"."""
