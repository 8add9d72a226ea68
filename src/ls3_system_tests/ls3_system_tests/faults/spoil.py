"""How the injector spoils one message: which messages are passed on instead, and when.

The injector stands between camera and segmentation, encoder and planner, planner and arm, arm and
robot. Each function takes the names of the active faults and a message. The function may change
that message, and returns the messages to pass on.
"""

from __future__ import annotations

import copy
import math
from array import array
from collections.abc import Collection
from typing import Any

from ls3_common.domain import load_spec
from ls3_common.images import to_array
from ls3_common.ros import nanoseconds, to_time
from ls3_sim.foreign import cropped, moved, swapped_colours

Passed = list[tuple[float, Any]]
"""Seconds to wait, and the message to pass on."""
FAR_NS = 60_000_000_000
"""How far a stamp is shifted into the past or the future."""
OUTWARD_M = load_spec("cable_routing").largest_action
DRIFT_M, ECM_M = 0.003, 0.0015
"""How far the tip of a drifting arm climbs, and the frame of its poses if the camera arm moves.
The first is more than `max_height_change`; the second is less, but more than `max_base_shift`."""
REJECTION = "move_cp: no inverse kinematics for this goal"
LATE_S = 1.4
"""Delay of a late plan, longer than `max_image_age` of the campaign's limits."""
FOREIGN = {"frame_colours": swapped_colours, "frame_moved": moved, "frame_cropped": cropped}
"""Good frames of another scene, by the fault's name."""


class FrameSpoiler:
    """Spoils camera frames; keeps frames that are to be repeated or delayed."""

    def __init__(self) -> None:
        self._frozen: Any = None
        self._kept: Any = None

    def pass_on(self, active: Collection[str], frame: Any) -> Passed:
        """Spoil a camera frame."""
        if "camera_lost" in active:
            return []
        if "camera_frozen" not in active:
            self._frozen = None
        elif self._frozen is not None:
            return [(0.0, self._frozen)]
        frame = self._spoil(active, frame)  # before the frame is frozen
        if "camera_frozen" in active:
            self._frozen = frame
            return [(0.0, frame)]
        if "frames_swapped" in active:  # the second of two frames is sent first
            kept, self._kept = self._kept, None
            if kept is None:
                self._kept = frame
                return []
            return [(0.0, frame), (0.0, kept)]
        self._kept = None
        return [(0.0, frame)] * (2 if "frames_doubled" in active else 1)

    def _spoil(self, active: Collection[str], frame: Any) -> Any:
        for name, foreign in FOREIGN.items():
            if name in active:
                frame.data = array("B", foreign(to_array(frame)).tobytes())
        if "frame_black" in active:
            frame.data = array("B", bytes(len(frame.data)))
        if "frame_size" in active:
            frame.height, frame.width, frame.step = 7, 5, 15
            frame.data = array("B", bytes(range(105)))
        if "frame_encoding" in active:
            frame.encoding = "32FC7"
        if "frame_cut" in active:
            frame.data = frame.data[: len(frame.data) // 2]
        shift = ("frame_future" in active) - ("frame_past" in active)
        _shift(frame.header, shift)
        if "frame_no_stamp" in active:
            frame.header.stamp = to_time(0)
        return frame


def latent(active: Collection[str], message: Any) -> Passed:
    """Spoil a latent of the encoder."""
    if "latent_nan" in active:
        message.mean = [math.nan] * len(message.mean)
    if "latent_size" in active:
        message.mean = message.mean[:5]
    return [(0.0, message)]


def plan(active: Collection[str], message: Any) -> Passed:
    """Spoil a plan."""
    if "plan_outward" in active:
        message.action = [-OUTWARD_M, -OUTWARD_M]
        message.feasible = True
    if "plan_long" in active:
        message.action = [1.0, -1.0]
    if "plan_size" in active:
        message.action = [0.01]
    if "plan_nan" in active:
        message.action = [math.nan, 0.01]
    if "plan_infeasible" in active:
        message.feasible = False
    if "plan_late" in active:
        return [(LATE_S, message)]
    if "plan_repeated" in active:
        return [(delay, copy.copy(message)) for delay in (0.0, 0.0, 0.05, 0.1, 0.3, 0.6)]
    return [(0.0, message)]


def operating_state(active: Collection[str], message: Any) -> Passed:
    """Spoil the robot's operating state. A robot in FAULT is a disabled one that reports FAULT."""
    if LOST & set(active):
        return []
    if "robot_fault" in active and message.state == "DISABLED":
        message.state = "FAULT"
    return [(0.0, message)]


def pose(active: Collection[str], message: Any) -> Passed:
    """Spoil a pose from the robot."""
    if "ecm_moved" in active:
        message.pose.position.z += ECM_M
    return local_pose(active, message)


def local_pose(active: Collection[str], message: Any) -> Passed:
    """Spoil a pose that the robot gives relative to its own base, which no camera arm moves."""
    if LOST & set(active):
        return []
    if "robot_drifts" in active:
        message.pose.position.z += DRIFT_M
    _shift(message.header, ("robot_future" in active) - ("robot_past" in active))
    if "robot_no_stamp" in active:
        message.header.stamp = to_time(0)
    if "robot_nan" in active:
        message.pose.position.x = math.nan
    if "robot_frame" in active:
        message.header.frame_id = "elsewhere"
    return [(0.0, message)]


def move(active: Collection[str], message: Any) -> Passed:
    """Spoil a goal sent to the robot."""
    return [] if {"robot_drops_moves", "robot_rejects_moves"} & set(active) else [(0.0, message)]


def hold(active: Collection[str], message: Any) -> Passed:
    """Spoil a hold sent to the robot."""
    return [] if "hold_ignored" in active else [(0.0, message)]


LOST = {"robot_lost", "robot_reconnects"}
"""Faults during which no message of the robot is passed on."""
COMMANDS = {"robot_fault": "disable", "robot_reconnects": "disable", "robot_pause": "pause"}
"""State commands that are sent to the robot when a fault begins."""
CURES = {"robot_pause": "resume"}
"""State commands that are sent to the robot when a fault ends."""


def _shift(header: Any, times: int) -> None:
    if times:
        header.stamp = to_time(max(1, nanoseconds(header.stamp) + times * FAR_NS))
