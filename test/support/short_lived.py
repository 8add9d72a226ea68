"""An environment that ends after two steps, and raises an error if it is stepped beyond."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

FACTS: dict[str, Any] = {
    "environment": "short_lived:LS3Test/ShortLived-v0",
    "horizon": 9,
    "action_low": [-1.0, -1.0],
    "action_high": [1.0, 1.0],
    "action_unit": "m",
    "image_size": 64,
    "channels": 3,
    "constraints": ["none"],
    "joints": ["left", "right"],
    "interface": "velocity",
    "period": 0.1,
}
STEPS = 2


class ShortLived(gymnasium.Env[np.ndarray, np.ndarray]):
    """A point; `info` has its place as a list, which is no array."""

    metadata = {"render_modes": ["rgb_array"]}

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = spaces.Box(0, 255, (64, 64, 3), np.uint8)
        self.action_space = spaces.Box(-1, 1, (2,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self._place, self._steps = np.zeros(2), 0
        return self.render(), self._info()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        if self._steps == STEPS:
            raise AssertionError("stepped beyond its end")
        self._place, self._steps = self._place + action, self._steps + 1
        return self.render(), -1.0, self._steps == STEPS, False, self._info()

    def render(self) -> np.ndarray:
        return np.zeros((64, 64, 3), np.uint8)

    def _info(self) -> dict[str, Any]:
        return {"success": False, "constraint": False, "position": self._place.tolist()}


gymnasium.register("LS3Test/ShortLived-v0", entry_point=ShortLived)
