"""Parameters of planning and of Algorithm 1; their values stand in config/<domain>.yaml."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

from ls3_common.parameters import parameter

LEAST_DELTA_SAFE = 1e-3
"""delta_S at which a lowering without end ends: f_S is as low where nothing was ever safe."""
PLANNERS = {
    "fast": "ls3_planner.selection:fast_planner",
    "reference": "ls3_planner.reference:reference_planner",
}
"""The function that makes each planner, `module:name`: imported when asked for, with PyTorch."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """How much the cross-entropy method computes. A profile changes these numbers and no others."""

    candidates: int = parameter(low=1, description="n_candidate, action sequences per iteration")
    particles: int = parameter(low=1, description="n_particle, latent trajectories per candidate")
    elites: int = parameter(low=1, description="n_elite, candidates the Gaussian is refitted to")
    iterations: int = parameter(low=1, description="n_cem_iters, evaluated iterations")
    fresh_particles: int = parameter(
        100, low=2, description="particles, unseen by the search, that judge what is executed"
    )
    judged: int = parameter(24, low=1, description="most candidates that they judge, of a search")

    def __post_init__(self) -> None:
        if self.elites > self.candidates:
            raise ValueError(f"{self.elites} elites of {self.candidates} candidates")


@dataclass(frozen=True, kw_only=True)
class PlannerConfig:
    """Section `planner_node`. Symbols: section 4.4, 7.1.1 and Table 3."""

    profile: str = parameter(
        "realtime",
        choices=("paper", "realtime"),
        description="'paper': Table 3; 'realtime': searches less, as two CPU cores hold the "
        "control rate",
    )
    paper: Cost
    realtime: Cost
    planner: str = parameter(
        "fast",
        choices=tuple(PLANNERS),
        description="'reference': the plainest way to the same plans, several times slower",
    )
    search: str = parameter(
        "cem",
        choices=("cem", "icem"),
        description="'cem': section 4.4; 'icem': coloured noise and kept elites, beyond the paper, "
        "of the profile 'realtime' alone",
    )
    horizon: int = parameter(low=1, high=50, description="H, planned steps")
    delta_safe: float = parameter(low=0, high=1, description="delta_S, first level of the safe set")
    delta_constraint: float = parameter(
        low=0, high=1, description="delta_C, bound on the violation probability, eq. (6)"
    )
    random_share: float = parameter(
        low=0, high=1, description="p_random, share of uniform candidates in the first iteration"
    )
    use_safe_set: bool = parameter(True, description="eq. (5); false: LS3 (-Safe Set)")
    use_constraint: bool = parameter(True, description="eq. (6); false: no constraint")
    safe_rule: str = parameter(
        "probability",
        choices=("probability", "mean"),
        description="'probability': eq. (5); 'mean': mean of f_S >= delta_S, released code",
    )
    constraint_rule: str = parameter(
        "probability",
        choices=("probability", "any"),
        description="'probability': eq. (6); 'any': no particle above delta_C, released code",
    )
    confidence: float = parameter(
        0.95,
        low=0.5,
        high=0.9999,
        description="with which fresh particles must show that a plan meets (5), and (6)",
    )
    relaxation: float = parameter(
        0.8, low=0, high=0.99, description="factor on delta_S when no plan meets (5)"
    )
    max_relaxations: int = parameter(
        5, low=0, description="then there is no plan and the arm holds"
    )
    patience: int = parameter(
        0,
        low=0,
        description="after so many plans in a row without a feasible one, delta_S is lowered until "
        "one is feasible, as in the paper, as far as fresh particles can show it; 0: never, the "
        "arm holds",
    )
    frame_guard: bool = parameter(
        True,
        description="hold where the model's guard on frames objects (`ls3 calibrate-guard`)",
    )
    std_floor: float = parameter(
        0.02, low=0, high=1, description="least spread of the Gaussian, in half action ranges"
    )

    def __post_init__(self) -> None:
        if self.profile == "paper" and self.search != "cem":
            raise ValueError(
                f"the profile 'paper' is Table 3's search: it takes search 'cem', not "
                f"'{self.search}'"
            )
        if not self.use_safe_set or self.safe_rule == "mean":
            return
        z, share = self.sigmas, 1 - self.delta_safe
        for name in ("paper", "realtime"):
            count = getattr(self, name).fresh_particles
            if share > most_shown(count, z):
                needed = (
                    f"raise {name}.fresh_particles to {math.ceil(share * z**2 / (1 - share))}, or "
                    if share < 1
                    else ""
                )
                raise ValueError(
                    f"delta_safe {self.delta_safe:g} asks for a share of {share:g} of the "
                    f"particles in the safe set; {count} fresh particles show at most "
                    f"{most_shown(count, z):.3f} with confidence {self.confidence:g}: {needed}"
                    "lower the confidence, or raise delta_safe"
                )

    @property
    def cost(self) -> Cost:
        """Of the profile in force."""
        return self.paper if self.profile == "paper" else self.realtime

    def as_profile(self, profile: str) -> PlannerConfig:
        """Return the same with another profile; `paper` searches by Table 3's CEM."""
        return replace(self, profile=profile, search="cem" if profile == "paper" else self.search)

    def levels(self, holds: int) -> list[float]:
        """delta_S and what it may be lowered to, after so many plans without a feasible one.

        What the fresh particles of the profile in force cannot show is left out.
        """
        count = self.max_relaxations
        if self.patience and holds >= self.patience and 0 < self.relaxation < 1:
            endless = math.log(LEAST_DELTA_SAFE / max(self.delta_safe, LEAST_DELTA_SAFE))
            count = max(count, math.ceil(endless / math.log(self.relaxation)))
        levels = [self.delta_safe * self.relaxation**k for k in range(count + 1)]
        if self.safe_rule == "mean":
            return levels
        most = most_shown(self.cost.fresh_particles, self.sigmas)
        return [level for level in levels if not self.use_safe_set or 1 - level <= most]

    def least_membership(self, delta_safe: float) -> float:
        """The right side of (5) at a delta_S."""
        return delta_safe if self.safe_rule == "mean" else 1 - delta_safe

    @property
    def sigmas(self) -> float:
        """How many standard errors the bounds of this confidence lie from an estimate."""
        return NormalDist().inv_cdf(self.confidence)


def most_shown(count: int, sigmas: float) -> float:
    """Wilson's lower bound of a share that each of `count` particles confirms."""
    return count / (count + sigmas**2)


@dataclass(frozen=True, kw_only=True)
class AlgorithmConfig:
    """Section `algorithm`: data collection and the loop of Algorithm 1."""

    environment: str = parameter(description="gymnasium id", domain="environment")
    horizon: int = parameter(low=1, description="T, steps of an episode", domain="horizon")
    demonstrations: int = parameter(low=0, description="episodes of D_success")
    random: int = parameter(low=0, description="episodes of D_rand")
    constraint: int = parameter(low=0, description="episodes of D_constraint")
    trajectories: int = parameter(low=1, description="K, episodes between updates")
    updates: int = parameter(low=0, description="U, online phases")
    stop_on_success: bool = parameter(
        description="end an online episode at the goal instead of staying there until T"
    )
