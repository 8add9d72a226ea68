"""The gradient steps of all networks (section 7.1.1), and the exact state of learning."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor

from ls3_models import optimiser_state
from ls3_models.agent import NonFiniteLoss
from ls3_models.augment import augment
from ls3_models.batches import FrameBatch, Transitions
from ls3_models.config import LearnerConfig
from ls3_models.frame_stack import reverse_some, to_changes
from ls3_models.heads import Head, TrainingData
from ls3_models.models import Models
from ls3_models.optimiser_state import part
from ls3_models.replay import Replay
from ls3_models.views import seen


class Learner:
    """Models, optimisers and the random generator, from which every draw comes.

    `state` contains everything that decides the next step, so that a resumed run equals an
    uninterrupted one.
    """

    def __init__(self, config: LearnerConfig, channels: int, action_dim: int, seed: int) -> None:
        self.config, self._action_dim, self.seed = config, action_dim, seed
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
        self.updates = dict.fromkeys(self.targets, 0)  # gradient steps of each head with a target
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
        """Make one gradient step on uint8 images (batch, height, width, channel), eq. (7).

        Returns:
            "squared_error_per_image" and "kl_per_image".

        Raises:
            NonFiniteLoss: the loss is not finite.
        """
        config = self.config
        target = images.permute(0, 3, 1, 2).float() / 255
        target = reverse_some(target, config.frame_stack, self.generator)
        target = augment(target, config.augmentation, config.augmented_share, self.generator)
        if copies := config.views.copies:  # in the share that they have in D
            among = torch.rand(len(target), generator=self.generator) * (copies + 1) < copies
            target[among] = self._seen(target[among], self.generator)
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
    def encode(
        self, images: Tensor, rows: int = 512, *, view: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Encode uint8 images (n, h, w, c), `rows` at a time.

        view: draws the one view in which all of them are seen (`views`); None: the camera's own.

        Returns:
            Posterior mean and standard deviation, each (n, d).
        """
        parts = []
        pictures = images.permute(0, 3, 1, 2).float() / 255
        if view is not None:
            pictures = self._seen(pictures, view, together=True)
        for block in pictures.split(rows):
            mean, log_std = self.models.encoder(block)
            parts.append((mean, torch.exp(log_std)))
        means, stds = zip(*parts, strict=True)
        return torch.cat(means), torch.cat(stds)

    def _seen(self, pictures: Tensor, generator: Generator, *, together: bool = False) -> Tensor:
        of_masks = pictures.shape[1] == self.config.frame_stack
        return seen(pictures, self.config.views, generator, of_masks=of_masks, together=together)

    # -- dynamics and heads ---------------------------------------------------------------------

    def head_step(self, replay: Replay) -> dict[str, float]:
        """Make one gradient step of the dynamics (8) and of all heads that learn from all of D.

        Returns:
            The losses by name.

        Raises:
            NonFiniteLoss: a loss is not finite.
        """
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
        """Make one gradient step of the heads that learn from on-policy data: V.

        Args:
            replay: all data D.
            monte_carlo: whether V learns the returns (9), as offline, or TD-1 targets (10).

        Returns:
            The losses by name.

        Raises:
            NonFiniteLoss: a loss is not finite.
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
        """Compute the loss of each head; heads that learn from the same data share one batch.

        starts: latents (member, row, d) at which imagined trajectories begin. monte_carlo: heads
        that are defined recursively learn their labels too.
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
                    outside = torch.full_like(output, head.imagined)
                    losses[head.name] += config.imagined_weight * head.loss(output, outside)
        return losses

    @torch.no_grad()
    def _target(self, head: Head, batch: FrameBatch | Transitions, monte_carlo: bool) -> Tensor:
        """Return a head's target (member, row) for z: the label, or that of (10) or (11)."""
        label = batch.labels[head.name]
        if head.target is None or monte_carlo:
            return label
        assert isinstance(batch, Transitions)
        ahead = self.targets[head.name](self._blurred(batch.next_latents))[..., 0]
        return head.target(batch, label, head.activation(ahead), self.config)

    def _blurred(self, latents: Tensor) -> Tensor:
        """Add noise of standard deviation `head_noise` to latents.

        A planner evaluates heads at imagined latents, which lie beside the thin set of encoded
        frames. An untrained head is arbitrary there, and a planner that maximises it exploits the
        errors. Noise teaches a head to ignore directions in which frames do not differ. In many
        dimensions the noise keeps almost every sample away from the frame itself, so that targets
        must be evaluated with noise as well. Evaluated at the frames, V grew without limit on its
        own error.
        """
        if not self.config.head_noise:
            return latents
        noise = torch.randn(latents.shape, generator=self.generator)
        return latents + self.config.head_noise * noise

    @torch.no_grad()
    def _imagined(self, latents: Tensor) -> Tensor:
        """Imagine latents by random actions, from latents (member, row, d), with every member.

        f_S learns these latents as outside the safe set. If few data show what is outside, f_S is
        otherwise high wherever there are no data, and plans go there. Imagined latents that
        resemble demonstrations do not harm: the demonstrations' own labels outweigh them.

        Returns:
            One batch (1, member x row, d).
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
        """Make one gradient step of each part; update a target network every `target_interval`."""
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
        """Return everything that decides the next step, as named tensors for safetensors."""
        tensors = {f"models.{k}": v for k, v in self.models.state_dict().items()}
        for name, target in self.targets.items():
            tensors |= {f"target_{name}.{k}": v for k, v in target.state_dict().items()}
        tensors |= optimiser_state.tensors_of(self.optimisers)
        tensors["generator"] = self.generator.get_state()
        tensors["updates"] = torch.tensor(list(self.updates.values()))
        return tensors

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore `state`.

        Raises:
            KeyError, RuntimeError: a tensor is missing or has another shape.
        """
        self.models.load_state_dict(part(tensors, "models"))
        for name, target in self.targets.items():
            target.load_state_dict(part(tensors, f"target_{name}"))
        optimiser_state.load(self.optimisers, tensors)
        self.generator.set_state(tensors["generator"])
        self.updates = dict(zip(self.updates, tensors["updates"].tolist(), strict=True))
