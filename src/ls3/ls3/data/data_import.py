"""Bags to episode files: labels settled, provenance kept, each file written once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dvrk_cable_env.bags.episodes import BagEpisode, read_episodes
from dvrk_cable_env.bags.reading import Bag
from dvrk_cable_env.bags.records import Streams
from dvrk_cable_env.bags.segments import Segment, find_segments
from dvrk_cable_env.bags.steps import Rules
from dvrk_cable_env.bags.streams import read_streams
from dvrk_cable_env.bags.video import RecordedVideo
from ls3.data.data_labels import Correction
from ls3.runs.provenance import git_commit
from ls3_common.errors import DataError, UserError
from ls3_common.files import read_json, write_json
from ls3_models.data_hash import data_hash
from ls3_models.episodes import (
    SUFFIX,
    Episode,
    list_episodes,
    read_episode,
    write_episode,
)

REPORT = "import.json"
SOURCES = ("demonstration", "random", "constraint", "online")


@dataclass
class ImportedEpisode:
    """What became of one episode: imported, present, rejected or discarded."""

    episode: str  # BAG/INDEX
    verdict: str
    reason: str = ""
    file: str = ""
    source: str = ""
    steps: int = 0
    total_reward: float = 0.0
    success: bool = False
    violation: bool = False
    actions_from: str = ""
    labels_from: str = ""
    skew_ms: float = 0.0
    drops: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclass
class Importer:
    """Imports bags into one data set; `source` is a behaviour's name or auto."""

    out: Path
    rules: Rules
    corrections: Mapping[str, Correction]
    source: str = "auto"
    dry_run: bool = False
    report: Callable[[ImportedEpisode], None] = lambda row: None
    videos: Sequence[RecordedVideo] = ()
    """In the camera's place; each bag takes those of its own time."""
    video_fault: str = ""
    """Why others of them cannot be read."""

    def run(self, path: Path) -> list[ImportedEpisode]:
        """One bag. What cannot be imported is reported, never raised."""
        try:
            bag = Bag(path)
        except DataError as error:
            rows = [ImportedEpisode(path.stem, "rejected", error.what)]
            self.report(rows[0])
            return rows
        inside = bag.path if bag.path.is_dir() else bag.path.parent
        if self.out.resolve().is_relative_to(inside.resolve()) and bag.path.is_dir():
            raise UserError("--out lies within a bag", where=str(self.out), do="a bag is only read")
        streams = read_streams(bag, self.rules.names)
        videos = [video for video in self.videos if video.during(*streams.span)]
        if not videos and (self.videos or self.video_fault):
            streams.camera, streams.camera_fault = "", self.video_fault or "no video of its time"
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
                ImportedEpisode(bag.name, "rejected", "no episode in it: marks, but no start")
            )
            self.report(rows[-1])
        rows.sort(key=lambda row: row.episode)
        if not self.dry_run:
            self._write_report(bag, digest, streams, rows)
        return rows

    def _known(self, bag: Bag, digest: str, segment: Segment) -> ImportedEpisode | None:
        """The row of an episode that needs no look at its pictures."""
        label, name = _label(bag, segment), _name(bag, digest, segment)
        correction = self.corrections.get(label, Correction())
        discard = segment.discarded if correction.discard is None else correction.discard
        if discard:
            why = "labels file" if correction.discard else "mark"
            self._remove(name)
            return ImportedEpisode(label, "discarded", f"by the operator's {why}")
        path = self.out / f"{name}{SUFFIX}"
        if not path.exists():
            return None
        episode = read_episode(path)
        made = episode.attributes.get("import", {})
        if made.get("key") != self._key(bag, digest, segment):
            return None  # by other settings or labels: made anew
        row = _describe(ImportedEpisode(label, "present", file=path.name), episode)
        for field in ("actions_from", "labels_from", "skew_ms", "drops"):
            setattr(row, field, made[field])
        return row

    def _settle(self, bag: Bag, digest: str, found: BagEpisode) -> ImportedEpisode:
        """Judge one episode and write it."""
        segment = found.segment
        label, name = _label(bag, segment), _name(bag, digest, segment)
        row = ImportedEpisode(label, "rejected", found.fault, drops=dict(found.drops))
        if not found.fault:
            row.actions_from, row.labels_from = found.actions_from, found.labels_from
            row.skew_ms = round(1e3 * found.skew, 3)
            try:
                self._apply(found, label, row)
                episode = self._episode(found, row, digest, bag)
            except UserError as error:
                row.reason = error.what
            else:
                if found.unfinished and not (episode.succeeded or episode.violated):
                    row.reason = f"the recording ends within it ({bag.cut or 'no stop mark'})"
                    _describe(row, episode)
                else:
                    row.verdict, row.file = "imported", f"{name}{SUFFIX}"
                    _describe(row, episode)
                    if not self.dry_run:
                        write_episode(self.out, name, episode)
        if row.verdict == "rejected":
            self._remove(name)
        return row

    def _apply(self, found: BagEpisode, label: str, row: ImportedEpisode) -> None:
        """The labels file has the last word."""
        correction = self.corrections.get(label)
        if correction is None:
            return
        for name, labels in (("success", found.success), ("violation", found.constraint)):
            change = getattr(correction, f"{name}_from")
            if change is None:
                continue
            if change > len(labels):
                raise UserError(f"{name}_from is {change}, but it has {len(labels)} steps")
            labels[:] = np.arange(1, len(labels) + 1) >= (change or len(labels) + 1)
        row.labels_from += ", labels file"

    def _episode(self, found: BagEpisode, row: ImportedEpisode, digest: str, bag: Bag) -> Episode:
        # as in process: a violation ends the task, and there is no success after it
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
            seed=-1,  # no seed led a person's hand
            attributes={"import": provenance},
        )

    def _source(
        self, found: BagEpisode, correction: Correction | None, succeeded: bool, violated: bool
    ) -> str:
        """As named for it; but what missed the goal or violated is no demonstration."""
        segment = found.segment
        named = self.source
        if correction is not None and correction.source:
            named = correction.source
        elif named == "auto":
            by_planner = found.actions_from == "commands" and not segment.marked
            named = segment.source or ("online" if by_planner else "demonstration")
        if named not in SOURCES:
            raise UserError(f"source '{named}' is none of {', '.join(SOURCES)}")
        if named == "demonstration" and (violated or not succeeded):
            return "constraint" if violated else "random"
        return named

    def _key(self, bag: Bag, digest: str, segment: Segment) -> str:
        """Changes whenever the file would."""
        correction = self.corrections.get(_label(bag, segment))
        parts = (digest, segment.index, _settings(self.rules), self.source, str(correction))
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def _remove(self, name: str) -> None:
        """What an earlier import made of an episode that is no longer wanted."""
        if not self.dry_run:
            (self.out / f"{name}{SUFFIX}").unlink(missing_ok=True)

    def _write_report(
        self, bag: Bag, digest: str, streams: Streams, rows: list[ImportedEpisode]
    ) -> None:
        path = self.out / REPORT
        document = read_json(path) if path.exists() else {}
        document[f"{bag.name}_{digest[:6]}"] = {
            "cut": bag.cut,
            "drops": dict(streams.drops),
            "settings": _settings(self.rules),
            "episodes": [dataclasses.asdict(row) for row in rows],
        }
        write_json(path, document)


