"""Evaluates models under the variations of ``robustness.yaml``, on the same seeds in every row.

Every episode is kept in a file as soon as it has run, and the results are written after every row.
The same command therefore continues after an interruption. Rows and domains that the results file
has of the same model, planner and seeds are kept, so that processes with different rows or domains
may write the same file.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ls3.learning import policy
from ls3.learning.ls3_agent import guarded_policy
from ls3.runs.domains import Domain
from ls3.runs.provenance import command_line, git_commit, machine, now
from ls3.studies.results import FACTS
from ls3.studies.stats import exact_interval, paired_difference, recorded
from ls3_common import parameters
from ls3_common.errors import ConfigError, UserError
from ls3_common.files import locked, read_json, write_json
from ls3_common.progress import Bar, Interrupted, StopRequest, bar
from ls3_models.bundle import Bundle
from ls3_models.episodes import SUFFIX, Episode, read_episode, write_episode
from ls3_sim.registration import check_variations, make_environment

FIRST_SEED = 2_000_000
"""Seed of the first episode of every row; the others follow. Nothing else uses these seeds."""


@dataclass(frozen=True)
class DomainStudy:
    """The rows of one domain.

    title: for people. episodes: number of episodes of each row. rows: by the name of each row, the
    variations that are on.
    """

    title: str
    episodes: int
    rows: Mapping[str, Mapping[str, Any]]

    def only(self, rows: Sequence[str], episodes: int | None) -> DomainStudy:
        """Return the study with these rows (empty: all) and this number of episodes."""
        chosen = {name: self.rows[name] for name in self.rows if not rows or name in rows}
        return DomainStudy(self.title, self.episodes if episodes is None else episodes, chosen)


def read_studies(path: Path | None = None) -> dict[str, DomainStudy]:
    """Read the studies by domain from `path`, by default from ``robustness.yaml``.

    Raises:
        ConfigError: the file cannot be read or has another form.
    """
    path = path or Path(__file__).with_name("robustness.yaml")
    try:
        document = yaml.safe_load(path.read_text())
        studies = {name: _study(**entry) for name, entry in document.items()}
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        do = "write for each domain: title, episodes, and rows, each with its variations"
        raise ConfigError(f"not a list of studies: {error}", where=str(path), do=do) from None
    return studies


def _study(title: str, episodes: int, rows: Mapping[str, Mapping[str, Any]]) -> DomainStudy:
    return DomainStudy(str(title), int(episodes), {name: dict(rows[name]) for name in rows})


class RobustnessStudy:
    """Evaluates one domain's model in all of its rows."""

    def __init__(self, domain: Domain, bundle: Bundle, study: DomainStudy, work: Path) -> None:
        """Check all rows before any episode runs.

        Args:
            domain: the domain; its own variations do not count.
            bundle: the model.
            study: the rows.
            work: directory of the episodes' files.

        Raises:
            ConfigError: a row has a variation that the domain does not have, or one out of range.
            UserError: there are no rows or no episodes.
        """
        if study.episodes < 1 or not study.rows:
            raise UserError("a study needs at least one row and one episode")
        self.domain, self.bundle = domain, bundle
        self.seeds = [FIRST_SEED + i for i in range(study.episodes)]
        self.rows = {
            name: check_variations(
                domain.spec, values, f"robustness of {domain.name}, row '{name}'"
            )
            for name, values in study.rows.items()
        }
        self._about: dict[str, Any] = {
            "model": bundle.identity,
            "planner": parameters.to_dict(domain.planner),
            FACTS: parameters.to_dict(domain.spec),
        }
        text = json.dumps(self._about, sort_keys=True)
        self._work = work / domain.name / f"{bundle.identity}-{zlib.crc32(text.encode()):08x}"
        self._about = json.loads(text) | {"seeds": [self.seeds[0], self.seeds[-1]]}
        self._title = study.title

    @property
    def done(self) -> int:
        """Number of episodes that an earlier call has run."""
        return sum(self._path(v, seed).exists() for v in self.rows.values() for seed in self.seeds)

    @property
    def total(self) -> int:
        """Number of episodes of all rows."""
        return len(self.rows) * len(self.seeds)

    def run(self, progress: Bar, stop: StopRequest, path: Path) -> None:
        """Run the episodes that are missing, and write the results to `path` after every row.

        Raises:
            DataError: the results file is damaged.
            Interrupted: a person wants to stop; all episodes so far are kept.
        """
        planned = guarded_policy(self.bundle, self.domain.planner)
        for name, variations in self.rows.items():
            env = make_environment(self.domain.spec, variations)
            for seed in self.seeds:
                file = self._path(variations, seed)
                if not file.exists():
                    write_episode(file.parent, file.stem, policy.play(env, planned, seed))
                    progress.advance(f"{self.domain.name}, {name}")
                if stop.requested:
                    env.close()
                    raise Interrupted
            env.close()
            nominal = self._episodes({}) if self._is_done({}) else None
            self._write(path, name, summarise(variations, self._episodes(variations), nominal))

    def _episodes(self, variations: Mapping[str, Any]) -> list[Episode]:
        return [read_episode(self._path(variations, seed)) for seed in self.seeds]

    def _is_done(self, variations: Mapping[str, Any]) -> bool:
        return all(self._path(variations, seed).exists() for seed in self.seeds)

    def _write(self, path: Path, name: str, row: Mapping[str, Any]) -> None:
        """Add a row to the results file, as it is now; other processes wait meanwhile."""
        where = {"command": command_line(), "commit": git_commit(), "machine": machine()}
        with locked(path):
            domains = read_json(path).get("domains", {}) if path.exists() else {}
            before = domains.get(self.domain.name, {})
            same = all(before.get(key) == value for key, value in self._about.items())
            rows = (before["rows"] if same else {}) | {name: {**row, **where, "written": now()}}
            domains |= {self.domain.name: {"title": self._title, **self._about, "rows": rows}}
            write_json(path, {"name": "robustness", "domains": domains})

    def _path(self, variations: Mapping[str, Any], seed: int) -> Path:
        text = json.dumps(dict(variations), sort_keys=True)
        return self._work / f"{zlib.crc32(text.encode()):08x}" / f"{seed}{SUFFIX}"


def summarise(
    variations: Mapping[str, Any], episodes: Sequence[Episode], nominal: Sequence[Episode] | None
) -> dict[str, Any]:
    """Return the figures of a row.

    Args:
        variations: those of the row.
        episodes: its episodes.
        nominal: the episodes without variations, with the same seeds; None: they have not run.
    """
    success = [e.succeeded for e in episodes]
    violation = [e.violated for e in episodes]
    figures = {
        "variations": dict(variations),
        **policy.summarise(episodes),
        "success_rate_interval": list(exact_interval(sum(success), len(success))),
        "violations": sum(violation),
        "violation_rate_interval": list(exact_interval(sum(violation), len(violation))),
        **recorded(episodes),
    }
    if nominal is not None:
        pairs = paired_difference(success, [e.succeeded for e in nominal])
        figures["success_less_nominal"], *figures["success_less_nominal_interval"] = pairs
    return figures


def run(studies: Sequence[RobustnessStudy], path: Path) -> None:
    """Run studies and write their results to `path`.

    Raises:
        DataError: the results file is damaged.
        Interrupted: on SIGINT or SIGTERM; the same command continues.
    """
    total, done = sum(s.total for s in studies), sum(s.done for s in studies)
    with StopRequest() as stop, bar("robustness", total, done) as progress:
        for study in studies:
            study.run(progress, stop, path)
