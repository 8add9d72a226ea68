"""Recordings by the scripted operator: which episodes are wanted, which there are, which are next.

A session is one call of operator.launch.py: a script ``session_000.json`` and beside it the bag
``session_000``. What counts is what the import made of it, so that a killed recorder costs the
episodes that it lost and no other.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ls3.learning.collect import ATTEMPTS
from ls3.learning.environment import seed_of
from ls3_common.errors import UserError
from ls3_common.files import read_list, write_json
from ls3_common.processes import launch
from ls3_models import SPIN
from ls3_models.episodes import list_episodes, read_episode

GIVE_UP = 3
"""Sessions in a row of which no episode could be imported."""
Entry = tuple[str, int]
"""Behaviour and seed of an episode."""


def interleaved(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """(behaviour, index) of all, mixed, so that a part of them has the shares of the whole."""
    places = ((i / count, kind, i) for kind, count in counts.items() for i in range(count))
    return [(kind, index) for _, kind, index in sorted(places)]


@dataclass
class Sessions:
    """The bags of one study.

    bags: directory of the sessions; data: of the imported episodes; seed: of the study, with which
    the episodes have the seeds that `ls3 collect` gives them.
    """

    bags: Path
    data: Path
    seed: int

    def found(self) -> dict[Entry, str]:
        """What each imported episode became: the source that the import gave it."""
        scripts = {path.stem: self._read(path) for path in self.bags.glob("session_*.json")}
        sources = {}
        for path in list_episodes(self.data):
            episode = read_episode(path)
            made = episode.attributes["import"]
            sources[scripts[made["bag"]][made["index"]]] = episode.source
        return sources

    def missing(self, wanted: list[tuple[str, int]]) -> list[Entry]:
        """Episodes yet to be recorded; one that missed its goal is replaced by another.

        Raises:
            UserError: too many attempts at one episode have failed.
        """
        found = self.found()
        return [entry for want in wanted if (entry := self._next(want, found)) is not None]

    def record(
        self,
        wanted: list[tuple[str, int]],
        per_bag: int,
        steps: int,
        factor: float,
        take_in: Callable[[Path], None],
    ) -> None:
        """Record and import until nothing is missing.

        take_in: imports one bag; what it cannot is missing afterwards.
        factor: simulated seconds per second of wall time.

        Raises:
            UserError: nothing comes of it.
            Interrupted: on SIGINT or SIGTERM, after the bag was closed.
        """
        for bag in self._pending():  # an earlier call did not come to that
            take_in(bag)
        failures, todo = 0, self.missing(wanted)
        while todo:
            name = f"session_{len(list(self.bags.glob('session_*.json'))):03d}"
            script, bag = self.bags / f"{name}.json", self.bags / name
            write_json(script, [{"kind": kind, "seed": seed} for kind, seed in todo[:per_bag]])
            print(f"-- {name}: {len(todo)} of {len(wanted)} episodes are missing", flush=True)
            words = [f"script:={script}", f"out:={bag}", f"steps:={steps}"]
            words += [f"real_time_factor:={factor}"]
            launch(["ros2", "launch", "ls3_sim", "operator.launch.py", *words], _environment())
            if bag.exists():
                take_in(bag)
            left = self.missing(wanted)
            failures = failures + 1 if len(left) == len(todo) else 0
            if failures == GIVE_UP:
                raise UserError(
                    f"no episode came of {GIVE_UP} sessions in a row",
                    where=str(self.bags),
                    do="the lines above say why",
                )
            todo = left

    def _pending(self) -> list[Path]:
        """Bags with episodes that were not imported."""
        found = self.found()
        scripts = sorted(self.bags.glob("session_*.json"))
        return [
            path.with_suffix("")
            for path in scripts
            if path.with_suffix("").exists() and not set(self._read(path)) <= set(found)
        ]

    def _next(self, want: tuple[str, int], found: Mapping[Entry, str]) -> Entry | None:
        kind, index = want
        for attempt in range(ATTEMPTS):
            entry = (kind, seed_of(self.seed, f"{kind}/{attempt}", index))
            if entry not in found:
                return entry
            if found[entry] == kind:
                return None
        raise UserError(
            f"{ATTEMPTS} recordings in a row missed the goal or violated a constraint",
            where=f"{kind} {index}",
        )

    @staticmethod
    def _read(script: Path) -> list[Entry]:
        return [(entry["kind"], entry["seed"]) for entry in read_list(script)]


def _environment() -> dict[str, str]:
    """A ROS domain of its own: the operator must not meet another graph."""
    domain = str(random.SystemRandom().randint(1, 101))
    environment = {**os.environ, "ROS_DOMAIN_ID": domain}
    environment.pop(SPIN, None)  # the graph's processes share the cores
    return environment
