"""A domain that nobody but the tests knows: three sliders, seen in grey, two frames stacked.

All that it takes is this module and `write_config`'s file: no line of the packages knows of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import yaml
from gymnasium import spaces

from ls3_common.domain import DomainSpec

NAME = "sliders"
ID = "LS3Test/Sliders-v0"
T = 6
FACTS: dict[str, Any] = {
    "environment": f"sliders:{ID}",
    "horizon": T,
    "action_low": [-0.2, -0.2, -0.1],
    "action_high": [0.3, 0.2, 0.1],
    "action_unit": "of the slider's length",
    "image_size": 64,
    "channels": 1,
    "frames": 2,
    "constraints": ["end_stop", "collision"],
    "variations": ["brightness"],
    "joints": ["left", "middle", "right"],
    "interface": "velocity",
    "period": 0.1,
}
COST = {"candidates": 16, "particles": 2, "elites": 4, "iterations": 1}
SECTIONS: dict[str, dict[str, Any]] = {
    "planner_node": {
        "horizon": 2,
        "delta_safe": 0.05,
        "delta_constraint": 1.0,
        "random_share": 1.0,
        "paper": dict(COST),  # YAML would make an alias of the same object, which ROS refuses
        "realtime": dict(COST),
    },
    "learner": {
        "latent_dim": 4,
        "beta": 1e-6,
        "batch_size": 8,
        "gamma": 0.99,
        "gamma_safe": 0.9,
        "hidden": 16,
        "augmentation": "crop",
        "vae_batch_size": 4,
        "vae_iterations": 2,
        "offline_iterations": 2,
        "update_iterations": 2,
        "value_update_iterations": 2,
    },
    "algorithm": {
        "demonstrations": 2,
        "random": 1,
        "constraint": 2,
        "trajectories": 1,
        "updates": 1,
        "stop_on_success": False,
    },
}
"""Small, and feasible whatever an untrained model thinks."""


def write_config(path: Path, **changes: Any) -> Path:
    """The domain's file; `changes` are facts."""
    sections = {f"/**/{name}": {"ros__parameters": body} for name, body in SECTIONS.items()}
    document = {"/**": {"ros__parameters": {"domain": FACTS | changes}}, **sections}
    path.write_text(yaml.safe_dump(document))
    return path


class Sliders(gymnasium.Env[np.ndarray, np.ndarray]):
    """Each slider is a bar whose length is its place; the goal is all beyond a half."""

    metadata = {"render_modes": ["rgb_array"]}

    def __init__(
        self, domain: DomainSpec, render_mode: str | None = None, brightness: int = 255
    ) -> None:
        self.domain, self.render_mode, self.brightness = domain, render_mode, brightness
        low, high = (np.array(b, np.float32) for b in (domain.action_low, domain.action_high))
        self.action_space = spaces.Box(low, high, dtype=np.float32)
        self.observation_space = spaces.Box(0, 255, domain.observation_shape, np.uint8)
        self._frames: deque[np.ndarray] = deque(maxlen=domain.frames)
        self._places = np.zeros(3)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self._places = self.np_random.uniform(0.1, 0.2, 3)
        self._frames.extend([self._draw()] * self.domain.frames)
        return self._look()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self._places = self._places + np.asarray(action, float)
        self._frames.append(self._draw())
        observation, info = self._look()
        return observation, 0.0 if info["success"] else -1.0, False, False, info

    def behaviour(
        self, kind: str, rng: np.random.Generator
    ) -> Callable[[Mapping[str, Any]], np.ndarray]:
        low, high = self.action_space.low, self.action_space.high
        if kind == "demonstration":
            return lambda _info: 0.7 * high
        return lambda _info: low if kind == "constraint" else rng.uniform(low, high)

    def render(self) -> np.ndarray:
        return np.repeat(self._frames[-1], 3, axis=-1)

    def _draw(self) -> np.ndarray:
        size = self.domain.image_size
        frame = np.zeros((size, size, 1), np.uint8)
        for index, place in enumerate(self._places):
            end = int(np.clip(place, 0, 1) * size)
            frame[(1 + 2 * index) * size // 8 :, :end][: size // 8] = self.brightness
        return frame

    def _look(self) -> tuple[np.ndarray, dict[str, Any]]:
        success, constraint = bool(self._places.min() > 0.5), bool(self._places.min() < 0)
        info = {"success": success and not constraint, "constraint": constraint}
        return np.concatenate(self._frames, axis=-1), info


gymnasium.register(ID, entry_point=Sliders, kwargs={"domain": None})
