"""Measures a domain's shipped model and writes ``results/<domain>.json``.

A block of figures is written as soon as it is complete, and the episodes of an unfinished block are
kept. The same command then continues with what is missing. The file is begun anew for another
model, other settings of the planner or other seeds.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium

from ls3.learning import policy
from ls3.learning.ls3_agent import guarded_policy
from ls3.runs.domains import Domain, load_domain
from ls3.runs.provenance import machine
from ls3.studies.reliability import reliability
from ls3.studies.stats import recorded
from ls3_common import parameters
from ls3_common.errors import UserError
from ls3_common.files import read_json, write_json
from ls3_common.processes import launch
from ls3_common.progress import bar
from ls3_models import SPIN
from ls3_models.bundle import Bundle
from ls3_models.episodes import SUFFIX, list_episodes, read_episode, write_episode
from ls3_planner.config import PlannerConfig

FIRST_SEED = 1_000_000
"""Seed of the first measured episode; the others follow. Nothing else uses these seeds."""


class Measurement:
    """Measures all blocks of figures of one domain.

    document: the content of the results file so far.
    """

    def __init__(
        self,
        domain: Domain,
        bundle: Bundle,
        env: gymnasium.Env,
        path: Path,
        *,
        episodes: int,
        commit: str,
    ) -> None:
        """Continue the results file at `path` if it is of the same model, planner and seeds.

        Args:
            domain: the domain.
            bundle: the model to measure.
            env: the domain's environment.
            path: the results file.
            episodes: number of episodes of each block.
            commit: commit of the source tree, for the file.

        Raises:
            DataError: the results file is damaged.
        """
        self.domain, self.bundle, self.env, self.path = domain, bundle, env, path
        planner = dataclasses.asdict(domain.planner)
        decisive = [planner, dict(domain.variations), parameters.to_dict(domain.spec)]
        settings = zlib.crc32(json.dumps(decisive, sort_keys=True).encode())
        directory = Path("out") / "measure" / domain.name
        self.work = directory / f"{bundle.identity}-{settings:08x}"
        self.seeds = [FIRST_SEED + i for i in range(episodes)]
        self.document: dict[str, Any] = {
            "name": domain.name,
            "command": f"ls3 measure --domain {domain.name} --episodes {episodes}",
            "commit": commit,
            "machine": machine(),
            "model": bundle.identity,
            "planner": planner,
            "variations": dict(domain.variations),
            "seeds": [self.seeds[0], self.seeds[-1]],
            "metrics": {},
        }
        self._resume()

    def blocks(self) -> dict[str, Callable[[], Mapping[str, Any]]]:
        """Return, by the name of each block, the function that measures it."""
        planner = self.domain.planner
        realtime = planner.as_profile("realtime")
        return {
            "demonstrator": lambda: policy.summarise(policy.demonstrate(self.env, self.seeds)),
            "in_process": lambda: self._in_process(realtime, "in_process"),
            "no_safe_set": lambda: self._in_process(
                dataclasses.replace(realtime, use_safe_set=False), "no_safe_set"
            ),
            "ros": self._through_graph,
            "in_process_paper_profile": lambda: self._in_process(
                planner.as_profile("paper"), "paper"
            ),
        }

    def run(self, only: list[str]) -> None:
        """Measure those of the named blocks that the file lacks; of all blocks if `only` is empty.

        Raises:
            UserError: a name is unknown, or the graph did not run.
            Interrupted: on SIGINT or SIGTERM; finished blocks and episodes are kept.
        """
        blocks = self.blocks()
        unknown = [name for name in only if name not in blocks]
        if unknown:
            raise UserError(f"no block '{unknown[0]}'", do=f"blocks: {', '.join(blocks)}")
        for name in only or blocks:
            if name in self.document["metrics"]:
                continue
            print(f"-- {name}", flush=True)
            self.document["metrics"][name] = dict(blocks[name]())
            self._write()

    def _in_process(self, config: PlannerConfig, name: str) -> dict[str, Any]:
        planned = guarded_policy(self.bundle, config)
        directory = self.work / name
        with bar(name, len(self.seeds), len(list_episodes(directory))) as progress:
            for seed in self.seeds:
                if (directory / f"{seed}{SUFFIX}").exists():
                    continue
                write_episode(directory, str(seed), policy.play(self.env, planned, seed))
                progress.advance()
        episodes = [read_episode(directory / f"{seed}{SUFFIX}") for seed in self.seeds]
        return {
            **policy.summarise(episodes),
            **recorded(episodes),
            "reliability": reliability(episodes, config.horizon),
        }

    def _through_graph(self) -> dict[str, Any]:
        """Run the same episodes by ``ros2 launch``, in a random ROS domain without other graphs."""
        installed = load_domain(self.domain.name)
        for what in ("planner", "variations"):
            if getattr(self.domain, what) != getattr(installed, what):
                raise UserError(
                    f"the graph takes its {what} from the installed parameter file, and these are "
                    "others",
                    where="ros",
                    do=f"change them in config/{self.domain.name}.yaml, or leave the block ros out",
                )
        out = self.work / "ros"
        summary = out / "summary.json"
        summary.unlink(missing_ok=True)
        command = [
            "ros2",
            "launch",
            "ls3_sim",
            f"{self.domain.name}.launch.py",
            f"episodes:={len(self.seeds)}",
            f"seed:={self.seeds[0]}",
            f"out:={out}",
            "video:=false",
        ]
        environment = {**os.environ, "ROS_DOMAIN_ID": str(random.SystemRandom().randint(1, 101))}
        environment.pop(SPIN, None)  # the graph's processes share the cores
        launch(command, environment)
        if not summary.exists():
            raise UserError(
                "the graph did not write this file",
                where=str(summary),
                do="see the messages of the launch above",
            )
        figures = read_json(summary)
        if not figures["complete"]:
            raise UserError(
                "not all episodes ran through the graph",
                where=str(summary),
                do="see the messages of the launch above",
            )
        count = figures["episodes"]
        return {
            "episodes": count,
            "success_rate": figures["successes"] / count,
            "violation_rate": figures["violations"] / count,
            **{key: figures[key] for key in ("mean_steps", "holds", "dropped")},
            **{key: figures[key] for key in ("plan_ms_median", "frame_to_command_ms_p99")},
        }

    def _resume(self) -> None:
        if not self.path.exists():
            return
        before = read_json(self.path)
        before.setdefault("variations", {})
        keys = ("model", "planner", "variations", "seeds")
        if all(before.get(key) == self.document[key] for key in keys):
            self.document["metrics"] = before["metrics"]

    def _write(self) -> None:
        write_json(self.path, self.document)
