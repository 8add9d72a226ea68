"""Settings of the comparisons: what they share, and what each method adds."""

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


@dataclass(frozen=True, kw_only=True)
class SacfdConfig(ComparisonConfig):
    """Section `sacfd` of a domain's YAML. Defaults are those of reference 55, unless said."""

    alpha: float = parameter(0.2, low=0, description="weight of the entropy, fixed")
    batch_size: int = parameter(256, low=1, description="steps per gradient step")
    start_steps: int = parameter(
        0,
        low=0,
        description="first online steps with uniformly random actions; 10000 in reference 55, "
        "which knows no demonstrations",
    )
    cloning_steps: int = parameter(
        3000, low=0, description="gradient steps of the behaviour clone; ours"
    )
    critic_steps: int = parameter(
        3000, low=0, description="gradient steps of the critic on D_demos; ours"
    )


@dataclass(frozen=True, kw_only=True)
class RecoveryConfig:
    """Section `sacfd_rrl` of a domain's YAML, beside `sacfd`. Defaults are those of reference 56,
    unless said.
    """

    gamma_risk: float = parameter(low=0, high=1, description="gamma_risk, discount of Q_risk")
    eps_risk: float = parameter(
        low=0, description="eps_risk, the risk above which the recovery policy acts; above 1: never"
    )
    tau_risk: float = parameter(
        0.0002, low=0, high=1, description="share by which the target of Q_risk follows"
    )
    risk_steps: int = parameter(
        10_000, low=0, description="gradient steps of Q_risk and recovery policy on all of D"
    )


@dataclass(frozen=True, kw_only=True)
class AwacConfig(ComparisonConfig):
    """Section `awac` of a domain's YAML. Defaults are those of reference 57, unless said."""

    beta: float = parameter(2.0, low=1e-6, description="temperature of the advantages")
    weight_decay: float = parameter(1e-4, low=0, description="weight decay of the policy")
    batch_size: int = parameter(
        1024,
        low=1,
        description="steps per gradient step; the weights are normalised over the batch",
    )
    image_batch_size: int = parameter(
        256, low=1, description="the same from images: a quarter, ours, for the time that it takes"
    )
    offline_steps: int = parameter(
        10_000, low=0, description="gradient steps on all of D before the first episode; ours"
    )
