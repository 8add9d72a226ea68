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
from ls3_common.images import coloured, newest
from ls3_models.bundle import Bundle
from ls3_models.heads import Head, Role
from ls3_planner.config import PlannerConfig

GRID = (61, 51)  # points along x and y
BLOCK = 256  # images encoded at a time
FRAMES = 8


def plane(bundle: Bundle, env: gymnasium.Env, grid: tuple[int, int] = GRID) -> dict[str, Any]:
    """Values of all heads with the robot at every point of a grid over the window.

    Returns ``x`` (nx,), ``y`` (ny,), and by the name of each head what it says, (ny, nx). The only
    place where an environment's scene is looked into: a figure needs pictures of places where no
    episode was.
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
    """What each head says (n,) of images (n, height, width, channel), at the posterior's mean."""
    mean, _ = bundle.encode(images)
    models, latents = bundle.models, torch.from_numpy(mean)
    return {head.name: models.read(head, latents).numpy() for head in models.head_list}


def navigation_maps(bundle: Bundle, config: PlannerConfig, env: gymnasium.Env) -> Figure:
    """Figure 2: every head over the plane, with a line at the bound of those that constrain."""
    found = plane(bundle, env)
    layout = env.unwrapped.scene.layout  # type: ignore[attr-defined]
    heads = bundle.models.head_list
    figure = Figure(figsize=(3.5 * len(heads), 3.2))
    axes = figure.subplots(1, len(heads), squeeze=False)[0]
    for head, panel in zip(heads, axes, strict=True):
        says, title = found[head.name], head.title
        limits = {} if head.role is Role.TERMINAL_VALUE else {"vmin": 0.0, "vmax": 1.0}
        mesh = panel.pcolormesh(found["x"], found["y"], says, shading="nearest", **limits)
        if (line := _line(head, config)) is not None:
            symbol, level = line
            title += f", line at {symbol}"
            if says.min() < level < says.max():
                panel.contour(found["x"], found["y"], says, [level], colors="white")
        _draw_layout(panel, layout)
        panel.set_title(title)
        figure.colorbar(mesh, ax=panel)
    figure.tight_layout()
    return figure


def _line(head: Head, config: PlannerConfig) -> tuple[str, float] | None:
    """The bound of a head that constrains plans: its symbol or number, and its value."""
    if head.role is Role.TERMINAL_CONSTRAINT:
        return "δ_S", config.delta_safe
    if head.role is not Role.STEP_CONSTRAINT:
        return None
    if head.delta is None:
        return "δ_C", config.delta_constraint
    return f"{head.delta:g}", head.delta


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
    for row, images in zip(axes, (frames, bundle.decode(mean)), strict=True):
        for panel, image in zip(row, images, strict=True):
            panel.imshow(coloured(newest(image, bundle.frame_channels)))
            panel.axis("off")
    for panel, step in zip(axes[0], chosen, strict=True):
        panel.set_title(f"step {step}", fontsize="small")
    figure.tight_layout()
    return figure
