"""Gradient steps of the six learned parts (section 7.1.1) and their exact state."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from ls3_common.errors import ConfigError, UserError
from ls3_models.augment import augment
from ls3_models.config import LearnerConfig
from ls3_models.frame_stack import reverse_some, to_changes
from ls3_models.networks import Decoder, Dynamics, Encoder, Heads
from ls3_models.replay import Replay


class NonFiniteLoss(UserError):
    """A loss became NaN or infinite; names the module."""

    exit_code = 1

    def __init__(self, what: str) -> None:
        super().__init__(what, do="lower the rate, or go on from there")


class Models(nn.Module):
    """f_enc, f_dec, f_dyn, V, f_S, f_C and f_G of one domain."""

    def __init__(self, config: LearnerConfig, channels: int, action_dim: int) -> None:
        """Raises ConfigError where `channels` are not those of `config.frame_stack` frames."""
        super().__init__()
        if channels % config.frame_stack:
            raise ConfigError(
                f"observations of {channels} channels are not {config.frame_stack} frames",
                do="give learner.frame_stack as many frames as the environment stacks",
            )
        self.encoder = Encoder(channels, config.latent_dim, config.frame_stack)
        self.decoder = Decoder(channels, config.latent_dim, config.frame_stack)
        self.dynamics = Dynamics(
            config.dynamics_members, config.latent_dim, action_dim, config.dynamics_hidden
        )
        self.heads = Heads(config.value_members, config.latent_dim, config.hidden)


class Learner:
    """Models, optimisers and random generator; every draw comes from `generator`.

    `state` and `load_state` hold everything that decides the next step, so that a resumed run
    equals an uninterrupted one.
    """

    def __init__(self, config: LearnerConfig, channels: int, action_dim: int, seed: int) -> None:
        self.config, self._action_dim = config, action_dim
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.models = Models(config, channels, action_dim)
        self.generator = Generator().manual_seed(seed)
        heads = self.models.heads
        self.target_value = copy.deepcopy(heads.value).requires_grad_(False)
        self.target_safe = copy.deepcopy(heads.safe).requires_grad_(False)
        self.updates = {"value": 0, "safe": 0}  # since the start, for the target networks
        vae = [*self.models.encoder.parameters(), *self.models.decoder.parameters()]
        rate = config.learning_rate
        self.optimisers = {
            "vae": torch.optim.Adam(vae, lr=config.vae_learning_rate, fused=True),
            "dynamics": torch.optim.Adam(
                self.models.dynamics.parameters(), lr=config.dynamics_learning_rate, fused=True
            ),
            **{
                name: torch.optim.Adam(getattr(heads, name).parameters(), lr=rate, fused=True)
                for name in ("value", "safe", "constraint", "goal")
            },
        }

    # -- beta-VAE -------------------------------------------------------------------------------

    def vae_step(self, images: Tensor) -> dict[str, float]:
        """One step on uint8 images (batch, height, width, channel), eq. (7)."""
        config = self.config
        target = images.permute(0, 3, 1, 2).float() / 255
        target = reverse_some(target, config.frame_stack, self.generator)
        target = augment(target, config.augmentation, config.augmented_share, self.generator)
        mean, log_std = self.models.encoder(target)
        noise = torch.randn(mean.shape, generator=self.generator)
        decoded = self.models.decoder(mean + torch.exp(log_std) * noise)
        squared = to_changes(decoded - target, config.frame_stack).square()
        divergence = 0.5 * (mean.square() + torch.exp(2 * log_std) - 2 * log_std - 1)
        if config.kl_reduction == "mean":
            loss = squared.mean() + config.beta * divergence.mean()
        else:
            loss = (squared.sum() + config.beta * divergence.sum()) / len(images)
        self._descend("vae", loss)
        return {
            "squared_error_per_image": float(squared.detach().sum()) / len(images),
            "kl_per_image": float(divergence.detach().sum()) / len(images),
        }

    @torch.no_grad()
    def encode(self, images: Tensor, rows: int = 512) -> tuple[Tensor, Tensor]:
        """Posterior mean and standard deviation (n, d) of uint8 images (n, h, w, c)."""
        parts = []
        for block in images.split(rows):
            mean, log_std = self.models.encoder(block.permute(0, 3, 1, 2).float() / 255)
            parts.append((mean, torch.exp(log_std)))
        means, stds = zip(*parts, strict=True)
        return torch.cat(means), torch.cat(stds)

    # -- everything on latents ------------------------------------------------------------------

    def head_step(self, replay: Replay) -> dict[str, float]:
        """One step of dynamics (8), safe set (11), constraint and goal estimators."""
        config, heads = self.config, self.models.heads
        size, members = config.batch_size, config.dynamics_members
        batch = replay.transitions((members, size), self.generator)
        starts = batch.latents[:, : max(1, size // members)]
        change = batch.next_latents - batch.latents
        losses = {
            "dynamics": self.models.dynamics.negative_log_likelihood(
                batch.latents, batch.actions, change
            )
        }
        batch = replay.transitions((1, size), self.generator)
        with torch.no_grad():
            ahead = torch.sigmoid(self.target_safe(self._blurred(batch.next_latents))[..., 0])
            target = torch.maximum(batch.in_safe_set, config.gamma_safe * ahead)
        losses["safe"] = _cross_entropy(heads.safe(self._blurred(batch.latents)), target)
        if config.imagined_weight:
            outside = heads.safe(self._blurred(self._imagined(starts)))
            losses["safe"] += config.imagined_weight * _cross_entropy(
                outside, torch.zeros_like(outside[..., 0])
            )
        frames = replay.frames((1, size), self.generator)
        latents = self._blurred(frames.latents)
        losses["constraint"] = _cross_entropy(heads.constraint(latents), frames.constraint)
        losses["goal"] = _cross_entropy(heads.goal(latents), frames.success)
        for name, loss in losses.items():
            self._descend(name, loss)
        self._count_update("safe")
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def value_step(self, replay: Replay, *, monte_carlo: bool) -> dict[str, float]:
        """One step of the value ensemble: offline on returns (9), online on TD-1 targets (10).

        Beyond the goal nothing is paid: V is 0 there. An episode that ends at the goal has no
        step from its last frame, so that V would be anything there, and the steps before follow.
        """
        shape = (self.config.value_members, self.config.batch_size)
        batch = replay.transitions(shape, self.generator, on_policy=True)
        if monte_carlo:
            target = batch.cost_to_go
        else:
            with torch.no_grad():
                ahead = self.target_value(self._blurred(batch.next_latents))[..., 0]
                target = batch.rewards + self.config.gamma * (1 - batch.arrives) * ahead
        value = self.models.heads.value(self._blurred(batch.latents))[..., 0]
        loss = (value - target).square().mean()
        self._descend("value", loss)
        self._count_update("value")
        return {"value": float(loss.detach())}

    def _blurred(self, latents: Tensor) -> Tensor:
        """Latents as the planner asks the heads of them: a little beside those of any frame.

        Imagined latents leave the thin set of encoded ones, whose posteriors are narrow. There a
        head is whatever it happens to be, and a planner that maximises goes where it is best.
        With noise a head learns to ignore what no frame tells apart. In many dimensions noise is
        never small, so a head learns about a shell around each frame and not about the frame:
        targets, too, ask it there. Asked at the frames V fed on its own error and grew for ever.
        """
        if not self.config.head_noise:
            return latents
        noise = torch.randn(latents.shape, generator=self.generator)
        return latents + self.config.head_noise * noise

    @torch.no_grad()
    def _imagined(self, latents: Tensor) -> Tensor:
        """Where each member of the dynamics takes its rows of latents (member, row, d) by actions
        that nobody took, as one batch (1, member x row, d).

        Counted as outside, they make f_S tell frames from imagination. Where few data say what is
        outside, f_S is high wherever nothing was seen, and plans go there. Where demonstrations
        are as frequent as imagination, they still win.
        """
        shape = (*latents.shape[:2], self._action_dim)
        actions = 2 * torch.rand(shape, generator=self.generator) - 1
        most = self.config.imagined_steps
        for _ in range(int(torch.randint(1, most + 1, (), generator=self.generator))):
            latents = latents + self.models.dynamics(latents, actions)[0]
            wander = 0.5 * torch.randn(actions.shape, generator=self.generator)
            actions = (actions + wander).clamp(-1, 1)
        return latents.flatten(0, 1)[None]

    def _count_update(self, name: str) -> None:
        """Copy a network to its lagged twin of (10) or (11) every `target_interval` steps."""
        self.updates[name] += 1
        if self.updates[name] % self.config.target_interval == 0:
            target = {"value": self.target_value, "safe": self.target_safe}[name]
            target.load_state_dict(getattr(self.models.heads, name).state_dict())

    def _descend(self, name: str, loss: Tensor) -> None:
        if not torch.isfinite(loss):
            raise NonFiniteLoss(f"the loss of '{name}' is {float(loss.detach())}")
        optimiser = self.optimisers[name]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    # -- state ----------------------------------------------------------------------------------

    def state(self) -> dict[str, Tensor]:
        """Everything as named tensors, ready for safetensors."""
        tensors = {f"models.{k}": v for k, v in self.models.state_dict().items()}
        tensors |= {f"target_value.{k}": v for k, v in self.target_value.state_dict().items()}
        tensors |= {f"target_safe.{k}": v for k, v in self.target_safe.state_dict().items()}
        for name, optimiser in self.optimisers.items():
            for index, entries in optimiser.state_dict()["state"].items():
                for key, value in entries.items():
                    tensors[f"optimiser.{name}.{index}.{key}"] = value
        tensors["generator"] = self.generator.get_state()
        tensors["updates"] = torch.tensor(list(self.updates.values()))
        return tensors

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore `state`.

        Raises:
            KeyError, RuntimeError: a tensor is missing or has another shape.
        """

        def part(prefix: str) -> dict[str, Tensor]:
            cut = len(prefix) + 1
            return {k[cut:]: v for k, v in tensors.items() if k.startswith(f"{prefix}.")}

        self.models.load_state_dict(part("models"))
        self.target_value.load_state_dict(part("target_value"))
        self.target_safe.load_state_dict(part("target_safe"))
        for name, optimiser in self.optimisers.items():
            (group,) = optimiser.param_groups
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in part(f"optimiser.{name}").items():
                index, entry = key.split(".")
                if value.ndim:  # laid out as the parameter: the fused step takes that for granted
                    value = torch.empty_like(group["params"][int(index)].data).copy_(value)
                state.setdefault(int(index), {})[entry] = value
            groups = optimiser.state_dict()["param_groups"]
            optimiser.load_state_dict({"state": state, "param_groups": groups})
        self.generator.set_state(tensors["generator"])
        self.updates = dict(zip(self.updates, tensors["updates"].tolist(), strict=True))


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits[..., 0], target)
