"""A bag of any task: pictures on one topic, actions on another, one message a step.

The times that count are the recorder's, because commands such as Float64MultiArray have no stamp:
s_t is the last picture that was recorded before a_t.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from dvrk_cable_env.bags.bag_files import Raw
from dvrk_cable_env.bags.episodes import BagEpisode
from dvrk_cable_env.bags.frames import picture_of
from dvrk_cable_env.bags.reading import Bag
from dvrk_cable_env.bags.records import RecordedTaskState, Streams
from dvrk_cable_env.bags.rules import Rules
from dvrk_cable_env.bags.segments import SLACK, Segment, find_segments
from dvrk_cable_env.bags.streams import read_streams
from ls3.data.arrays import NO_LABEL, Unfit, check_actions, fitted, stacked
from ls3_common import topics
from ls3_common.domain import DomainSpec
from ls3_common.errors import DataError


class TaskBag:
    """An open bag with the topics that the rules name, as `Recording` wants it."""

    def __init__(self, bag: Bag, rules: Rules, spec: DomainSpec) -> None:
        """Read all but pictures and actions.

        Raises:
            DataError: the bag has no such topic of pictures or actions.
        """
        self.bag, self.name, self.digest = bag, bag.name, bag.fingerprint()
        self.action_topic = rules.action_topic
        self._rules, self._spec = rules, spec
        self._streams: Streams = read_streams(bag, rules.names)
        if not self._streams.camera:
            raise DataError(self._streams.camera_fault, where=bag.name, do="name it with --camera")
        if rules.action_topic not in bag.topics:
            known = ", ".join(sorted(bag.topics))
            do = f"give --action-topic one of {known}"
            raise DataError(f"no topic '{rules.action_topic}'", where=bag.name, do=do)
        self.segments: Sequence[Segment] = find_segments(self._streams, bag.cut)
        states = [(s.log, s) for found in self._streams.task_states.values() for s in found]
        states.sort(key=lambda item: item[0])
        self._state_logs = [log for log, _ in states]
        self._states: list[RecordedTaskState] = [state for _, state in states]

    @property
    def cut(self) -> str:
        """Why the bag is incomplete, as far as has been read; empty if complete."""
        return self.bag.cut

    @property
    def drops(self) -> Counter[str]:
        """Numbers of messages that were not used, by reason."""
        return self._streams.drops

    def episodes(self, segments: Sequence[Segment]) -> Iterator[BagEpisode]:
        """Yield the episode of each of these segments, or the fault that prevents it."""
        waiting = [_Steps(segment, self) for segment in segments]
        for raw in self.bag.messages({self._streams.camera, self._rules.action_topic}):
            while waiting and waiting[0].is_over(raw.log):
                yield waiting.pop(0).finish()
            is_picture = raw.topic == self._streams.camera
            for steps in waiting:
                if steps.segment.begin <= raw.log and not is_picture:
                    steps.act(raw)
                elif steps.segment.frames_from <= raw.log and is_picture:
                    steps.see(raw)
        for steps in waiting:
            yield steps.finish()

    def picture(self, raw: Raw) -> np.ndarray:
        """Return the task's picture of a message; raise ValueError if it is unusable."""
        return fitted(np.ascontiguousarray(picture_of(self.bag, raw)), self._spec, self._rules.crop)

    def action(self, raw: Raw) -> np.ndarray:
        """Return the numbers of an action, (A,); raise ValueError if the message lacks them."""
        message = self.bag.decode(raw)
        names = self._rules.action_fields
        try:
            values: Any = [_field(message, name) for name in names] if names else message.data
            found = np.asarray(values, np.float32).reshape(-1)
        except (AttributeError, IndexError, TypeError):
            kind = self.bag.topics[raw.topic]
            wanted = ", ".join(names) or "data"
            raise Unfit(f"a {kind} has no {wanted}: choose with --action-fields") from None
        check_actions(found[None], self._spec)
        return found

    def stack(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Return pictures as observations."""
        return stacked(pictures, self._spec)

    def labels(self, logs: Sequence[int], end: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Return success and constraint of the state after each step; None if nothing tells.

        Args:
            logs: times of the actions, ns.
            end: time of the last picture, ns.
        """
        if not self._states:
            return None
        limits = [*logs, max(end, logs[-1])]
        places = [bisect_right(self._state_logs, limit) for limit in limits]
        success, constraint = np.zeros(len(logs), bool), np.zeros(len(logs), bool)
        for step, (first, last) in enumerate(pairwise(places)):
            success[step] = last > 0 and self._states[last - 1].success
            constraint[step] = any(state.constraint for state in self._states[first:last])
        return success, constraint


class _Steps:
    """Gathers states and actions of one episode; only the task's pictures are kept."""

    def __init__(self, segment: Segment, bag: TaskBag) -> None:
        self.segment, self._bag = segment, bag
        self._out = BagEpisode(segment, unfinished=segment.unfinished)
        self._newest: Raw | None = None
        self._fresh = False
        self._pictures: list[np.ndarray] = []
        self._seen: list[int] = []  # when the picture of each state was recorded
        self._actions: list[np.ndarray] = []
        self._logs: list[int] = []  # when each action was recorded

    def is_over(self, log: int) -> bool:
        """Whether nothing recorded from `log` (ns) on belongs to the episode."""
        return log > self.segment.end + (SLACK if self.segment.marked else 0)

    def see(self, raw: Raw) -> None:
        """Take a picture, which shows the state before the next action."""
        self._newest, self._fresh = raw, True

    def act(self, raw: Raw) -> None:
        """Take an action, with the last picture before it."""
        if self._out.fault or raw.log > self.segment.end:
            return
        if not self._fresh:
            if self._actions:
                self._out.fault = (
                    f"no picture between actions {len(self._actions) - 1} and "
                    f"{len(self._actions)}: record one action per step"
                )
            else:
                self._out.drops["an action before the first picture"] += 1
            return
        try:
            action = self._bag.action(raw)
            self._keep_picture()
        except ValueError as error:
            self._out.fault = str(error)
            return
        self._actions.append(action)
        self._logs.append(raw.log)

    def _keep_picture(self) -> None:
        assert self._newest is not None
        self._pictures.append(self._bag.picture(self._newest))
        self._seen.append(self._newest.log)
        self._fresh = False

    def finish(self) -> BagEpisode:
        """Return the episode from all that was gathered, or the fault that prevents it."""
        out = self._out
        if not out.fault and self._fresh and self._actions:
            try:
                self._keep_picture()
            except ValueError as error:
                out.fault = str(error)
        steps = len(self._pictures) - 1
        if out.fault or steps < 1:
            out.fault = out.fault or "no steps: actions and pictures after them are needed"
            return out
        out.actions = np.stack(self._actions[:steps])
        out.actions_from = self._bag.action_topic
        out.observations = self._bag.stack(self._pictures)
        out.stamps = self._seen
        told = self._bag.labels(self._logs[:steps], self._seen[-1])
        out.success, out.constraint = told or (np.zeros(steps, bool), np.zeros(steps, bool))
        out.labels_from = topics.TASK_STATE if told else ""
        self._apply_marks(out)
        return out

    def _apply_marks(self, out: BagEpisode) -> None:
        """The operator's marks hold from the mark to the end of the episode."""
        for mark, labels, what in (
            (self.segment.success_from, out.success, "reach the goal"),
            (self.segment.violation_from, out.constraint, "violate"),
        ):
            if mark is not None:
                labels |= np.array(self._seen[1:]) >= mark
                labels[-1] = True
                out.labels_from += ", marks" if out.labels_from else "marks"
            elif not out.labels_from:
                out.notes.append(NO_LABEL.format(what=what))


def _field(message: Any, path: str) -> float:
    """Return the number at a path such as ``twist.linear.x`` or ``velocity.0``."""
    for part in path.split("."):
        message = message[int(part)] if part.isdecimal() else getattr(message, part)
    return float(message)
