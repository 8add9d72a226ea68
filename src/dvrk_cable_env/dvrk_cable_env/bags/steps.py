"""Chooses the frames of an episode that are its states, and finds the actions between them.

`CommandSteps` follows the recorded commands of arm_node. `SetpointSteps` serves an arm that a
person moves by other means, without commands on a topic: states at the policy's period, actions
from differences of the setpoint between states.
"""

from __future__ import annotations

import numpy as np

from dvrk_cable_env.arm.limits import AXES, ROUNDING
from dvrk_cable_env.bags.command_steps import CommandSteps
from dvrk_cable_env.bags.frames import CameraFrame
from dvrk_cable_env.bags.records import BagFault, Streams
from dvrk_cable_env.bags.rules import Rules, late_frame
from dvrk_cable_env.bags.segments import Segment

CLUTCHED_MOTION = 0.002
"""Metres by which the setpoint may move while the operator is clutched."""


class SetpointSteps:
    """As `CommandSteps`, but with states at a fixed period and actions from the setpoint."""

    kind = "setpoints"

    def __init__(self, segment: Segment, streams: Streams, rules: Rules) -> None:
        """Choose a state every `rules.period` seconds of the segment."""
        self._segment, self._streams, self._rules = segment, streams, rules
        self._period = int(rules.period * 1e9)
        self._due = 0  # stamp at which the next state is due; 0 before s_0
        self._last = 0  # stamp of the newest frame outside a pause
        self._paused = False
        self.unfinished = segment.unfinished
        self.complete = False  # any later frame of the segment may be a state

    def wants(self, frame: CameraFrame) -> bool:
        """Whether this frame is the next state. Time stands still while the operator is clutched.

        Raises:
            BagFault: no frame was recorded in time.
        """
        if not self._segment.begin <= frame.log <= self._segment.end:
            return False
        if any(begin <= frame.log <= end for begin, end in self._streams.pauses):
            self._paused = self._due > 0
            return False
        if self._due == 0:
            self._due = frame.stamp
        elif self._paused:
            self._due += frame.stamp - self._last  # the pause does not count
        self._paused, self._last = False, frame.stamp
        late = frame.stamp - self._due
        if late > self._rules.max_gap * 1e9:
            raise late_frame(0, late)
        return late >= 0

    def take(self, frame: CameraFrame) -> None:
        """Schedule the next state one period after this one was due."""
        self._due += self._period
        if self._due <= frame.stamp:
            self._due = frame.stamp + self._period

    def actions(self, frames: list[tuple[int, int]]) -> tuple[np.ndarray, float]:
        """As in `CommandSteps`, but with the longest time from a frame to a setpoint (s).

        Raises:
            BagFault: setpoints are missing, in another frame, out of the plane or too far apart,
                or the arm moved while the operator was clutched.
        """
        segment, rules, poses = self._segment, self._rules, self._streams.setpoints
        margin = int(2 * rules.max_skew * 1e9)
        begin, end = frames[0][1] - margin, frames[-1][1] + margin
        jumps = [back for log, back in poses.jumps if begin <= log <= end]
        if jumps:
            raise BagFault(f"the robot's clock jumped back by {jumps[0]:.3g} s during the episode")
        arm = rules.names.arm or self._streams.arms[0]
        wanted = rules.limits.frame or f"{arm}_base"  # the default of arm_node
        if poses.frames != {wanted}:
            raise BagFault(f"setpoints in frame {sorted(poses.frames)}, expected '{wanted}'")
        stamps, places = poses.between(begin, end)
        at = np.array([stamp for stamp, _ in frames])
        skew = _nearest(stamps, at)
        if skew > rules.max_skew:
            raise BagFault(f"no setpoint within {rules.max_skew:g} s of a frame ({skew:.3g} s)")
        height = places[:, 2]
        rise = float(np.abs(height - height.mean()).max())
        if rise > rules.plane:
            raise BagFault(f"the tip left its plane by {1e3 * rise:.1f} mm")
        self._check_pauses(segment, stamps, places)
        # seconds since the first state: nanoseconds since 1970 exceed the precision of float64
        path = [np.interp((at - at[0]) / 1e9, (stamps - at[0]) / 1e9, places[:, i]) for i in (0, 1)]
        steps = np.diff(np.stack(path, 1), axis=0).astype(np.float32)
        self._check_steps(steps)
        return steps, skew

    def _check_steps(self, steps: np.ndarray) -> None:
        limit = self._rules.limits.max_step
        largest = np.abs(steps).max(axis=1, initial=0.0)
        if len(steps) and largest.max() > limit + ROUNDING:
            worst = int(largest.argmax())
            raise BagFault(
                f"step {worst} moves {1e3 * largest[worst]:.1f} mm on an axis, "
                f"the policy at most {1e3 * limit:g} mm: a shorter --period, or move more slowly"
            )

    def _check_pauses(self, segment: Segment, stamps: np.ndarray, places: np.ndarray) -> None:
        for begin, end in self._streams.pauses:
            _, held = self._streams.setpoints.between(
                max(begin, segment.begin), min(end, segment.end)
            )
            if len(held):
                moved = float(np.abs(held[:, :AXES] - held[0, :AXES]).max())
                if moved > CLUTCHED_MOTION:
                    raise BagFault(f"the arm moved {1e3 * moved:.1f} mm while it was clutched")


def make_steps(segment: Segment, streams: Streams, rules: Rules) -> CommandSteps | SetpointSteps:
    """Choose the source of states and actions, as the rules ask or the recording allows.

    Raises:
        BagFault: the recording has neither commands nor setpoints, or what it has is incomplete.
    """
    faults = streams.faults
    if segment.commands and rules.actions != "setpoints":
        if "motion_state" in faults:
            raise BagFault(f"arm_command without motion_state: {faults['motion_state']}")
        return CommandSteps(segment, streams, rules)
    if rules.actions == "commands" or (streams.commands and not streams.setpoints.log):
        raise BagFault(faults.get("arm_command", "no steps"))
    if not streams.setpoints.log:
        if len(streams.arms) > 1 and not rules.names.arm:
            raise BagFault(f"several arms ({', '.join(streams.arms)}): choose with --arm")
        missing = [reason for topic, reason in faults.items() if topic.endswith("setpoint_cp")]
        raise BagFault("; ".join([faults.get("arm_command", ""), *(missing or ["no setpoint_cp"])]))
    return SetpointSteps(segment, streams, rules)


def _nearest(stamps: np.ndarray, times: np.ndarray) -> float:
    """Longest time (s) from any of `times` (ns) to the nearest of `stamps` (ns)."""
    if not len(stamps):
        return float("inf")
    right = np.searchsorted(stamps, times).clip(0, len(stamps) - 1)
    left = (right - 1).clip(0)
    gaps = np.minimum(np.abs(stamps[right] - times), np.abs(stamps[left] - times))
    return float(gaps.max()) / 1e9