def summarise_import(data: Path) -> dict[str, Any]:
    """Counts of what was imported into the data set `data`, from how many bags, and of the rest."""
    episodes = [read_episode(path) for path in list_episodes(data)]
    bags = read_json(data / REPORT)
    rows = [row for bag in bags.values() for row in bag["episodes"]]
    drops: Counter[str] = Counter()
    for counted in (*(bag["drops"] for bag in bags.values()), *(row["drops"] for row in rows)):
        drops.update(counted)
    return {
        "bags": len(bags),
        "cut_off_bags": sum(bool(bag["cut"]) for bag in bags.values()),
        "episodes": len(episodes),
        "sources": dict(Counter(episode.source for episode in episodes)),
        "successful_demonstrations": sum(
            episode.succeeded for episode in episodes if episode.source == "demonstration"
        ),
        "violating": sum(episode.violated for episode in episodes),
        "steps": sum(map(len, episodes)),
        "rejected": sum(row["verdict"] == "rejected" for row in rows),
        "discarded": sum(row["verdict"] == "discarded" for row in rows),
        "drops": dict(drops),
        "largest_skew_ms": max((row["skew_ms"] for row in rows if row["file"]), default=None),
        "hash": data_hash(data),
    }


def _digest(bag: Bag, videos: Sequence[RecordedVideo]) -> str:
    """Of all that is read: 12 hexadecimal digits."""
    prints = [bag.fingerprint(), *(video.fingerprint() for video in videos)]
    return prints[0] if not videos else hashlib.sha256(" ".join(prints).encode()).hexdigest()[:12]


def _settings(rules: Rules) -> dict[str, Any]:
    return dataclasses.asdict(rules)


def _label(bag: Bag, segment: Segment) -> str:
    return f"{bag.name}/{segment.index}"


def _name(bag: Bag, digest: str, segment: Segment) -> str:
    """Of the file; two bags of one name do not meet."""
    return f"{bag.name}_{segment.index:04d}_{digest[:6]}"


def _describe(row: ImportedEpisode, episode: Episode) -> ImportedEpisode:
    row.source, row.steps = episode.source, len(episode)
    row.total_reward = float(episode.rewards.sum())
    row.success, row.violation = episode.succeeded, episode.violated
    return row
