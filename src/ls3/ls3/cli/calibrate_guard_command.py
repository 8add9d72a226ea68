"""The command `ls3 calibrate-guard`: makes a model's guard on frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ls3.cli.options import DataOptions, at_least_one
from ls3_common.errors import DataError, UserError
from ls3_common.seeds import seed_of

if TYPE_CHECKING:
    from ls3.runs.domains import Domain


@dataclass(kw_only=True)
class CalibrateGuard(DataOptions):
    """Make the guard on frames of a model from its data and from fresh demonstrations.

    The guard is written into the model's directory. With it, planner and policies hold where a
    frame is unlike those that the model knows.
    """

    model: Path
    """Directory of the model."""
    fresh: Path | None = None
    """Directory of demonstrations from which the model has learned nothing; by default
    <data>_fresh, which the command fills by the domain's demonstrator."""
    demonstrations: int = 600
    """Number of fresh demonstrations that the command makes."""
    alpha: float = 0.01
    """Share of episodes like the fresh ones in which the guard may object without a cause."""

    def execute(self) -> None:
        """Collect the fresh demonstrations that are missing, and write the guard."""
        from ls3.learning.model_files import load_bundle_for
        from ls3.runs import dataset
        from ls3_common.progress import Interrupted, StopRequest, bar
        from ls3_models import frame_guard, frame_guard_fit
        from ls3_models.data_hash import data_hash

        at_least_one(self.demonstrations, "--demonstrations")
        if not 0 < self.alpha < 1:
            raise UserError(f"{self.alpha:g} is no share", where="--alpha", do="give 0.01")
        needed = frame_guard_fit.demonstrations_needed(self.alpha)
        if self.fresh is None and self.demonstrations < needed:
            raise UserError(
                f"{self.demonstrations} are too few for --alpha {self.alpha:g}",
                where="--demonstrations",
                do=f"give at least {needed}",
            )
        domain = self.load()
        bundle = load_bundle_for(self.model, domain.data_spec, guard=False)
        for directory in filter(None, (self.data_directory, self.fresh)):
            dataset.refuse_other_variations(directory, domain)
        training = dataset.read_data(self.data_directory, domain.data_spec)
        learned, found = bundle.manifest.get("data_hash"), data_hash(self.data_directory)
        if learned not in (None, found):
            raise DataError(
                f"the model learned from other data ({learned}, these are {found})",
                where=str(self.data_directory),
                do="give the directory of the model's data as --data",
            )
        directory = self.fresh or self._collect(domain)
        fresh = dataset.read_data(directory, domain.data_spec)
        fresh = [episode for episode in fresh if episode.source == frame_guard_fit.STARTS]
        known = {episode.digest() for episode in training}
        if any(episode.digest() in known for episode in fresh):
            raise DataError(
                "an episode here is one that the model learned from",
                where=str(directory),
                do="give demonstrations of which the model knows nothing",
            )
        with StopRequest() as stop, bar("guard", len(training) + len(fresh)) as progress:

            def advance() -> None:
                progress.advance()
                if stop.requested:
                    raise Interrupted

            guard = frame_guard_fit.fit(
                bundle, training, fresh, alpha=self.alpha, seed=self.seed, advance=advance
            )
        frame_guard.save(guard, self.model)
        limits = f"{guard.anywhere.limit:.2f}, of the first steps {guard.start.limit:.2f}"
        print(f"{self.model / frame_guard.FILE}: limit {limits}, {len(fresh)} demonstrations")

    def _collect(self, domain: Domain) -> Path:
        """Make the fresh demonstrations that are missing, and return their directory."""
        from ls3.learning.collect import collect
        from ls3.runs import dataset
        from ls3_sim.registration import make_task

        directory = self.data_directory.with_name(f"{self.data_directory.name}_fresh")
        counts = replace(
            domain.algorithm, demonstrations=self.demonstrations, random=0, constraint=0
        )
        env = make_task(domain.spec, domain.variations, kinds=["demonstration"])
        dataset.claim(directory, domain)
        collect(env, counts, directory, seed=seed_of(self.seed, "guard", 0))
        env.close()
        return directory
