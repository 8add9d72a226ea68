"""The models of one domain: encoder, decoder, dynamics and heads."""

from __future__ import annotations

from torch import Tensor, nn

from ls3_common.errors import ConfigError
from ls3_models.config import LearnerConfig
from ls3_models.heads import Head, heads_of
from ls3_models.networks import Decoder, Dynamics, Encoder, StackedMLP


class Models(nn.Module):
    """f_enc, f_dec and f_dyn of one domain, and its heads (the paper's are V, f_S, f_C and f_G).

    Attributes:
        encoder: f_enc.
        decoder: f_dec.
        dynamics: f_dyn.
        heads: the networks of each head by its name.
        head_list: the records of the heads.
    """

    def __init__(self, config: LearnerConfig, channels: int, action_dim: int) -> None:
        """Make untrained models.

        Args:
            config: sizes of the networks, and names of the heads.
            channels: channels of an observation, all stacked frames included.
            action_dim: A.

        Raises:
            ConfigError: `channels` is not a multiple of `config.frame_stack`, or `config` names an
                unknown head.
        """
        super().__init__()
        self.head_list = heads_of(config)
        if channels % config.frame_stack:
            raise ConfigError(
                f"observations of {channels} channels cannot be {config.frame_stack} frames",
                do="set learner.frame_stack to the number of frames that the environment stacks",
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
        """Return the networks of the head of this name."""
        found = self.heads[name]
        assert isinstance(found, StackedMLP)
        return found

    def read(self, head: Head, latents: Tensor) -> Tensor:
        """Evaluate a head at latents (row, d); return the mean over its members, (row,)."""
        network = self.network(head.name)
        outputs = network(latents.expand(network.members, -1, -1))[..., 0]
        return head.activation(outputs).mean(dim=0)
