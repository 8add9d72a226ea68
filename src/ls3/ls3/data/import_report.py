"""The report of an import: what became of every episode of every bag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ls3_common.files import read_json, write_json
from ls3_models.data_hash import data_hash
from ls3_models.episodes import Episode, list_episodes, read_episode

REPORT = "import.json"
"""Name of the report in the directory of the data set."""


@dataclass
class ImportRow:
    """What became of one recorded episode.

    episode: ``BAG/INDEX``. verdict: `imported`, `present` (imported earlier), `rejected` or
    `discarded`. reason: why it was rejected or discarded. file: name of the episode file; empty if
    there is none. source: kind of the episode. total_reward: undiscounted return. actions_from,
    labels_from: topics or other origins of actions and labels. skew_ms: largest delay of a state's
    frame, or distance of a frame from the nearest setpoint, ms. drops: numbers of messages that
    were not used, by reason. notes: what a person should know of the episode.
    """

    episode: str
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
    drops: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def describe(self, episode: Episode) -> None:
        """Fill in what the episode itself says."""
        self.source, self.steps = episode.source, len(episode)
        self.total_reward = float(episode.rewards.sum())
        self.success, self.violation = episode.succeeded, episode.violated


def write_bag_report(
    data: Path,
    bag: str,
    rows: Sequence[ImportRow],
    *,
    cut: str,
    drops: Mapping[str, int],
    settings: Mapping[str, Any],
) -> None:
    """Write what became of one bag into the report of a data set.

    Args:
        data: directory of the data set.
        bag: key of the bag in the report.
        rows: one row per episode of the bag.
        cut: how the bag was cut off; empty if it is complete.
        drops: numbers of messages that were not used, by reason.
        settings: rules of the import.

    Raises:
        DataError: the report is damaged.
    """
    path = data / REPORT
    document = read_json(path) if path.exists() else {}
    document[bag] = {
        "cut": cut,
        "drops": dict(drops),
        "settings": settings,
        "episodes": [asdict(row) for row in rows],
    }
    write_json(path, document)


def summarise_import(data: Path) -> dict[str, Any]:
    """Count bags, episodes, steps, drops and rejections of the data set in directory `data`.

    Raises:
        DataError: an episode or the report of the import is missing or damaged.
    """
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
