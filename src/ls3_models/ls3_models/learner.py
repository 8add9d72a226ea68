"""Gradient steps of all that is learned (section 7.1.1) and its exact state."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor, nn

from ls3_common.errors import ConfigError
from ls3_models.agent import NonFiniteLoss
from ls3_models.augment import augment
from ls3_models.batches import FrameBatch, Transitions
from ls3_models.config import LearnerConfig
from ls3_models.frame_stack import reverse_some, to_changes
from ls3_models.heads import Head, TrainingData, heads_of
from ls3_models.networks import Decoder, Dynamics, Encoder, StackedMLP
from ls3_models.replay import Replay


class Models(nn.Module):
    """f_enc, f_dec and f_dyn of one domain, and its heads (the paper's are V, f_S, f_C and f_G).

    `heads` holds the networks of each head by its name, `head_list` the records of the heads.
    """

    def __init__(self, config: LearnerConfig, channels: int, action_dim: int) -> None:
        """Make untrained models.

        Raises:
            ConfigError: `channels` are not those of `config.frame_stack` frames, or `config` names
                a head that there is not.
        """
        super().__init__()
        self.head_list = heads_of(config)
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
        sizes = (config.latent_dim, config.hidden, config.hidden, config.hidden, 1)
        self.heads = nn.ModuleDict(
            {head.name: StackedMLP(head.members(config), sizes) for head in self.head_list}
        )

    def network(self, name: str) -> StackedMLP:
        """The networks of the head of this name."""
        found = self.heads[name]
        assert isinstance(found, StackedMLP)
        return found

    def read(self, head: Head, latents: Tensor) -> Tensor:
        """The head's number for each of the latents (row, d), the mean over its members: (row,)."""
        network = self.network(head.name)
        outputs = network(latents.expand(network.members, -1, -1))[..., 0]
        return head.activation(outputs).mean(dim=0)


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
        self.targets = {
            head.name: copy.deepcopy(heads[head.name]).requires_grad_(False)
            for head in self.models.head_list
            if head.target is not None
        }
        self.updates = dict.fromkeys(self.targets, 0)  # since the start
        vae = [*self.models.encoder.parameters(), *self.models.decoder.parameters()]
        rate = config.learning_rate
        self.optimisers = {
            "vae": torch.optim.Adam(vae, lr=config.vae_learning_rate, fused=True),
            "dynamics": torch.optim.Adam(
                self.models.dynamics.parameters(), lr=config.dynamics_learning_rate, fused=True
            ),
            **{
                name: torch.optim.Adam(network.parameters(), lr=rate, fused=True)
                for name, network in heads.items()
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
        """One step of the dynamics (8) and of all heads that learn from all of D."""
        size, members = self.config.batch_size, self.config.dynamics_members
        batch = replay.transitions((members, size), self.generator)
        starts = batch.latents[:, : max(1, size // members)]
        change = batch.next_latents - batch.latents
        dynamics = self.models.dynamics
        losses = {
            "dynamics": dynamics.negative_log_likelihood(batch.latents, batch.actions, change)
        }
        heads = [head for head in self.models.head_list if head.data is not TrainingData.ON_POLICY]
        losses |= self._head_losses(heads, replay, starts)
        return self._descend_all(losses)

    def value_step(self, replay: Replay, *, monte_carlo: bool) -> dict[str, float]:
        """One step of the heads that learn from demonstrations and online episodes: V.

        With `monte_carlo`, as offline, V learns the returns (9), and otherwise TD-1 targets (10).
        """
        heads = [head for head in self.models.head_list if head.data is TrainingData.ON_POLICY]
        losses = self._head_losses(heads, replay, monte_carlo=monte_carlo)
        return self._descend_all(losses)

    def _head_losses(
        self,
        heads: Sequence[Head],
        replay: Replay,
        starts: Tensor | None = None,
        *,
        monte_carlo: bool = False,
    ) -> dict[str, Tensor]:
        """The loss of each head by name; heads that learn from the same data share one batch.

        starts: latents (member, row, d) from which the dynamics imagine others; monte_carlo: the
        heads learn their labels even if they are defined recursively.
        """
        config = self.config
        groups: dict[tuple[TrainingData, int], list[Head]] = {}
        for head in heads:
            groups.setdefault((head.data, head.members(config)), []).append(head)
        losses: dict[str, Tensor] = {}
        for (data, members), group in groups.items():
            batch = replay.draw(data, (members, config.batch_size), self.generator)
            targets = [self._target(head, batch, monte_carlo) for head in group]
            latents = self._blurred(batch.latents)
            for head, target in zip(group, targets, strict=True):
                network = self.models.heads[head.name]
                losses[head.name] = head.loss(network(latents)[..., 0], target)
                if head.imagined is not None and config.imagined_weight and starts is not None:
                    imagined = self._blurred(self._imagined(starts)).expand(members, -1, -1)
                    output = network(imagined)[..., 0]
                    due = torch.full_like(output, head.imagined)
                    losses[head.name] += config.imagined_weight * head.loss(output, due)
        return losses

    @torch.no_grad()
    def _target(self, head: Head, batch: FrameBatch | Transitions, monte_carlo: bool) -> Tensor:
        """The target of a head for z (member, row): its label, or that of (10) or (11)."""
        label = batch.labels[head.name]
        if head.target is None or monte_carlo:
            return label
        assert isinstance(batch, Transitions)
        ahead = self.targets[head.name](self._blurred(batch.next_latents))[..., 0]
        return head.target(batch, label, head.activation(ahead), self.config)

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

    def _descend_all(self, losses: Mapping[str, Tensor]) -> dict[str, float]:
        """One gradient step of each part; every `target_interval` steps renew a lagged copy."""
        for name, loss in losses.items():
            self._descend(name, loss)
            if name in self.targets:
                self.updates[name] += 1
                if self.updates[name] % self.config.target_interval == 0:
                    self.targets[name].load_state_dict(self.models.heads[name].state_dict())
        return {name: float(loss.detach()) for name, loss in losses.items()}

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
        for name, target in self.targets.items():
            tensors |= {f"target_{name}.{k}": v for k, v in target.state_dict().items()}
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
        for name, target in self.targets.items():
            target.load_state_dict(part(f"target_{name}"))
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
