"""Finds the episodes of a bag by the operator's marks, else by the episode numbers of commands.

A recording with neither is one episode. Times are the recorder's (log, ns).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from dvrk_cable_env.bags.records import Mark, RecordedCommand, RecordedRequest, Streams
from ls3_common import topics

BEGINNING, END = 0, 2**62
SLACK = 500_000_000
"""Nanoseconds by which one topic may be recorded later than another, so that the order of messages
of two topics is uncertain by this much."""
MARK_SLACK = 2_000_000_000
"""Nanoseconds by which a start mark may be recorded late. The first message of a quiet topic may
have to be sent again: 0.93 s on a busy computer."""


@dataclasses.dataclass
class Segment:
    """Where one episode of a bag lies. Times are the recorder's (log, ns).

    index: number of the episode in the bag, from 0.
    begin, end: first and last time of the episode.
    frames_from: from this time a frame may show s_0: after the previous episode.
    source: as the operator named it at the start, e.g. `demonstration`; may be empty.
    success_from, violation_from: time of the operator's mark; None without one.
    discarded: whether the operator marked the episode as discarded.
    marked: whether marks delimit the episode.
    unfinished: whether the recording ended before the episode did, as far as can be known.
    commands: the commands that arm_node carried out.
    first_request: the request of step 0, whose stamp names the frame of s_0.
    """

    index: int
    begin: int = BEGINNING
    end: int = END
    frames_from: int = BEGINNING
    source: str = ""
    success_from: int | None = None
    violation_from: int | None = None
    discarded: bool = False
    marked: bool = False
    unfinished: bool = False
    commands: list[RecordedCommand] = dataclasses.field(default_factory=list)
    first_request: RecordedRequest | None = None


def find_segments(streams: Streams, cut: str) -> list[Segment]:
    """Return the episodes in order of time.

    Args:
        streams: the recording, from `streams.read_streams`.
        cut: why the recording is incomplete; empty if complete.
    """
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
    for previous, segment in zip([None, *found], found, strict=False):
        if previous is not None:
            segment.frames_from = previous.end if previous.marked else _last_log(previous)
        if segment.commands:
            segment.first_request = _first_request(streams.requests, segment)
    return found


def _by_marks(marks: Iterable[Mark]) -> list[Segment]:
    found: list[Segment] = []
    running: Segment | None = None
    for mark in marks:
        if mark.word == "start":
            if running is not None:  # the stop mark was forgotten or not recorded
                running.end, running.unfinished = mark.log, True
            running = Segment(len(found), begin=mark.log, source=mark.rest, marked=True)
            found.append(running)
        elif found:  # success and discard may be marked after the stop
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
    """A new episode begins where the number changes or the steps restart; retreats are left out."""
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
    """Commands between the marks, and those of the same episode recorded before a late mark."""
    commands = [command for command in commands if command.episode != topics.RETREAT_EPISODE]
    found = [command for command in commands if segment.begin <= command.log <= segment.end]
    if not found:
        return found
    early = segment.begin - MARK_SLACK
    number, step = found[0].episode, found[0].step
    before = (c for c in commands if early <= c.log < segment.begin)
    return [*(c for c in before if c.episode == number and c.step < step), *found]


def _carried_out(commands: Iterable[RecordedCommand]) -> list[RecordedCommand]:
    """Without the commands that arm_node refused: their steps are requested again."""
    return [command for command in commands if command.outcome != "refused"]


def _last_log(segment: Segment) -> int:
    return segment.commands[-1].log if segment.commands else segment.begin


def _first_request(requests: list[RecordedRequest], segment: Segment) -> RecordedRequest | None:
    """The first request of step 0 after the previous episode."""
    number, limit = segment.commands[0].episode, segment.commands[0].log
    for request in requests:
        is_first = (request.episode, request.step) == (number, 0)
        if is_first and segment.frames_from < request.log <= limit:
            return request
    return None
