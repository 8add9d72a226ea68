"""Which frames of an episode are its states, and what was done between them.

`CommandSteps` follows the graph: one step for each command that the arm carried out, the state
after it the first frame after the motion's end and a rest, as episode_node has it.
`SetpointSteps` serves an arm that a person moves by other means, whose commands are on no topic:
frames at the policy's period, actions from differences of the setpoint at the frames' own stamps.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np

from dvrk_cable_env.arm.limits import AXES, ROUNDING, ArmLimits
from dvrk_cable_env.bags.frames import CameraFrame
from dvrk_cable_env.bags.records import BagFault, Names, RecordedCommand, RecordedMotion, Streams
from dvrk_cable_env.bags.segments import SLACK, Segment
from dvrk_cable_env.camera.segmentation import SegmentationConfig

HELD = 0.002
"""Metres that the arm may creep while the operator is clutched."""


@dataclass(frozen=True)
class Rules:
    """How bags are read. Times in seconds, lengths in metres."""

    names: Names = field(default_factory=Names)
    actions: str = "auto"  # commands, setpoints, or whichever the episode has
    settle: float = 0.1  # of episode_node: rest between a motion and its frame
    period: float = 0.5  # between states where nothing but the setpoint tells
    max_gap: float = 1.0  # from when a frame is due to the frame
    max_skew: float = 0.1  # from a frame to the nearest setpoint
    plane: float = 0.003  # the tip may leave its mean height by that
    limits: ArmLimits = field(default_factory=ArmLimits)
    segmentation: SegmentationConfig = field(default_factory=SegmentationConfig)


class CommandSteps:
    """States by commands and ends of motions."""

    kind = "commands"

    def __init__(self, segment: Segment, streams: Streams, rules: Rules) -> None:
        self._rules = rules
        commands = segment.commands
        _refuse_lost(segment, streams.motions)
        first = segment.asked.stamp if segment.asked else commands[0].image_stamp
        self._due = [first]
        self._actions: list[np.ndarray] = []
        self._first_log = commands[0].log
        self._taken = 0
        self.unfinished = segment.unfinished
        if len({command.frame for command in commands}) > 1:
            frames = ", ".join(sorted({command.frame for command in commands}))
            raise BagFault(f"commands of more than one arm or frame: {frames}")
        for step, command in enumerate(commands):
            if command.step != step:
                raise BagFault(f"the command of step {step} is missing")
            held = command.outcome == "held"
            if not held and len(command.sent) != AXES:
                raise BagFault(f"step {step} sent {len(command.sent)} numbers, not {AXES}")
            later = commands[step + 1].log if step + 1 < len(commands) else segment.end
            end = command.stamp if held else _end(streams.motions, command, later)
            if end:
                self._due.append(end + int(rules.settle * 1e9))
            elif step + 1 < len(commands):
                # its end was lost on the way, but arm_node takes no plan on a frame from before it
                self._due.append(commands[step + 1].image_stamp)
            else:
                self.unfinished = True  # its last step is not known to have ended
                break
            self._actions.append(np.asarray([0.0] * AXES if held else command.sent, np.float32))
        if any(a > b for a, b in zip(self._due, self._due[1:], strict=False)):
            raise BagFault("the robot's clock jumped back within it")

    @property
    def complete(self) -> bool:
        """Whether no further frame can be a state."""
        return self._taken == len(self._due)

    def wants(self, frame: CameraFrame) -> bool:
        """Whether this frame is the next state."""
        if self.complete:
            return False
        late = frame.stamp - self._due[self._taken]
        gap = late > self._rules.max_gap * 1e9
        if self._taken == 0:  # before it another clock may have been in force
            return late >= 0 and not gap and frame.log <= self._first_log + SLACK
        if gap:
            raise _late(self._taken, late)
        return late >= 0

    def take(self, _frame: CameraFrame) -> None:
        """It was usable."""
        self._taken += 1

    def actions(self, frames: list[tuple[int, int]]) -> tuple[np.ndarray, float]:
        """Actions between the states, float32 (T, 2), and the largest delay of a frame (s)."""
        if 0 < len(frames) == len(self._due) - 1:
            self.unfinished = True
        elif len(frames) != len(self._due):
            raise BagFault(f"{len(self._due) - len(frames)} of {len(self._due)} frames are missing")
        late = [stamp - due for (stamp, _), due in zip(frames, self._due, strict=False)]
        return np.array(self._actions[: len(frames) - 1]).reshape(-1, AXES), max(late) / 1e9


class SetpointSteps:
    """States by the clock, actions by the setpoint."""

    kind = "setpoints"

    def __init__(self, segment: Segment, streams: Streams, rules: Rules) -> None:
        self._segment, self._streams, self._rules = segment, streams, rules
        self._period = int(rules.period * 1e9)
        self._due = self._seen = 0  # when the next state is due, the newest frame outside a pause
        self._paused = False
        self.unfinished = segment.unfinished
        self.complete = False

    def wants(self, frame: CameraFrame) -> bool:
        """Whether the next state is due; time stands still while the operator is clutched."""
        if not self._segment.begin <= frame.log <= self._segment.end:
            return False
        if any(begin <= frame.log <= end for begin, end in self._streams.pauses):
            self._paused = self._due > 0
            return False
        if self._due == 0:
            self._due = frame.stamp
        elif self._paused:
            self._due += frame.stamp - self._seen  # as if the pause had not been
        self._paused, self._seen = False, frame.stamp
        late = frame.stamp - self._due
        if late > self._rules.max_gap * 1e9:
            raise _late(0, late)
        return late >= 0

    def take(self, frame: CameraFrame) -> None:
        """The next is due a period after this one was."""
        self._due += self._period
        if self._due <= frame.stamp:
            self._due = frame.stamp + self._period

    def actions(self, frames: list[tuple[int, int]]) -> tuple[np.ndarray, float]:
        """As of `CommandSteps`; the second is the largest distance of a frame from a setpoint (s).

        Args:
            frames: (stamp, log) of the states, ns.
        """
        segment, rules, poses = self._segment, self._rules, self._streams.setpoints
        margin = int(2 * rules.max_skew * 1e9)
        begin, end = frames[0][1] - margin, frames[-1][1] + margin
        jumps = [back for log, back in poses.jumps if begin <= log <= end]
        if jumps:
            raise BagFault(f"the robot's clock jumped back by {jumps[0]:.3g} s within it")
        arm = rules.names.arm or self._streams.arms[0]
        wanted = rules.limits.frame or f"{arm}_base"  # as arm_node has it
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
        # seconds since the first: nanoseconds since 1970 do not fit a float64
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
                if moved > HELD:
                    raise BagFault(f"the arm moved {1e3 * moved:.1f} mm while it was clutched")


def make_steps(segment: Segment, streams: Streams, rules: Rules) -> CommandSteps | SetpointSteps:
    """By what the recording has, or as the rules say.

    Raises:
        BagFault: it has neither, or not what is needed.
    """
    faults = streams.faults
    if segment.commands and rules.actions != "setpoints":
        if "motion_state" in faults:
            raise BagFault(f"arm_command without motion_state: {faults['motion_state']}")
        return CommandSteps(segment, streams, rules)
    if rules.actions == "commands" or (streams.commands and not streams.setpoints.log):
        raise BagFault(faults.get("arm_command", "no step in it"))
    if not streams.setpoints.log:
        if len(streams.arms) > 1 and not rules.names.arm:
            raise BagFault(f"two arms ({', '.join(streams.arms)}): choose with --arm")
        missing = [reason for topic, reason in faults.items() if topic.endswith("setpoint_cp")]
        raise BagFault("; ".join([faults.get("arm_command", ""), *(missing or ["no setpoint_cp"])]))
    return SetpointSteps(segment, streams, rules)


def _refuse_lost(segment: Segment, motions: list[RecordedMotion]) -> None:
    """An episode that went on after its last command here is not whole, and may have violated."""
    last = segment.commands[-1]
    if segment.unfinished:
        return
    first = bisect_left(motions, last.log, key=lambda motion: motion.log)
    for motion in motions[first:]:
        if motion.log > segment.end:
            break
        follows = motion.episode == last.episode and motion.step > last.step
        if follows and motion.moving:
            raise BagFault(f"the command of step {motion.step} is missing")


def _end(motions: list[RecordedMotion], command: RecordedCommand, later: int) -> int:
    """Stamp of the end of a command's motion (ns), 0 where none was recorded before `later`."""
    first = bisect_left(motions, command.log - SLACK, key=lambda motion: motion.log)
    for motion in motions[first:]:
        if motion.log > later + SLACK:
            break
        is_its = (motion.episode, motion.step) == (command.episode, command.step)
        if is_its and not motion.moving and motion.stamp >= command.stamp:
            return motion.stamp
    return 0


def _nearest(stamps: np.ndarray, at: np.ndarray) -> float:
    """Largest distance of any of `at` (ns) from its nearest stamp, in seconds."""
    if not len(stamps):
        return float("inf")
    right = np.searchsorted(stamps, at).clip(0, len(stamps) - 1)
    left = (right - 1).clip(0)
    gaps = np.minimum(np.abs(stamps[right] - at), np.abs(stamps[left] - at))
    return float(gaps.max()) / 1e9


def _late(state: int, late: int) -> BagFault:
    where = f" for state {state}" if state else ""
    return BagFault(f"no frame{where} for {late / 1e9:.3g} s: frames lost, or the clock leapt")
