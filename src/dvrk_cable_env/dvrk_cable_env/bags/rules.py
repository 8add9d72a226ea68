"""How episodes are made from a bag."""

from __future__ import annotations

from dataclasses import dataclass, field

from dvrk_cable_env.arm.limits import ArmLimits
from dvrk_cable_env.bags.records import BagFault, TopicNames
from dvrk_cable_env.camera.segmentation import SegmentationConfig


@dataclass(frozen=True)
class Rules:
    """How episodes are made from a bag.

    names: topics to read. actions: source of the actions, `commands`, `setpoints`, or `auto` for
    whichever the episode has. settle: rest between a motion and its frame, as in episode_node, s.
    period: time between states with `setpoints`, s. max_gap: longest delay of a frame after it was
    due, s. max_skew: longest time from a frame to the nearest setpoint, s. plane: largest distance
    of the tip from its mean height, m. limits: of the arm. segmentation: crop and colour ranges.

    For tasks without an arm of ours: crop: (left, top, width, height) of the part of a picture to
    use, px; empty: all. action_topic: topic whose messages are the actions, one a step.
    action_fields: the numbers of an action in a message, such as ``twist.linear.x``; empty: `data`.
    """

    names: TopicNames = field(default_factory=TopicNames)
    actions: str = "auto"
    settle: float = 0.1
    period: float = 0.5
    max_gap: float = 1.0
    max_skew: float = 0.1
    plane: float = 0.003
    limits: ArmLimits = field(default_factory=ArmLimits)
    segmentation: SegmentationConfig = field(default_factory=SegmentationConfig)
    crop: tuple[int, ...] = ()
    action_topic: str = ""
    action_fields: tuple[str, ...] = ()


def late_frame(state: int, late: int) -> BagFault:
    """Return the fault of a state (0: any) whose frame comes `late` ns after it was due."""
    gap = f"{f'for state {state} ' if state else ''}for {late / 1e9:.3g} s"
    return BagFault(f"no frame {gap}: frames were lost, or the clock jumped forward")
