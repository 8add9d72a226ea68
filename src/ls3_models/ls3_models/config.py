"""Parameters of learning. The values of Table 3 stand in config/<domain>.yaml."""

from __future__ import annotations

from dataclasses import dataclass, field

from ls3_common.parameters import parameter


@dataclass(frozen=True, kw_only=True)
class ViewConfig:
    """How far views differ from the camera's own. A view draws from the whole of each range."""

    copies: int = parameter(
        0,
        low=0,
        high=10,
        description="copies of each episode, each seen in a view of its own, from which dynamics "
        "and heads learn beside the episode itself; 0, as in the paper: none",
    )
    shift: float = parameter(
        0.0,
        low=0,
        high=0.5,
        description="largest shift along each axis, in widths of the image, where "
        "environment.camera_shift is in px",
    )
    rotation: float = parameter(0.0, low=0, high=180, unit="degrees", description="largest turn")
    scale: float = parameter(0.0, low=0, high=0.5, description="largest change of scale, relative")
    light: float = parameter(
        0.0, low=0, high=0.9, description="largest change of brightness, relative"
    )
    occlusion: float = parameter(
        0.0,
        low=0,
        high=0.5,
        description="side of the square that hides a part of every second view, in widths of the "
        "image; black in a mask, of some grey in a picture",
    )

    def __post_init__(self) -> None:
        ranges = (self.shift, self.rotation, self.scale, self.light, self.occlusion)
        if not self.copies and any(ranges):
            raise ValueError("there is a range of views, but no copy that shows one: raise copies")


@dataclass(frozen=True, kw_only=True)
class LearnerConfig:
    """Section `learner` of a domain's YAML. Symbols and figures: sections 7.1, 7.2 and Table 3."""

    latent_dim: int = parameter(low=1, high=1024, description="d, size of the latent space")
    beta: float = parameter(low=0, description="beta, weight of the VAE's KL term, eq. (7)")
    batch_size: int = parameter(low=1, description="rows per gradient step")
    gamma: float = parameter(low=0, high=1, description="gamma, discount of the value, eq. (9)")
    gamma_safe: float = parameter(low=0, high=1, description="gamma_S, eq. (11); 0: LS3 (BC SS)")

    augmentation: str = parameter(
        description="transform of the VAE's images: 'crop' (section 4.1), or 'warp': shifts and "
        "perspective (7.3.4)",
        choices=("crop", "warp", "none"),
    )
    augmented_share: float = parameter(
        0.7, low=0, high=1, description="share of augmented images in a VAE batch"
    )
    frame_stack: int = parameter(
        1,
        low=1,
        description="frames per observation (Table 3, frame stacking), the newest last",
        domain="frames",
    )
    views: ViewConfig = field(default_factory=ViewConfig)
    kl_reduction: str = parameter(
        "mean",
        choices=("mean", "sum"),
        description="'sum': eq. (7) as written; 'mean': both terms averaged, as in the authors' "
        "code",
    )
    learning_rate: float = parameter(1e-4, low=0, description="Adam's learning rate of the heads")
    vae_learning_rate: float = parameter(
        1e-4,
        low=0,
        description="Adam's learning rate of the VAE; higher if a CPU affords few iterations",
    )
    dynamics_learning_rate: float = parameter(
        1e-3, low=0, description="Adam's learning rate of the dynamics"
    )
    dynamics_members: int = parameter(5, low=1, description="networks in the dynamics ensemble")
    dynamics_hidden: int = parameter(
        128, low=1, description="width of the dynamics' two hidden layers"
    )
    heads: tuple[str, ...] = parameter(
        ("value", "safe", "constraint", "goal"),
        description="the heads to learn, by their names in ls3_models.heads.HEADS",
    )
    value_members: int = parameter(5, low=1, description="networks in the value ensemble")
    hidden: int = parameter(256, low=1, description="width of the three hidden layers of a head")
    head_noise: float = parameter(
        0.0,
        low=0,
        description="standard deviation of noise on the latents that the heads learn from; "
        "0, as in the paper: none",
    )
    imagined_weight: float = parameter(
        0.0,
        low=0,
        description="weight in the loss of f_S of imagined latents, labelled as outside the safe "
        "set; 0, as in the paper: none",
    )
    imagined_steps: int = parameter(
        5, low=1, description="most steps of the dynamics that make an imagined latent"
    )
    steps_at_goal: int = parameter(
        0,
        low=0,
        description="steps at rest in the goal that D is given beyond an online episode that ended "
        "there, as the demonstrations have; 0: none",
    )
    goal_ends: bool = parameter(
        True,
        description="whether V of a state in the goal counts as 0 in targets of V, which the "
        "paper's (10) does not say",
    )
    target_interval: int = parameter(
        100, low=1, description="gradient steps between two updates of a target network"
    )

    vae_batch_size: int = parameter(
        256,
        low=1,
        description="images per gradient step of the VAE; Table 3 has one batch size for all",
    )
    vae_iterations: int = parameter(low=1, description="gradient steps of the VAE, offline")
    offline_iterations: int = parameter(
        low=1, description="gradient steps of dynamics and heads, offline"
    )
    update_iterations: int = parameter(
        512,
        low=1,
        description="gradient steps of dynamics and heads, except V, per online update",
    )
    value_update_iterations: int = parameter(
        2000, low=1, description="gradient steps of V per online update"
    )
    checkpoint_interval: int = parameter(
        500, low=1, description="gradient steps between checkpoints"
    )
