"""Has the scripted operator record episodes until the data set has all that are wanted.

A session is one call of operator.launch.py: a script ``session_000.json`` and beside it the bag
``session_000``. An episode counts once it is imported. If the recorder is killed, only the episodes
that it lost are recorded again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ls3.learning.collect import ATTEMPTS
from ls3_common.errors import UserError
from ls3_common.files import read_list, write_json
from ls3_common.processes import launch
from ls3_common.seeds import seed_of
from ls3_models import SPIN
from ls3_models.episodes import list_episodes, read_episode

MAX_FAILED_SESSIONS = 3
"""Number of sessions in a row without an imported episode, after which `record` gives up."""
Wanted = tuple[str, int]
"""Behaviour of an episode that the data set is to have, and its number among these episodes."""
Attempt = tuple[str, int]
"""Behaviour and seed of an episode that the operator plays."""


def interleaved(counts: Mapping[str, int]) -> list[Wanted]:
    """Return so many episodes of each behaviour, mixed evenly.

    Any stretch of the list then has the behaviours in about the same shares as the whole list.
    """
    places = ((i / count, kind, i) for kind, count in counts.items() for i in range(count))
    return [(kind, index) for _, kind, index in sorted(places)]


@dataclass
class Sessions:
    """The recording sessions for one data set.

    bags: directory of scripts and bags. data: directory of the imported episodes. seed: decides
    the seeds of the episodes, which are those of `ls3 collect` with the same seed.
    """

    bags: Path
    data: Path
    seed: int

    def imported(self) -> dict[Attempt, str]:
        """Return the source that the import gave to each attempt that it imported."""
        scripts = {path.stem: self._read(path) for path in self.bags.glob("session_*.json")}
        sources = {}
        for path in list_episodes(self.data):
            episode = read_episode(path)
            origin = episode.attributes["import"]
            sources[scripts[origin["bag"]][origin["index"]]] = episode.source
        return sources

    def missing(self, wanted: list[Wanted]) -> list[Attempt]:
        """Return the next attempt at each wanted episode that the data set lacks.

        After an attempt that missed its goal, the next one has another seed.

        Raises:
            UserError: `ATTEMPTS` attempts at one episode have failed.
        """
        imported = self.imported()
        attempts = (self._next_attempt(episode, imported) for episode in wanted)
        return [attempt for attempt in attempts if attempt is not None]

    def record(
        self,
        wanted: list[Wanted],
        per_bag: int,
        steps: int,
        real_time_factor: float,
        import_bag: Callable[[Path], None],
    ) -> None:
        """Record and import until no episode is missing.

        Args:
            wanted: the episodes that the data set is to have.
            per_bag: largest number of episodes in one session.
            steps: T, length of an episode.
            real_time_factor: simulated seconds per second of wall time.
            import_bag: imports one bag into the data set, as far as the bag can be read.

        Raises:
            UserError: several sessions or attempts in a row have failed.
            Interrupted: on SIGINT or SIGTERM, after the bag was closed.
        """
        for bag in self._pending():  # an earlier call was interrupted before the import
            import_bag(bag)
        failures, todo = 0, self.missing(wanted)
        while todo:
            name = f"session_{len(list(self.bags.glob('session_*.json'))):03d}"
            script, bag = self.bags / f"{name}.json", self.bags / name
            write_json(script, [{"kind": kind, "seed": seed} for kind, seed in todo[:per_bag]])
            print(f"-- {name}: {len(todo)} of {len(wanted)} episodes are missing", flush=True)
            words = [f"script:={script}", f"out:={bag}", f"steps:={steps}"]
            words += [f"real_time_factor:={real_time_factor}"]
            launch(["ros2", "launch", "ls3_sim", "operator.launch.py", *words], _environment())
            if bag.exists():
                import_bag(bag)
            still_missing = self.missing(wanted)
            failures = failures + 1 if len(still_missing) == len(todo) else 0
            if failures == MAX_FAILED_SESSIONS:
                raise UserError(
                    f"{MAX_FAILED_SESSIONS} sessions in a row yielded no episode",
                    where=str(self.bags),
                    do="see the reasons in the lines above",
                )
            todo = still_missing

    def _pending(self) -> list[Path]:
        """Return the bags with episodes that were not imported."""
        imported = self.imported()
        scripts = sorted(self.bags.glob("session_*.json"))
        return [
            path.with_suffix("")
            for path in scripts
            if path.with_suffix("").exists() and not set(self._read(path)) <= set(imported)
        ]

    def _next_attempt(self, episode: Wanted, imported: Mapping[Attempt, str]) -> Attempt | None:
        """Return the next attempt at an episode; None if an earlier attempt succeeded."""
        kind, index = episode
        for number in range(ATTEMPTS):
            attempt = (kind, seed_of(self.seed, f"{kind}/{number}", index))
            if attempt not in imported:
                return attempt
            if imported[attempt] == kind:
                return None
        raise UserError(
            f"{ATTEMPTS} recordings in a row missed the goal or violated a constraint",
            where=f"{kind} {index}",
            do="check that the scripted operator fits the scene",
        )

    @staticmethod
    def _read(script: Path) -> list[Attempt]:
        return [(entry["kind"], entry["seed"]) for entry in read_list(script)]


def _environment() -> dict[str, str]:
    """Return an environment with a random ROS domain, so that no other graph interferes."""
    domain = str(random.SystemRandom().randint(1, 101))
    environment = {**os.environ, "ROS_DOMAIN_ID": domain}
    environment.pop(SPIN, None)  # the graph's processes share the cores
    return environment
