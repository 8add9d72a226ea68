"""The base class of the domains' environments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ls3_common.domain import DomainSpec
from ls3_common.errors import ConfigError
from ls3_common.images import FrameStack
from ls3_sim.behaviours import BEHAVIOURS, Behaviour, begun, find_maker
from ls3_sim.disturbance import Disturbance
from ls3_sim.pictures import Change, Image
from ls3_sim.variations import EpisodeDraws, Variations, checked, switched_on
from ls3_sim.viewer import Window


class Scene(Protocol):
    """The simulation of a domain, as `DomainEnv` uses it."""

    @property
    def at_goal(self) -> bool:
        """Whether the present state is in the goal set."""

    @property
    def violated(self) -> bool:
        """Whether a constraint is violated; stays true until the next reset."""

    def observe(self, size: int, change: Change | None = None) -> Image:
        """Return the picture of which an observation of this size is made, uint8 (h, w, 3).

        change: makes of a picture what a camera at another place sees.
        """

    def render(self) -> Image:
        """Return a picture for people, uint8 (height, width, 3)."""

    def close(self) -> None:
        """Release the renderers."""


SceneType = TypeVar("SceneType", bound=Scene)


class DomainEnv(gymnasium.Env[Image, NDArray[np.float32]], Generic[SceneType]):
    """A domain as a gymnasium environment, with reward 0 in the goal set and -1 elsewhere (5.3).

    Observation: uint8 (height, width, channels), the newest frames that the domain stacks, the
    oldest first. At reset the first frame stands for the missing ones.
    Info: `success` and `constraint` of the present state, and the domain's own entries.
    After a violation the scene is frozen until the horizon. No episode ends early; T is the
    registered time limit. What the camera shows is varied before frames are stacked; `success`,
    `constraint` and the domain's own entries are those of the present state.

    variations: the magnitudes of the variations, of class `variations_class`. disturbance: camera
    and arm of the present episode.

    Args:
        domain: image size, number of frames and bounds of actions.
        scene: the simulation.
        render_mode: `rgb_array`, `human` for a live window, or None.
        variations: values of variations by name; the others are off.

    Raises:
        ConfigError: the domain's number of actions or channels is not this environment's, or a
            variation is unknown or out of range.
    """

    actions = 2
    """Number of dimensions of an action."""
    channels = 3
    """Number of channels of one frame."""
    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 10}
    behaviours = BEHAVIOURS
    random_starts: tuple[str, ...] = ()
    """Behaviours whose episodes begin with the reset option `random_start`."""
    behaviour_lengths: Mapping[str, int] = {}
    """Number of steps of the behaviours whose episodes are shorter than T."""
    variations_class: type[Variations] = Variations
    """Dataclass of the variations that the environment takes as keyword arguments."""

    def __init__(
        self,
        domain: DomainSpec,
        scene: SceneType,
        render_mode: str | None,
        variations: Mapping[str, Any],
    ) -> None:
        found = len(domain.action_low), domain.channels
        if found != (self.actions, self.channels):
            raise ConfigError(
                f"{domain.environment} has {self.actions} actions and frames of {self.channels} "
                f"channels, the domain {found[0]} and {found[1]}",
                where="domain",
            )
        self.domain, self.scene, self.render_mode = domain, scene, render_mode
        self._low, self._high = np.array(domain.action_low), np.array(domain.action_high)
        self.variations: Any = checked(self.variations_class, variations, domain.environment)
        self.disturbance = Disturbance(self.variations, domain.image_size)
        self._draws = EpisodeDraws(np.random.default_rng())
        self._stack = FrameStack(domain.frames)
        self.observation_space = spaces.Box(0, 255, domain.observation_shape, np.uint8)
        self.action_space = spaces.Box(
            self._low.astype(np.float32), self._high.astype(np.float32), dtype=np.float32
        )
        self._window = self._open_window() if render_mode == "human" else None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Image, dict[str, Any]]:
        """Start an episode; with ``options={"random_start": True}`` at a random free place.

        Returns:
            The first observation and the info. A domain without random starts ignores the option.
        """
        super().reset(seed=seed)
        draws = self._draws = EpisodeDraws(self.np_random)
        self._begin(bool(options and options.get("random_start")), draws)
        self.disturbance.begin(draws, self._focus())
        self._stack.clear()
        return self._observation_and_info()

    def step(self, action: NDArray[np.float32]) -> tuple[Image, float, bool, bool, dict[str, Any]]:
        """Carry out `action` (actions,), clipped to the action space.

        Returns:
            Observation, reward, terminated and truncated (both False), info.
        """
        self.disturbance.next_step()
        allowed = np.clip(np.asarray(action, np.float64), self._low, self._high)
        self._act(allowed)
        observation, info = self._observation_and_info()
        return observation, 0.0 if info["success"] else -1.0, False, False, info

    @property
    def varied(self) -> dict[str, Any]:
        """The variations that are on, and what the present episode has drawn, for its file."""
        return {"on": switched_on(self.variations), "drawn": self._draws.drawn}

    def behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        """Make the policy `kind`, one of `BEHAVIOURS`, that collects data for one episode.

        The policy is for the episode in which it takes its first step, with that episode's layout.

        Raises:
            ValueError: there is no such policy.
        """
        find_maker(dict.fromkeys(self.behaviours), kind)
        return begun(lambda: self._make_behaviour(kind, rng))

    def _make_behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        """Make a policy for the present layout."""
        raise NotImplementedError

    def render(self) -> Image | None:
        """Return the scene's picture, uint8 (height, width, 3); None in mode `human`."""
        return None if self._window is not None else self.scene.render()

    def close(self) -> None:
        """Close the window and release the renderers; may be called twice."""
        if self._window is not None:
            self._window.close()
        self.scene.close()

    def _open_window(self) -> Window:
        """Open the window of mode `human`."""
        raise NotImplementedError

    def _begin(self, anywhere: bool, draws: EpisodeDraws) -> None:
        """Vary the scene with `draws` and put it at the start, or anywhere if `anywhere`."""
        raise NotImplementedError

    def _focus(self) -> NDArray[np.float64] | None:
        """Return places that an instrument is likely to hide, see `Disturbance.begin`."""
        return None

    def _act(self, action: NDArray[np.float64]) -> None:
        """Advance the scene by one step with this action (actions,), under the arm's gain."""
        raise NotImplementedError

    def _observe(self) -> Image:
        """Return one frame as the disturbed camera shows it, uint8 (height, width, channels)."""
        change = self.disturbance.move if self.disturbance.moves else None
        return self.disturbance.expose(self.scene.observe(self.domain.image_size, change))

    def _state(self) -> dict[str, Any]:
        """Return the domain's own entries of `info`."""
        raise NotImplementedError

    def _observation_and_info(self) -> tuple[Image, dict[str, Any]]:
        if self._window is not None:
            self._window.sync()
        truth = {"success": self.scene.at_goal, "constraint": self.scene.violated}
        frame = self.disturbance.arrive(self._observe())
        return self._stack.add(frame), truth | self._state()
