"""The command `ls3 evaluate`: a model, or the checkpoints of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from ls3.cli.options import MethodOptions, at_least_one
from ls3_common.errors import UserError
from ls3_common.seeds import seed_of


@dataclass(kw_only=True)
class Evaluate(MethodOptions):
    """Run a model in the environment and print success rate, violation rate and return."""

    model: Path | None = None
    """Directory of the model; by default the model shipped for the domain."""
    checkpoints: bool = False
    """Evaluate the policies that a run has kept on its way instead of a model (figure 6). Run the
    command again to continue after an interruption."""
    run: Path | None = None
    """With --checkpoints: directory of the run; by default runs/<domain>/<method>/seed_<seed>."""
    episodes: int | None = None
    """Number of episodes: by default 50, or 10 of each checkpoint. Their seeds follow from --seed
    and are not used for training."""
    vary: Annotated[list[str], tyro.conf.UseAppendAction] = field(default_factory=list)
    """Vary the episodes of this evaluation: NAME=VALUE,NAME=VALUE, with the names of the section
    environment, e.g. camera_shift=3,start_jitter=0.05. May be repeated."""
    out: Path | None = None
    """JSON file to which the figures are written as well. Missing folders are made."""
    video: Path | None = None
    """MP4 file to which a film of the episodes is written. Missing folders are made."""

    def execute(self) -> None:
        """Evaluate the model, or the checkpoints of a run, and print the figures as JSON."""
        from ls3_common.files import refuse_unwritable, write_json

        if self.episodes is not None:
            at_least_one(self.episodes, "--episodes")
        if self.out:
            refuse_unwritable(self.out)
        if self.video:
            refuse_unwritable(self.video)
        figures = self._of_checkpoints() if self.checkpoints else self._of_model()
        if self.out:
            write_json(self.out, figures)
        print(json.dumps(figures, indent=1))

    def _of_checkpoints(self) -> dict[str, Any]:
        from ls3.learning.checkpoints import evaluate_kept, rates
        from ls3.runs.methods import default_run, find_method
        from ls3.runs.run_directory import exclusive, refuse_other_run
        from ls3_models.agent import Policy
        from ls3_sim.registration import make_task

        unused = {"--model": self.model, "--vary": self.vary, "--video": self.video}
        if option := next((name for name, value in unused.items() if value), ""):
            raise UserError(
                "checkpoints are those of a run", where=option, do=f"leave {option} out"
            )
        domain = self.load()
        kind = find_method(self.method).kind
        directory = self.run or default_run(domain, self.method, self.seed, self.config)
        refuse_other_run(directory, domain, self.method)

        def load(path: Path) -> Policy:
            return kind.load(path, domain.settings(kind.sections), domain.data_spec)

        with exclusive(directory / "online"):
            env = make_task(domain.spec, domain.variations)
            rows = evaluate_kept(directory / "online", load, env, self._seeds(10))
            env.close()
        return rates(rows)

    def _seeds(self, default: int) -> list[int]:
        count = default if self.episodes is None else self.episodes
        return [seed_of(self.seed, "evaluate", i) for i in range(count)]

    def _of_model(self) -> dict[str, Any]:
        from ls3.learning.film import write_film
        from ls3.learning.model_files import find_model
        from ls3.learning.policy import evaluate, summarise
        from ls3.runs.methods import find_method
        from ls3.studies.stats import intervals, recorded
        from ls3_common.parameter_files import parse_values
        from ls3_sim.registration import check_variations, make_task

        if self.run is not None:
            raise UserError(
                "the run of --checkpoints", where="--run", do="add --checkpoints, or give --model"
            )
        domain = self.load()
        kind = find_method(self.method).kind
        model = find_model(self.model, domain.name, shipped=kind.shipped)
        values = {**domain.variations, **parse_values(self.vary)}
        variations = check_variations(domain.spec, values, "--vary")
        policy = kind.load(model, domain.settings(kind.sections), domain.data_spec)
        env = make_task(domain.spec, variations)
        episodes = evaluate(env, policy, self._seeds(50))
        env.close()
        if self.video:
            write_film(self.video, episodes)
        return {
            "variations": variations,
            **summarise(episodes),
            **intervals(episodes, domain.algorithm.horizon),
            **recorded(episodes),
        }
