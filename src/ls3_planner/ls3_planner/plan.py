"""What a planner answers, and how the planner that a configuration names is made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ls3_planner.config import PLANNERS, PlannerConfig
from ls3_planner.risk import limited

if TYPE_CHECKING:
    from ls3_models.bundle import Bundle


@dataclass(frozen=True)
class Plan:
    """Solution of eq. (2) to (6); without a feasible candidate the arm must hold.

    action: (A,) and action_sequence: (H, A) in the domain's units; imagined: (H, d) particle means
    of z_{t+1..t+H}. safe_probability and constraint_probability estimate the left sides of (5) and
    (6), the latter as the largest over horizon and constraints. With ``feasible`` false the arrays
    are zero, the probabilities are those of the candidate that came closest (NaN where the model's
    numbers are not finite), and `reason` says in words what it lacks.
    """

    feasible: bool
    action: np.ndarray
    action_sequence: np.ndarray
    imagined: np.ndarray
    safe_probability: float
    constraint_probability: float
    value: float
    delta_safe: float
    relaxations: int
    solve_time_s: float
    reason: str = ""


def no_plan(bundle: Bundle, config: PlannerConfig, reason: str) -> Plan:
    """Return the plan to hold for a `reason` that was found before any candidate."""
    actions, latent = len(bundle.action_low), bundle.config.latent_dim
    return Plan(
        feasible=False,
        action=np.zeros(actions, np.float32),
        action_sequence=np.zeros((config.horizon, actions), np.float32),
        imagined=np.zeros((config.horizon, latent), np.float32),
        safe_probability=math.nan,
        constraint_probability=math.nan,
        value=-math.inf,
        delta_safe=config.delta_safe,
        relaxations=0,
        solve_time_s=0.0,
        reason=reason,
    )


class Planner(Protocol):
    """Plans one step after the other, and may start each search from the last plan.

    holds: the number of plans in a row, up to the last, without a feasible one.
    """

    holds: int

    def plan(self, mean: np.ndarray, std: np.ndarray) -> Plan:
        """Plan from z_t ~ N(mean, std^2), each (d,).

        Raises:
            DataError: the latent has another size or is not finite.
        """
        ...

    def reset(self, seed: int | None = None) -> None:
        """Forget the last plan (a new episode); with `seed`, draw from there on anew."""
        ...

    def memory(self) -> np.ndarray | None:
        """Return what the next plan takes from the last one, float32; None if nothing."""
        ...

    def recall(self, memory: np.ndarray | None, seed: int, holds: int = 0) -> None:
        """Continue from a `memory` and a number of `holds`, and draw from `seed` on.

        With the same model, latent and parameters the next plan is then the same.
        """
        ...


def make_planner(
    bundle: Bundle, config: PlannerConfig, seed: int = 0, device: str = "cpu"
) -> Planner:
    """The planner that ``config.planner`` names; the bundle's models move to `device`.

    Raises:
        DataError: the calibrated risk in the bundle's manifest is damaged.
    """
    module, function = PLANNERS[config.planner].split(":")
    return getattr(import_module(module), function)(bundle, limited(bundle, config), seed, device)
