"""The calibrated risk of a model: a delta_C that fresh rollouts have shown to be small enough.

`ls3 calibrate-risk` writes a `RiskLimit` into the manifest of a model. A planner for the same model
and the same settings then takes the limit's delta_C (docs/decisions/planning.md, record 242).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ls3_common.errors import DataError
from ls3_planner.config import PlannerConfig
from ls3_planner.plan_input import planner_parameters

if TYPE_CHECKING:
    from ls3_models.bundle import Bundle

RISK = "risk"
"""Where a manifest has the limit."""


@dataclass(frozen=True)
class RiskLimit:
    """What was shown: of executed steps, at most `share` lead to a violation within H.

    Attributes:
        delta_constraint: delta_C with which this was shown.
        share: of the executed steps of a rollout, on average over rollouts.
        confidence: of the whole procedure.
        rollouts: number of rollouts with this delta_C.
        seen: the share in these rollouts.
        settings: the planner's, by dotted name, with which the rollouts ran.
        variations: those of the episodes.
    """

    delta_constraint: float
    share: float
    confidence: float
    rollouts: int
    seen: float
    settings: Mapping[str, Any]
    variations: Mapping[str, Any]

    def holds_for(self, config: PlannerConfig) -> bool:
        """Return whether the rollouts ran with these settings."""
        return dict(self.settings) == settings(config)

    def __str__(self) -> str:
        return (
            f"at most {self.share:.0%} of executed steps lead to a violation within H, with "
            f"confidence {self.confidence:.0%} ({self.rollouts} rollouts, "
            f"delta_C {self.delta_constraint:g})"
        )


def settings(config: PlannerConfig) -> dict[str, Any]:
    """Return the settings that a limit belongs to: all but delta_C, which the limit gives."""
    return {k: v for k, v in planner_parameters(config).items() if k != "delta_constraint"}


def limit_of(bundle: Bundle) -> RiskLimit | None:
    """Return the limit in a model's manifest; None if its risk was not calibrated.

    Raises:
        DataError: the manifest's limit is damaged.
    """
    found = bundle.manifest.get(RISK)
    if found is None:
        return None
    try:
        limit = RiskLimit(**found)
        if not (0 <= limit.delta_constraint <= 1 and dict(limit.settings)):
            raise ValueError(f"delta_constraint {limit.delta_constraint}")
    except (TypeError, ValueError) as error:
        raise DataError(
            f"'{RISK}' of the manifest is damaged ({error})",
            where=f"model of '{bundle.domain}'",
            do="run `ls3 calibrate-risk` again",
        ) from None
    return limit


def entry(limit: RiskLimit) -> dict[str, Any]:
    """Return a limit as the manifest keeps it."""
    return asdict(limit)


def limited(bundle: Bundle, config: PlannerConfig) -> PlannerConfig:
    """Return the settings with the model's calibrated delta_C, where the limit holds for them.

    A configured delta_C that is smaller is kept.
    """
    limit = limit_of(bundle)
    if limit is None or not limit.holds_for(config):
        return config
    return replace(config, delta_constraint=min(config.delta_constraint, limit.delta_constraint))


def in_words(bundle: Bundle, config: PlannerConfig) -> str:
    """Say what is known of the risk of a model with these settings."""
    limit = limit_of(bundle)
    if limit is None:
        return "the risk of this model is not calibrated"
    if not limit.holds_for(config):
        own, found = settings(config), dict(limit.settings)
        other = sorted(k for k in own.keys() | found.keys() if own.get(k) != found.get(k))
        return f"the risk of this model was calibrated with another {', '.join(other)}"
    return f"risk: {limit}"
