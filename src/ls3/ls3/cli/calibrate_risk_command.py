"""The command `ls3 calibrate-risk`: shows how rarely a model's steps lead to a violation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ls3.cli.options import CommonOptions
from ls3_common.errors import UserError


@dataclass(kw_only=True)
class CalibrateRisk(CommonOptions):
    """Find a delta_C with which few executed steps lead to a violation, on fresh rollouts.

    The result is written into the model's manifest, and planners with the same settings obey it.
    Run the command again to continue after an interruption.
    """

    model: Path
    """Directory of the model."""
    rollouts: int = 100
    """Number of rollouts of each delta_C that is tested."""
    share: float = 0.05
    """Largest share of executed steps that may lead to a violation within H."""
    confidence: float = 0.95
    """With which this must be shown."""

    def execute(self) -> None:
        """Run the rollouts that are missing, and write the limit into the manifest."""
        from ls3.learning.model_files import load_bundle_for
        from ls3.studies.risk import RiskStudy
        from ls3_common.files import read_json, write_json
        from ls3_common.model_facts import MANIFEST
        from ls3_planner.risk import RISK, entry
        from ls3_sim.registration import make_task

        for option, value in (("--share", self.share), ("--confidence", self.confidence)):
            if not 0 < value < 1:
                raise UserError(f"{value:g} is no share", where=option, do="give 0.05 or 0.95")
        domain = self.load()
        bundle = load_bundle_for(self.model, domain.data_spec)
        env = make_task(domain.spec, domain.variations)
        study = RiskStudy(
            bundle=replace(bundle, manifest={**bundle.manifest, RISK: None}),
            config=domain.planner,
            env=env,
            variations=domain.variations,
            rollouts=self.rollouts,
            share=self.share,
            confidence=self.confidence,
            work=Path("out") / "risk" / domain.name,
        )
        limit = study.run()
        env.close()
        path = self.model / MANIFEST
        write_json(path, read_json(path) | {RISK: entry(limit)})
        print(f"{path}: {limit}")
