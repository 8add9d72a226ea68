"""LS3 as an agent: the models of `Ls3Learning`, and the planner that acts with them.

The agent stands in this package because it needs both `ls3_models` and `ls3_planner`. The
ablations (-Safe Set, BC SS, no constraints) are the same agent with other settings, see
`ls3.runs.methods`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ls3.learning.model_files import load_bundle_for
from ls3.learning.shared_offline import take_over
from ls3_models.agent import AgentKind
from ls3_models.bundle import Bundle, save_bundle
from ls3_models.config import LearnerConfig
from ls3_models.frame_guard import FrameGuard
from ls3_models.ls3_learning import Ls3Learning
from ls3_models.offline_data import OfflineData, Spec
from ls3_planner.config import PlannerConfig
from ls3_planner.plan import Planner, make_planner


class PlannerPolicy:
    """Encodes the observation and plans; holds still if there is no feasible plan."""

    def __init__(self, bundle: Bundle, planner: Planner, guard: FrameGuard | None = None) -> None:
        """Act with the encoder of `bundle`, a planner for the same models, and a guard."""
        self.bundle, self.planner, self._guard = bundle, planner, guard
        self._forget()

    def begin(self, seed: int) -> None:
        """Begin an episode; `seed` decides the planner's random numbers."""
        self.planner.reset(seed)
        self._forget()

    def _forget(self) -> None:
        self._step = self._holds = self._objections = 0
        self._plan_ms = list[float]()
        self._safe, self._constraint = list[float](), list[float]()

    def act(self, observation: np.ndarray, info: Mapping[str, Any]) -> np.ndarray | None:
        """Return the first action of a plan, float32 (A,), in the domain's unit.

        Args:
            observation: uint8 (h, w, c).
            info: `constraint` tells whether the observation shows a violation.

        Returns:
            The action; None after a violation, without a feasible plan, or where the guard objects
            to the observation.
        """
        if info["constraint"]:
            return None  # a violation freezes the environment, so no action has an effect
        mean, std = self.bundle.encode(observation[None])
        step, self._step = self._step, self._step + 1
        if self._guard is not None:
            scores = self._guard.scores(observation[None], mean)[0]
            if self._guard.objection(scores, step):
                self._holds += 1
                self._objections += 1
                return None
        plan = self.planner.plan(mean[0], std[0])
        self._plan_ms.append(plan.solve_time_s * 1e3)
        if not plan.feasible:
            self._holds += 1
            return None
        self._safe.append(plan.safe_probability)
        self._constraint.append(plan.constraint_probability)
        return plan.action

    def record(self) -> dict[str, Any]:
        """Return the planner's part of an episode's attributes.

        `plan_ms`: the time of each plan. `holds`: the number of steps without a plan.
        `objections`: the number of these to whose frame the guard objected. `safe_probability` and
        `constraint_probability`: the estimates of (5) and (6) for each step with a plan.
        """
        return {
            "plan_ms": list(self._plan_ms),
            "holds": self._holds,
            "objections": self._objections,
            "safe_probability": list(self._safe),
            "constraint_probability": list(self._constraint),
        }


def guarded_policy(bundle: Bundle, config: PlannerConfig) -> PlannerPolicy:
    """Return the policy of a model with its guard on frames, where `config` has it on."""
    guard = bundle.guard if config.frame_guard else None
    return PlannerPolicy(bundle, make_planner(bundle, config), guard)


class Ls3Agent(Ls3Learning):
    """Learns the models of LS3, and plans with them as they are after the last update."""

    counted = ("holds",)

    def __init__(
        self, config: LearnerConfig, planner: PlannerConfig, data: OfflineData, seed: int
    ) -> None:
        """Make an untrained agent.

        Args:
            config: settings of the models and their training.
            planner: settings of the planner.
            data: the offline data.
            seed: decides all random numbers of the training.
        """
        super().__init__(config, data, seed)
        self.planner_config = planner
        self.online_settings: Mapping[str, Any] = {"planner": planner}
        self._policy: PlannerPolicy | None = None

    def bundle(self) -> Bundle:
        """Return the present models, to plan with here or in the nodes of a graph."""
        spec = self.data.spec
        return Bundle(
            self.learner.models,
            self.config,
            spec.domain,
            spec.observation_shape,
            spec.action_low,
            spec.action_high,
            identity="learning",
        )

    def policy(self) -> PlannerPolicy:
        """Return a policy with the present models. Only the planner's random numbers explore."""
        bundle = self.bundle()
        return PlannerPolicy(bundle, make_planner(bundle, self.planner_config))

    def begin(self, seed: int) -> None:
        """Begin an episode with the present models."""
        self._policy = self.policy()
        self._policy.begin(seed)

    def act(self, observation: np.ndarray, info: Mapping[str, Any]) -> np.ndarray | None:
        """See `PlannerPolicy.act`."""
        assert self._policy is not None, "begin() comes first"
        return self._policy.act(observation, info)

    def record(self) -> dict[str, Any]:
        """Return `holds`, the number of steps without a feasible plan.

        Planning times are left out, because they would differ whenever a run is repeated.
        """
        assert self._policy is not None, "begin() comes first"
        return {"holds": self._policy.record()["holds"]}

    def save(self, path: Path, manifest: Mapping[str, Any]) -> None:
        """Write the models as a bundle, which the nodes can load as well."""
        save_bundle(self.bundle(), path, **manifest)


def _make(settings: Mapping[str, Any], data: OfflineData, seed: int) -> Ls3Agent:
    return Ls3Agent(settings["learner"], settings["planner_node"], data, seed)


def _load(path: Path, settings: Mapping[str, Any], spec: Spec) -> PlannerPolicy:
    bundle = load_bundle_for(path, spec)
    return guarded_policy(bundle, settings["planner_node"])


KIND = AgentKind(
    sections={"learner": LearnerConfig, "planner_node": PlannerConfig},
    make=_make,
    load=_load,
    shipped=True,
    take_over=take_over,
    acts_from_state=True,
)
