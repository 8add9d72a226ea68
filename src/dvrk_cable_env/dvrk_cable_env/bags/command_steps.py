"""Chooses the frames of an episode that are its states by the recorded commands of arm_node.

There is one step for each command that was carried out. The state after a step is the first frame
after the motion's end and a rest, as in episode_node.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from dvrk_cable_env.arm.limits import AXES
from dvrk_cable_env.bags.frames import CameraFrame
from dvrk_cable_env.bags.records import BagFault, RecordedCommand, RecordedMotion, Streams
from dvrk_cable_env.bags.rules import Rules, late_frame
from dvrk_cable_env.bags.segments import END, SLACK, Segment


class CommandSteps:
    """Finds states and actions of an episode from the commands and the ends of their motions.

    The caller offers frames in order: `wants` says whether a frame is the next state, `take`
    confirms it, and `actions` returns the actions between the states.

    unfinished: whether the episode's last step may be missing.
    """

    kind = "commands"

    def __init__(self, segment: Segment, streams: Streams, rules: Rules) -> None:
        """Find when each state's frame is due.

        Raises:
            BagFault: a command is missing, or the commands contradict each other.
        """
        self._rules = rules
        commands = segment.commands
        _refuse_missing_end(segment, streams.motions)
        first = segment.first_request.stamp if segment.first_request else commands[0].image_stamp
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
            until = commands[step + 1].log if step + 1 < len(commands) else segment.end
            end = command.stamp if held else _end(streams.motions, command, until)
            if end:
                self._due.append(end + int(rules.settle * 1e9))
            elif step + 1 < len(commands):
                # the motion's end was not recorded, but the next command's frame is from after it
                self._due.append(commands[step + 1].image_stamp)
            else:
                self.unfinished = True  # nothing shows that the last step ended
                break
            self._actions.append(np.asarray([0.0] * AXES if held else command.sent, np.float32))
        self._until = _last_stamps(commands, streams.motions)
        if any(a > b for a, b in zip(self._due, self._due[1:], strict=False)):
            raise BagFault("the robot's clock jumped back during the episode")

    @property
    def complete(self) -> bool:
        """Whether all states have been taken."""
        return self._taken == len(self._due)

    def wants(self, frame: CameraFrame) -> bool:
        """Whether this frame is the next state.

        Raises:
            BagFault: no frame was recorded in time, that is before the next motion began.
        """
        if self.complete:
            return False
        late = frame.stamp - self._due[self._taken]
        gap = late > self._rules.max_gap * 1e9
        gone = frame.stamp > self._until[self._taken]  # the frame shows a later state
        if self._taken == 0:  # an earlier frame may carry the stamp of another clock
            in_time = not gap and not gone and frame.log <= self._first_log + SLACK
            return late >= 0 and in_time
        if gap:
            raise late_frame(self._taken, late)
        if gone:
            raise BagFault(
                f"the frame of state {self._taken} is missing: the next frame that was recorded "
                "and can be read is from after the next motion began"
            )
        return late >= 0

    def take(self, _frame: CameraFrame) -> None:
        """Count the frame that `wants` accepted: it was usable."""
        self._taken += 1

    def actions(self, frames: list[tuple[int, int]]) -> tuple[np.ndarray, float]:
        """Return the actions, float32 (T, 2), m, and the largest delay of a frame (s).

        Args:
            frames: (stamp, log) of the T + 1 states, ns.

        Raises:
            BagFault: frames of states are missing.
        """
        if 0 < len(frames) == len(self._due) - 1:
            self.unfinished = True
        elif len(frames) != len(self._due):
            raise BagFault(f"{len(self._due) - len(frames)} of {len(self._due)} frames are missing")
        late = [stamp - due for (stamp, _), due in zip(frames, self._due, strict=False)]
        return np.array(self._actions[: len(frames) - 1]).reshape(-1, AXES), max(late) / 1e9


def _last_stamps(commands: list[RecordedCommand], motions: list[RecordedMotion]) -> list[int]:
    """The last stamp (ns) at which a frame still shows each of the states s_0..s_T.

    That is when the next motion begins. The frame that a plan rested on counts in any case: the
    camera's clock may be ahead of the robot's, as far as arm_node allows.
    """
    last = commands[-1]
    first = bisect_left(motions, last.log, key=lambda motion: motion.log)
    later = (
        motion.stamp
        for motion in motions[first:]
        if motion.moving
        and (motion.episode, motion.step) != (last.episode, last.step)
        and motion.stamp > last.stamp
    )
    found = [next(later, END)]
    for command in reversed(commands):
        moves = command.outcome != "held"
        found.append(max(command.stamp, command.image_stamp) if moves else found[-1])
    return found[::-1]


def _refuse_missing_end(segment: Segment, motions: list[RecordedMotion]) -> None:
    """Refuse an episode that went on after its last recorded command: a violation may be lost."""
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


def _end(motions: list[RecordedMotion], command: RecordedCommand, until: int) -> int:
    """Stamp of the end of a command's motion (ns); 0 if none was recorded before `until` (ns)."""
    first = bisect_left(motions, command.log - SLACK, key=lambda motion: motion.log)
    for motion in motions[first:]:
        if motion.log > until + SLACK:
            break
        same_step = (motion.episode, motion.step) == (command.episode, command.step)
        if same_step and not motion.moving and motion.stamp >= command.stamp:
            return motion.stamp
    return 0
