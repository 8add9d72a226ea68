"""What the environments of all domains have in common."""

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
from ls3_sim.behaviours import BEHAVIOURS, Behaviour
from ls3_sim.viewer import Window

Image = NDArray[np.uint8]


class Scene(Protocol):
    """A domain's simulation."""

    @property
    def at_goal(self) -> bool: ...

    @property
    def violated(self) -> bool: ...

    def render(self) -> Image: ...

    def close(self) -> None: ...


SceneType = TypeVar("SceneType", bound=Scene)


class DomainEnv(gymnasium.Env[Image, NDArray[np.float32]], Generic[SceneType]):
    """Reward 0 in the goal set and -1 elsewhere (section 5.3).

    After a violation the scene is frozen until the horizon. Nothing ends an episode early; T is
    the registered time limit. `info` holds `success`, `constraint` and the domain's own.

    An observation is uint8 (height, width, channel): the newest frames that the domain stacks, the
    oldest first. At reset the first frame stands for those before it.

    Args:
        domain: image size, frames and the bounds of actions.
        scene: what is simulated.
        render_mode: `rgb_array`, `human` for a live window, or None.

    Raises:
        ConfigError: the domain has other numbers of actions or channels than the scene.
    """

    actions = 2
    """Dimensions of an action."""
    channels = 3
    """Of one frame."""
    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 10}
    behaviours = BEHAVIOURS
    random_starts: tuple[str, ...] = ()
    """Behaviours whose episodes begin with the reset option `random_start`."""
    behaviour_lengths: Mapping[str, int] = {}
    """Steps of the behaviours whose episodes are shorter than T."""

    def __init__(self, domain: DomainSpec, scene: SceneType, render_mode: str | None) -> None:
        found = len(domain.action_low), domain.channels
        if found != (self.actions, self.channels):
            raise ConfigError(
                f"{domain.environment} has {self.actions} actions and frames of {self.channels} "
                f"channels, the domain {found[0]} and {found[1]}",
                where="domain",
            )
        self.domain, self.scene, self.render_mode = domain, scene, render_mode
        self._low, self._high = np.array(domain.action_low), np.array(domain.action_high)
        self._stack = FrameStack(domain.frames)
        self.observation_space = spaces.Box(0, 255, domain.observation_shape, np.uint8)
        self.action_space = spaces.Box(
            self._low.astype(np.float32), self._high.astype(np.float32), dtype=np.float32
        )
        self._window = self._open_window() if render_mode == "human" else None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Image, dict[str, Any]]:
        """Start over; ``options={"random_start": True}``: anywhere free, where a domain can."""
        super().reset(seed=seed)
        self._begin(anywhere=bool(options and options.get("random_start")))
        self._stack.clear()
        return self._look()

    def step(self, action: NDArray[np.float32]) -> tuple[Image, float, bool, bool, dict[str, Any]]:
        """Do `action`, bounded by the action space, and look."""
        self._act(np.clip(np.asarray(action, np.float64), self._low, self._high))
        observation, info = self._look()
        return observation, 0.0 if info["success"] else -1.0, False, False, info

    def behaviour(self, kind: str, rng: np.random.Generator) -> Behaviour:
        """A policy that collects data, for one episode: see `BEHAVIOURS`."""
        raise NotImplementedError

    def render(self) -> Image | None:
        """The scene's picture, uint8 (height, width, 3); None in mode `human`, which shows it."""
        return None if self._window is not None else self.scene.render()

    def close(self) -> None:
        """Release window and renderers; may be called twice."""
        if self._window is not None:
            self._window.close()
        self.scene.close()

    def _open_window(self) -> Window:
        raise NotImplementedError

    def _begin(self, anywhere: bool) -> None:
        """Put the scene at a start."""
        raise NotImplementedError

    def _act(self, action: NDArray[np.float64]) -> None:
        """Move the scene by one step."""
        raise NotImplementedError

    def _observe(self) -> Image:
        """One frame, uint8 (height, width, channel)."""
        raise NotImplementedError

    def _state(self) -> dict[str, Any]:
        """The domain's own part of `info`."""
        raise NotImplementedError

    def _look(self) -> tuple[Image, dict[str, Any]]:
        if self._window is not None:
            self._window.sync()
        truth = {"success": self.scene.at_goal, "constraint": self.scene.violated}
        return self._stack.add(self._observe()), truth | self._state()
