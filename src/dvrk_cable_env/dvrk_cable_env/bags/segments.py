"""Where the episodes of a bag lie: by the operator's marks, else by the numbers of its commands.

A recording with neither is one episode. Times are the recorder's (log, ns).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from dvrk_cable_env.bags.records import Asked, Mark, RecordedCommand, Streams
from ls3_common import topics

BEGINNING, END = 0, 2**62
SLACK = 500_000_000
"""Nanoseconds by which a recorder may be late for one topic, and so mix up what came when."""


@dataclasses.dataclass
class Segment:
    """One episode of a bag, before any picture is looked at."""

    index: int
    begin: int = BEGINNING
    end: int = END
    before: int = BEGINNING
    """From when on a picture may show s_0: after the episode before this one."""
    source: str = ""
    """As the operator named it at the start; may be empty."""
    success_from: int | None = None
    violation_from: int | None = None
    discarded: bool = False
    marked: bool = False
    unfinished: bool = False
    """The recording ends within it, as far as can be known."""
    commands: list[RecordedCommand] = dataclasses.field(default_factory=list)
    asked: Asked | None = None
    """The request of step 0, which names the frame of s_0."""


def find_segments(streams: Streams, cut: str) -> list[Segment]:
    """The episodes in order of time; `cut` says why the recording ended early, if it did."""
    if streams.marks:
        found = _by_marks(streams.marks)
        for segment in found:
            segment.commands = _carried_out(_inside(streams.commands, segment))
    elif streams.commands:
        found = _by_numbers(streams.commands)
    else:
        found = [Segment(0)]
    if cut and found and not found[-1].marked:
        found[-1].unfinished = True
    for before, segment in zip([None, *found], found, strict=False):
        if before is not None:
            segment.before = before.end if before.marked else _last_log(before)
        if segment.commands:
            segment.asked = _asked(streams.asked, segment)
    return found


def _by_marks(marks: Iterable[Mark]) -> list[Segment]:
    found: list[Segment] = []
    running: Segment | None = None
    for mark in marks:
        if mark.word == "start":
            if running is not None:  # the stop was forgotten, or was not recorded
                running.end, running.unfinished = mark.log, True
            running = Segment(len(found), begin=mark.log, source=mark.rest, marked=True)
            found.append(running)
        elif found:  # success and discard may come after the stop, as afterthoughts
            last = found[-1]
            at = min(mark.log, last.end)
            if mark.word == "stop" and running is not None:
                running.end, running = mark.log, None
            elif mark.word == "success" and last.success_from is None:
                last.success_from = at
            elif mark.word == "violation" and last.violation_from is None:
                last.violation_from = at
            elif mark.word == "discard":
                last.discarded = True
    if running is not None:
        running.unfinished = True
    return found


def _by_numbers(commands: list[RecordedCommand]) -> list[Segment]:
    """A new one where the number changes or the steps begin again; none while the arm goes back."""
    groups: list[list[RecordedCommand]] = []
    for command in commands:
        last = groups[-1][-1] if groups else None
        goes_on = last and last.episode == command.episode and last.step <= command.step
        if goes_on:
            groups[-1].append(command)
        else:
            groups.append([command])
    found: list[Segment] = []
    for index, group in enumerate(groups):
        end = groups[index + 1][0].log if index + 1 < len(groups) else END
        if group[0].episode != topics.RETREAT_EPISODE:
            found.append(Segment(len(found), group[0].log, end, commands=_carried_out(group)))
    return found


def _inside(commands: list[RecordedCommand], segment: Segment) -> list[RecordedCommand]:
    """Those between the marks, and what the recorder took of the same episode before the start."""
    commands = [command for command in commands if command.episode != topics.RETREAT_EPISODE]
    found = [command for command in commands if segment.begin <= command.log <= segment.end]
    if not found:
        return found
    early = segment.begin - SLACK
    number, step = found[0].episode, found[0].step
    before = (c for c in commands if early <= c.log < segment.begin)
    return [*(c for c in before if c.episode == number and c.step < step), *found]


def _carried_out(commands: Iterable[RecordedCommand]) -> list[RecordedCommand]:
    """Without those that the arm refused: they are asked for again."""
    return [command for command in commands if command.outcome != "refused"]


def _last_log(segment: Segment) -> int:
    return segment.commands[-1].log if segment.commands else segment.begin


def _asked(requests: list[Asked], segment: Segment) -> Asked | None:
    """The first request of step 0 since the episode before."""
    number, limit = segment.commands[0].episode, segment.commands[0].log
    for one in requests:
        if segment.before < one.log <= limit and (one.episode, one.step) == (number, 0):
            return one
    return None
