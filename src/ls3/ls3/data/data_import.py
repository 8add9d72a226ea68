"""Turns recordings into episode files: decides on labels, keeps the provenance, writes each file
once. Formats of recordings are in `ls3.data.formats`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dvrk_cable_env.bags.episodes import BagEpisode
from dvrk_cable_env.bags.rules import Rules
from dvrk_cable_env.bags.segments import Segment
from ls3.data.data_labels import Correction
from ls3.data.import_report import ImportRow, write_bag_report
from ls3.data.recording import Recording
from ls3.runs.provenance import git_commit
from ls3_common.errors import DataError, UserError
from ls3_models.episodes import SUFFIX, Episode, read_episode, write_episode

SOURCES = ("demonstration", "random", "constraint", "online")
"""Kinds of episodes."""


@dataclass
class Importer:
    """Imports recordings into one data set.

    out: directory of the data set. rules: how recordings become episodes. corrections: from the
    labels file, by ``NAME/INDEX``. source: kind of the episodes, one of `SOURCES`, or `auto`.
    dry_run: whether to write nothing. report: is called with every row as soon as it is known.
    """

    out: Path
    rules: Rules
    corrections: Mapping[str, Correction]
    source: str = "auto"
    dry_run: bool = False
    report: Callable[[ImportRow], None] = lambda row: None

    def run(self, path: Path, open_recording: Callable[[Path], Recording]) -> list[ImportRow]:
        """Import one recording and return a row per episode.

        A recording or an episode that cannot be imported yields a row with the reason.

        Args:
            path: the recording, a file or a directory.
            open_recording: opens the recording, or raises a DataError.

        Raises:
            UserError: `out` lies within the recording.
            DataError: an episode of an earlier import is damaged.
        """
        if path.is_dir() and self.out.resolve().is_relative_to(path.resolve()):
            raise UserError(
                f"--out lies within the recording {path}",
                where=str(self.out),
                do="give a directory outside, because recordings are only read",
            )
        try:
            recording = open_recording(path)
        except DataError as error:
            rows = [ImportRow(path.stem, "rejected", _one_line(error))]
            self.report(rows[0])
            return rows
        rows, todo = [], []
        for segment in recording.segments:
            row = self._known(recording, segment)
            if row is None:
                todo.append(segment)
            else:
                rows.append(row)
                self.report(row)
        if todo:
            for found in recording.episodes(todo):
                row = self._settle(recording, found)
                rows.append(row)
                self.report(row)
        if not recording.segments:
            why = "the recording has marks, but none starts an episode"
            rows.append(ImportRow(recording.name, "rejected", why))
            self.report(rows[-1])
        rows.sort(key=lambda row: row.episode)
        if not self.dry_run:
            write_bag_report(
                self.out,
                f"{recording.name}_{recording.digest[:6]}",
                rows,
                cut=recording.cut,
                drops=recording.drops,
                settings=_settings(self.rules),
            )
        return rows

    def _known(self, recording: Recording, segment: Segment) -> ImportRow | None:
        """Return the row of an episode that is discarded or present; None for any other."""
        label, name = _label(recording, segment), _name(recording, segment)
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
        if provenance.get("key") != self._key(recording, segment):
            return None  # imported with other settings or labels
        row = ImportRow(label, "present", file=path.name)
        row.describe(episode)
        for field in ("actions_from", "labels_from", "skew_ms", "drops"):
            setattr(row, field, provenance[field])
        row.notes = provenance.get("notes", [])
        return row

    def _settle(self, recording: Recording, found: BagEpisode) -> ImportRow:
        """Decide on one episode and write it unless it is rejected."""
        segment = found.segment
        label, name = _label(recording, segment), _name(recording, segment)
        row = ImportRow(label, "rejected", found.fault, drops=dict(found.drops))
        if not found.fault:
            row.actions_from, row.labels_from = found.actions_from, found.labels_from
            row.skew_ms, row.notes = round(1e3 * found.skew, 3), found.notes
            try:
                self._apply(found, label, row)
                episode = self._episode(found, row, recording)
            except UserError as error:
                row.reason = error.what
            else:
                if found.unfinished and not (episode.succeeded or episode.violated):
                    cut = recording.cut or "no stop mark"
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

    def _episode(self, found: BagEpisode, row: ImportRow, recording: Recording) -> Episode:
        # as in the environments: a violation ends the task, so no success counts after it
        constraint = np.logical_or.accumulate(found.constraint)
        success = found.success & ~constraint
        correction = self.corrections.get(_label(recording, found.segment))
        source = self._source(found, correction, bool(success.any()), bool(constraint.any()))
        provenance = {
            "bag": recording.name,
            "fingerprint": recording.digest,
            "index": found.segment.index,
            "key": self._key(recording, found.segment),
            "actions_from": row.actions_from,
            "labels_from": row.labels_from,
            "skew_ms": row.skew_ms,
            "drops": row.drops,
            "notes": row.notes,
            "first_stamp": found.stamps[0],
            "last_stamp": found.stamps[-1],
            "offsets_ms": _offsets(found.stamps),
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

    def _key(self, recording: Recording, segment: Segment) -> str:
        """Return a hash of everything that decides the content of the episode file."""
        correction = self.corrections.get(_label(recording, segment))
        place = (segment.index, segment.begin, segment.end, segment.source)
        marks = (segment.success_from, segment.violation_from)
        settings = _settings(self.rules)
        parts = (recording.digest, place, marks, settings, self.source, str(correction))
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def _remove(self, name: str) -> None:
        """Remove the file that an earlier import wrote for an episode that is not wanted now."""
        if not self.dry_run:
            (self.out / f"{name}{SUFFIX}").unlink(missing_ok=True)


def _one_line(error: DataError) -> str:
    """Return what is wrong, in which file, and what to do."""
    place = ": ".join(filter(None, (Path(error.where).name, error.do)))
    return f"{error.what} ({place})" if place else error.what


def _offsets(stamps: list[int]) -> list[int]:
    """Return the times of states after the first, ms; none where a file's header has no room."""
    return [round((stamp - stamps[0]) / 1e6) for stamp in stamps] if len(stamps) <= 5000 else []


def _settings(rules: Rules) -> dict[str, Any]:
    """Return the rules; those that are newer than some imports, only where they say something."""
    newer = ("crop", "action_topic", "action_fields")
    found = dataclasses.asdict(rules).items()
    return {name: value for name, value in found if value or name not in newer}


def _label(recording: Recording, segment: Segment) -> str:
    return f"{recording.name}/{segment.index}"


def _name(recording: Recording, segment: Segment) -> str:
    """Return the file name of an episode; it differs for two recordings of the same name."""
    return f"{recording.name}_{segment.index:04d}_{recording.digest[:6]}"
