"""Settings that the comparisons share. Those of each method stand in the method's file."""

from __future__ import annotations

from dataclasses import dataclass

from ls3_common.parameters import parameter


@dataclass(frozen=True, kw_only=True)
class ComparisonConfig:
    """Settings that the comparisons share."""

    penalty: float = parameter(
        high=0, description="lambda, added to the reward of every step that violates a constraint"
    )
    frame_stack: int = parameter(
        1, low=1, description="frames per observation, the newest last", domain="frames"
    )
    gamma: float = parameter(0.99, low=0, high=1, description="gamma, discount of the critic")
    tau: float = parameter(
        0.005, low=0, high=1, description="share by which the critic's target follows at every step"
    )
    learning_rate: float = parameter(3e-4, low=0, description="Adam's learning rate")
    hidden: int = parameter(256, low=1, high=4096, description="width of the hidden layers")
    arithmetic: str = parameter(
        "float32",
        choices=("float32", "bfloat16"),
        description="arithmetic of the convolutions; bfloat16 is faster on a processor that has it",
    )
    checkpoint_interval: int = parameter(
        500, low=1, description="gradient steps between checkpoints before the first episode"
    )
