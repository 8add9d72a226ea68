"""The comparisons of section 5.1 as kinds of agents: from images, and from LS3's frozen latents.

From latents the methods get the representation for free, and the same one as LS3. This makes them
stronger opponents than those of the paper, so that they have names of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ls3.learning.shared_offline import read_encoder
from ls3_common.errors import DataError
from ls3_models.agent import AgentKind, TakenOver
from ls3_models.comparisons import policy_file
from ls3_models.comparisons.agent import ComparisonAgent
from ls3_models.comparisons.awac import AwacAgent
from ls3_models.comparisons.config import AwacConfig, RecoveryConfig, SacfdConfig
from ls3_models.comparisons.perception import Perception, of_images
from ls3_models.comparisons.policy import ComparisonPolicy
from ls3_models.comparisons.sacfd import SacfdAgent
from ls3_models.comparisons.sacfd_rrl import SacfdRrlAgent
from ls3_models.offline_data import OfflineData, Spec

Settings = Mapping[str, Any]
See = Callable[[Any, Spec], Perception | None]
"""Makes a perception from the update rule's configuration; None: an encoder will be taken over."""


def _nothing_yet(_config: Any, _spec: Spec) -> None:
    return None


def comparison(
    name: str, agent: type[ComparisonAgent], sections: Mapping[str, type], see: See
) -> AgentKind:
    """Return a kind of agent for a comparison.

    Args:
        name: name of the method.
        agent: its class.
        sections: the sections of a domain's YAML that the agent reads. The first one configures the
            update rule.
        see: makes the perception.
    """
    from_latents = see is _nothing_yet
    first = next(iter(sections))

    def make(settings: Settings, data: OfflineData, seed: int) -> ComparisonAgent:
        config = settings[first]
        return agent(name, settings, config, see(config, data.spec), data, seed)

    def load(path: Path, _settings: Settings, spec: Spec) -> ComparisonPolicy:
        tensors, found = policy_file.read(path, name, sections, spec)
        untrained = make(found.settings, OfflineData(spec, (), (), ""), 0)
        try:
            return untrained.load_policy(tensors)
        except (KeyError, RuntimeError, ValueError) as error:
            raise DataError(f"damaged policy ({error})", where=str(path)) from None

    return AgentKind(
        sections=sections,
        make=make,
        load=load,
        take_over=take_encoder if from_latents else None,
        needs_model=from_latents,
    )


def take_encoder(agent: ComparisonAgent, source: Path, identity: Mapping[str, Any]) -> TakenOver:
    """Let an agent see through f_enc of a run or a model of LS3. See `AgentKind.take_over`.

    Raises:
        DataError: there is no trained VAE, or it is of another domain or another size of images.
    """
    channels = agent.data.spec.observation_shape[2]
    encoder = read_encoder(source, agent.config.frame_stack, channels, identity)
    try:
        agent.see_through(encoder)
    except (KeyError, RuntimeError, ValueError) as error:
        raise DataError(f"damaged encoder ({error})", where=str(source)) from None
    return TakenOver(stages=(), seconds=0.0, curves=())


SACFD_SECTIONS: Mapping[str, type] = {"sacfd": SacfdConfig}
RRL_SECTIONS: Mapping[str, type] = {"sacfd": SacfdConfig, "sacfd_rrl": RecoveryConfig}
AWAC_SECTIONS: Mapping[str, type] = {"awac": AwacConfig}

SACFD = comparison("sacfd", SacfdAgent, SACFD_SECTIONS, of_images)
SACFD_RRL = comparison("sacfd_rrl", SacfdRrlAgent, RRL_SECTIONS, of_images)
AWAC = comparison("awac", AwacAgent, AWAC_SECTIONS, of_images)
SACFD_LATENTS = comparison("sacfd_latents", SacfdAgent, SACFD_SECTIONS, _nothing_yet)
SACFD_RRL_LATENTS = comparison("sacfd_rrl_latents", SacfdRrlAgent, RRL_SECTIONS, _nothing_yet)
AWAC_LATENTS = comparison("awac_latents", AwacAgent, AWAC_SECTIONS, _nothing_yet)
