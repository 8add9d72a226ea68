"""What a plan rests on besides its latent, so that a recorded plan can be made again. No ROS."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from ls3_common.errors import DataError
from ls3_common.parameters import build, to_dict
from ls3_planner.config import PlannerConfig


@dataclass(frozen=True)
class PlanInput:
    """The content of a PLAN_INPUT message.

    Attributes:
        stamp: of the camera frame, ns; the latent and the plan have it too.
        episode: number of the episode.
        step: number of the step in the episode.
        seed: seed of the planner's random numbers for this plan.
        memory: what the plan took from the plan before (`Planner.memory`); None: nothing.
        model: directory of the trained models.
        identity: identity of the model.
        planner: parameters of the planner, by dotted name.
        holds: the number of plans right before without a feasible one.
    """

    stamp: int
    episode: int
    step: int
    seed: int
    memory: np.ndarray | None
    model: str
    identity: str
    planner: dict[str, Any]
    holds: int = 0

    @property
    def config(self) -> PlannerConfig:
        """The planner's parameters.

        Raises:
            ConfigError: a parameter is unknown, missing or out of range.
        """
        return build(PlannerConfig, self.planner, "plan_input")

    def to_json(self) -> str:
        """Return the message's text. Numbers of 32 bits keep their value."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields["memory"] = None if self.memory is None else self.memory.tolist()
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str) -> PlanInput:
        """Read a message's text.

        Raises:
            DataError: the text is not one of a PLAN_INPUT.
        """
        try:
            fields = json.loads(text)
            fields.pop("reason", None)  # of bags made before Plan had one
            memory = fields["memory"]
            fields["memory"] = None if memory is None else np.array(memory, np.float32)
            return cls(**fields)
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"not a plan_input ({error})") from None


def planner_parameters(config: PlannerConfig) -> dict[str, Any]:
    """Return the parameters that `PlannerConfig` has; a subclass may have others."""
    names = {field.name for field in dataclasses.fields(PlannerConfig)}
    return {k: v for k, v in to_dict(config).items() if k.partition(".")[0] in names}
