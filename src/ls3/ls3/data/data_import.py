"""Turns bags into episode files: decides on labels, keeps the provenance, writes each file once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dvrk_cable_env.bags.episodes import BagEpisode, read_episodes
from dvrk_cable_env.bags.reading import Bag
from dvrk_cable_env.bags.rules import Rules
from dvrk_cable_env.bags.segments import Segment, find_segments
from dvrk_cable_env.bags.streams import read_streams
from dvrk_cable_env.bags.video import RecordedVideo
from ls3.data.data_labels import Correction
from ls3.data.import_report import ImportRow, write_bag_report
from ls3.runs.provenance import git_commit
from ls3_common.errors import DataError, UserError
from ls3_models.episodes import SUFFIX, Episode, read_episode, write_episode

SOURCES = ("demonstration", "random", "constraint", "online")
"""Kinds of episodes."""


@dataclass
class Importer:
    """Imports bags into one data set.

    out: directory of the data set. rules: how bags become episodes. corrections: from the labels
    file, by ``BAG/INDEX``. source: kind of the episodes, one of `SOURCES`, or `auto`. dry_run:
    whether to write nothing. report: is called with every row as soon as it is known. videos: used
    instead of the camera's topic; each bag takes those that were recorded at the same time.
    video_fault: why further videos cannot be read; empty if all can.
    """

    out: Path
    rules: Rules
    corrections: Mapping[str, Correction]
    source: str = "auto"
    dry_run: bool = False
    report: Callable[[ImportRow], None] = lambda row: None
    videos: Sequence[RecordedVideo] = ()
    video_fault: str = ""

    def run(self, path: Path) -> list[ImportRow]:
        """Import one bag and return a row per episode.

        A bag or an episode that cannot be imported yields a row with the reason.

        Raises:
            UserError: `out` lies within the bag.
            DataError: an episode of an earlier import is damaged.
        """
        try:
            bag = Bag(path)
        except DataError as error:
            rows = [ImportRow(path.stem, "rejected", _one_line(error))]
            self.report(rows[0])
            return rows
        inside = bag.path if bag.path.is_dir() else bag.path.parent
        if self.out.resolve().is_relative_to(inside.resolve()) and bag.path.is_dir():
            raise UserError(
                f"--out lies within the bag {bag.path}",
                where=str(self.out),
                do="give a directory outside, because bags are only read",
            )
        streams = read_streams(bag, self.rules.names)
        videos = [video for video in self.videos if video.during(*streams.span)]
        if not videos and (self.videos or self.video_fault):
            streams.camera, streams.camera_fault = (
                "",
                self.video_fault or "no video from the time of the bag",
            )
        digest = _digest(bag, videos)
        segments = find_segments(streams, bag.cut)
        rows, todo = [], []
        for segment in segments:
            row = self._known(bag, digest, segment)
            if row is None:
                todo.append(segment)
            else:
                rows.append(row)
                self.report(row)
        if todo:
            for found in read_episodes(bag, todo, streams, self.rules, videos):
                row = self._settle(bag, digest, found)
                rows.append(row)
                self.report(row)
        if not segments:
            rows.append(
                ImportRow(bag.name, "rejected", "the bag has marks, but none starts an episode")
            )
            self.report(rows[-1])
        rows.sort(key=lambda row: row.episode)
        if not self.dry_run:
            write_bag_report(
                self.out,
                f"{bag.name}_{digest[:6]}",
                rows,
                cut=bag.cut,
                drops=streams.drops,
                settings=_settings(self.rules),
            )
        return rows

    def _known(self, bag: Bag, digest: str, segment: Segment) -> ImportRow | None:
        """Return the row of an episode that is discarded or present; None for any other."""
        label, name = _label(bag, segment), _name(bag, digest, segment)
        correction = self.corrections.get(label, Correction())
        discard = segment.discarded if correction.discard is None else correction.discard
        if discard:
            why = "labels file" if correction.discard else "mark"
            self._remove(name)
            return ImportRow(label, "discarded", f"by the operator's {why}")
        path = self.out / f"{name}{SUFFIX}"
        if not path.exists():
            return None
        episode = read_episode(path)
        provenance = episode.attributes.get("import", {})
        if provenance.get("key") != self._key(bag, digest, segment):
            return None  # imported with other settings or labels
        row = ImportRow(label, "present", file=path.name)
        row.describe(episode)
        for field in ("actions_from", "labels_from", "skew_ms", "drops"):
            setattr(row, field, provenance[field])
        row.notes = provenance.get("notes", [])
        return row

    def _settle(self, bag: Bag, digest: str, found: BagEpisode) -> ImportRow:
        """Decide on one episode and write it unless it is rejected."""
        segment = found.segment
        label, name = _label(bag, segment), _name(bag, digest, segment)
        row = ImportRow(label, "rejected", found.fault, drops=dict(found.drops))
        if not found.fault:
            row.actions_from, row.labels_from = found.actions_from, found.labels_from
            row.skew_ms, row.notes = round(1e3 * found.skew, 3), found.notes
            try:
                self._apply(found, label, row)
                episode = self._episode(found, row, digest, bag)
            except UserError as error:
                row.reason = error.what
            else:
                if found.unfinished and not (episode.succeeded or episode.violated):
                    cut = bag.cut or "no stop mark"
                    row.reason = f"the recording ends within the episode ({cut})"
                    row.describe(episode)
                else:
                    row.verdict, row.file = "imported", f"{name}{SUFFIX}"
                    row.describe(episode)
                    if not self.dry_run:
                        write_episode(self.out, name, episode)
        if row.verdict == "rejected":
            self._remove(name)
        return row

    def _apply(self, found: BagEpisode, label: str, row: ImportRow) -> None:
        """Overwrite labels with those of the labels file."""
        correction = self.corrections.get(label)
        if correction is None:
            return
        for name, labels in (("success", found.success), ("violation", found.constraint)):
            change = getattr(correction, f"{name}_from")
            if change is None:
                continue
            if change > len(labels):
                raise UserError(f"{name}_from is {change}, but there are {len(labels)} steps")
            labels[:] = np.arange(1, len(labels) + 1) >= (change or len(labels) + 1)
        row.labels_from += ", labels file"

    def _episode(self, found: BagEpisode, row: ImportRow, digest: str, bag: Bag) -> Episode:
        # as in the environments: a violation ends the task, so no success counts after it
        constraint = np.logical_or.accumulate(found.constraint)
        success = found.success & ~constraint
        correction = self.corrections.get(_label(bag, found.segment))
        source = self._source(found, correction, bool(success.any()), bool(constraint.any()))
        provenance = {
            "bag": bag.name,
            "fingerprint": digest,
            "index": found.segment.index,
            "key": self._key(bag, digest, found.segment),
            "actions_from": row.actions_from,
            "labels_from": row.labels_from,
            "skew_ms": row.skew_ms,
            "drops": row.drops,
            "notes": row.notes,
            "first_stamp": found.stamps[0],
            "last_stamp": found.stamps[-1],
            "settings": _settings(self.rules),
            "commit": git_commit(),
        }
        return Episode(
            observations=found.observations,
            actions=found.actions,
            rewards=np.where(success, 0.0, -1.0).astype(np.float32),
            constraint=constraint,
            success=success,
            source=source,
            seed=-1,  # a recording has no seed
            attributes={"import": provenance},
        )

    def _source(
        self, found: BagEpisode, correction: Correction | None, succeeded: bool, violated: bool
    ) -> str:
        """Return the kind of an episode: that of the labels file, the option or the start mark.

        A demonstration that violated becomes `constraint`, and one that missed the goal `random`.
        """
        segment = found.segment
        source = self.source
        if correction is not None and correction.source:
            source = correction.source
        elif source == "auto":
            by_planner = found.actions_from == "commands" and not segment.marked
            source = segment.source or ("online" if by_planner else "demonstration")
        if source not in SOURCES:
            raise UserError(f"source '{source}' is none of {', '.join(SOURCES)}")
        if source == "demonstration" and (violated or not succeeded):
            return "constraint" if violated else "random"
        return source

    def _key(self, bag: Bag, digest: str, segment: Segment) -> str:
        """Return a hash of everything that decides the content of the episode file."""
        correction = self.corrections.get(_label(bag, segment))
        parts = (digest, segment.index, _settings(self.rules), self.source, str(correction))
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def _remove(self, name: str) -> None:
        """Remove the file that an earlier import wrote for an episode that is not wanted now."""
        if not self.dry_run:
            (self.out / f"{name}{SUFFIX}").unlink(missing_ok=True)


def _one_line(error: DataError) -> str:
    """Return what is wrong, in which file, and what to do."""
    place = f"{Path(error.where).name}: {error.do}" if error.do else Path(error.where).name
    return f"{error.what} ({place})"


def _digest(bag: Bag, videos: Sequence[RecordedVideo]) -> str:
    """Return the fingerprint of a bag and its videos, 12 hexadecimal digits."""
    prints = [bag.fingerprint(), *(video.fingerprint() for video in videos)]
    return prints[0] if not videos else hashlib.sha256(" ".join(prints).encode()).hexdigest()[:12]


def _settings(rules: Rules) -> dict[str, Any]:
    return dataclasses.asdict(rules)


def _label(bag: Bag, segment: Segment) -> str:
    return f"{bag.name}/{segment.index}"


def _name(bag: Bag, digest: str, segment: Segment) -> str:
    """Return the file name of an episode; it differs for two bags of the same name."""
    return f"{bag.name}_{segment.index:04d}_{digest[:6]}"
