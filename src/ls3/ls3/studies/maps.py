"""What the models believe, as pictures: maps over a plane (figure 2) and decoded frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from numpy.typing import NDArray

from ls3.learning.policy import demonstrate
from ls3_models.bundle import Bundle
from ls3_planner.config import PlannerConfig

GRID = (61, 51)  # points along x and y
BLOCK = 256  # images encoded at a time
FRAMES = 8


def plane(bundle: Bundle, env: gymnasium.Env, grid: tuple[int, int] = GRID) -> dict[str, Any]:
    """Values of all heads with the robot at every point of a grid over the window.

    Returns ``x`` (nx,), ``y`` (ny,), and ``value``, ``safe``, ``constraint`` and ``goal``, each
    (ny, nx); all but the value are probabilities. The only place where an environment's scene is
    looked into: a figure needs pictures of places where no episode was.
    """
    scene: Any = env.unwrapped.scene  # type: ignore[attr-defined]
    width, height = scene.layout.window
    x, y = np.linspace(0, width, grid[0]), np.linspace(0, height, grid[1])
    before = scene.position.copy()
    rows, columns = bundle.observation_shape[:2]
    images = []
    for position in np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2):
        scene.reset(position)
        images.append(scene.draw(columns, rows, show_goal=False))
    scene.reset(before)
    parts = [heads_of(bundle, np.stack(block)) for block in _blocks(images)]
    shape = (grid[1], grid[0])
    joined = {key: np.concatenate([p[key] for p in parts]).reshape(shape) for key in parts[0]}
    return {"x": x, "y": y, **joined}


def _blocks(images: list[NDArray[np.uint8]]) -> Iterator[list[NDArray[np.uint8]]]:
    for first in range(0, len(images), BLOCK):
        yield images[first : first + BLOCK]


@torch.no_grad()
def heads_of(bundle: Bundle, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """V, f_S, f_C and f_G (n,) of images (n, height, width, channel), at the posterior's mean."""
    mean, _ = bundle.encode(images)
    latents = torch.from_numpy(mean)[None]
    heads = bundle.models.heads
    members = heads.value.members
    probabilities = {
        name: torch.sigmoid(getattr(heads, name)(latents))[0, :, 0].numpy()
        for name in ("safe", "constraint", "goal")
    }
    value = heads.value(latents.expand(members, -1, -1)).mean(dim=0)[:, 0].numpy()
    return {"value": value, **probabilities}


def navigation_maps(bundle: Bundle, config: PlannerConfig, env: gymnasium.Env) -> Figure:
    """Figure 2: value, safe set, constraint and goal over the plane; lines at delta_S, delta_C."""
    found = plane(bundle, env)
    layout = env.unwrapped.scene.layout  # type: ignore[attr-defined]
    panels = {
        "value": ("value V", None),
        "safe": ("safe set f_S, line at δ_S", config.delta_safe),
        "constraint": ("constraint f_C, line at δ_C", config.delta_constraint),
        "goal": ("goal f_G", None),
    }
    figure = Figure(figsize=(14, 3.2))
    axes = figure.subplots(1, len(panels))
    for (key, (title, level)), panel in zip(panels.items(), axes, strict=True):
        limits = {} if key == "value" else {"vmin": 0.0, "vmax": 1.0}
        mesh = panel.pcolormesh(found["x"], found["y"], found[key], shading="nearest", **limits)
        if level is not None and found[key].min() < level < found[key].max():
            panel.contour(found["x"], found["y"], found[key], [level], colors="white")
        _draw_layout(panel, layout)
        panel.set_title(title)
        figure.colorbar(mesh, ax=panel)
    figure.tight_layout()
    return figure


def _draw_layout(panel: Axes, layout: Any) -> None:
    (left, top), (right, bottom) = layout.obstacle_low, layout.obstacle_high
    obstacle = Rectangle((left, top), right - left, bottom - top, fill=False, color="red", lw=1.5)
    panel.add_patch(obstacle)
    panel.add_patch(Circle(layout.goal, layout.goal_radius, fill=False, color="lime", lw=1.5))
    panel.plot(*layout.start, "o", color="cyan", ms=4)
    panel.set(aspect="equal", xlim=(0, layout.window[0]), ylim=(layout.window[1], 0))


def decoded_frames(bundle: Bundle, env: gymnasium.Env, seed: int = 0) -> Figure:
    """Frames of a demonstration above what the decoder makes of their latents.

    Of stacked frames the newest is shown.
    """
    (episode,) = demonstrate(env, [seed])
    chosen = np.linspace(0, len(episode), FRAMES).round().astype(int)
    frames = episode.observations[chosen]
    mean, _ = bundle.encode(frames)
    figure = Figure(figsize=(1.5 * FRAMES, 3.2))
    axes = figure.subplots(2, FRAMES)
    channels = 3 if frames.shape[-1] >= 3 else 1
    for row, images in zip(axes, (frames, bundle.decode(mean)), strict=True):
        for panel, image in zip(row, images, strict=True):
            panel.imshow(image[..., -channels:].squeeze(), cmap="gray", vmin=0, vmax=255)
            panel.axis("off")
    for panel, step in zip(axes[0], chosen, strict=True):
        panel.set_title(f"step {step}", fontsize="small")
    figure.tight_layout()
    return figure
