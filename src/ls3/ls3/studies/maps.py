"""Draws what the models have learned: maps over a plane (figure 2) and decoded frames."""

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

GRID = (61, 51)
"""Number of points of a map along x and y."""
BLOCK = 256
"""Number of images that are encoded at a time."""
FRAMES = 8
"""Number of decoded frames in a picture."""


def plane(bundle: Bundle, env: gymnasium.Env, grid: tuple[int, int] = GRID) -> dict[str, Any]:
    """Evaluate all heads with the robot at every point of a grid over the window.

    Maps read an environment's scene, because they need images of places that no episode visited.

    Args:
        bundle: the models.
        env: the environment navigation.
        grid: (nx, ny), number of points along x and y.

    Returns:
        ``x`` (nx,), ``y`` (ny,) in the window's unit, and the output of each head (ny, nx) under
        the head's name.
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
    return {"x": x, "y": y, **_head_maps(bundle, images, grid)}


def block_plane(bundle: Bundle, env: gymnasium.Env, grid: tuple[int, int] = GRID) -> dict[str, Any]:
    """Evaluate all heads with the left block at every point of a grid about the goal's left edge.

    The other blocks lie in the goal, and the effector is where it pushed the last of them. Only the
    left block decides success.

    Args:
        bundle: the models.
        env: the environment of sequential pushing.
        grid: (nx, ny), number of points along x and y.

    Returns:
        As `plane`, in metres.
    """
    scene: Any = env.unwrapped.scene  # type: ignore[attr-defined]
    layout = scene.layout
    left, line = layout.goal_low[0], layout.goal_high[1]
    x = np.linspace(left - 0.05, left + 0.1, grid[0])
    y = np.linspace(line - 0.06, line + 0.06, grid[1])
    scene.reset()
    blocks = scene.blocks
    blocks[1:, 1] = line - 0.02  # as deep as demonstrations push them
    images = []
    for place in np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2):
        blocks[0, :2] = place
        scene.reset(blocks, np.array((blocks[2, 0], blocks[2, 1] + 0.08)))
        images.append(scene.observe(bundle.observation_shape[0]))
    scene.reset()
    return {"x": x, "y": y, **_head_maps(bundle, images, grid)}


def _head_maps(
    bundle: Bundle, images: list[NDArray[np.uint8]], grid: tuple[int, int]
) -> dict[str, NDArray[np.float32]]:
    parts = [head_outputs(bundle, np.stack(block)) for block in _blocks(images)]
    shape = (grid[1], grid[0])
    return {key: np.concatenate([p[key] for p in parts]).reshape(shape) for key in parts[0]}


def _blocks(images: list[NDArray[np.uint8]]) -> Iterator[list[NDArray[np.uint8]]]:
    for first in range(0, len(images), BLOCK):
        yield images[first : first + BLOCK]


@torch.no_grad()
def head_outputs(bundle: Bundle, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Return the outputs (n,) of each head, by name, at the mean of the encoder's posterior.

    images: uint8 (n, height, width, channel).
    """
    mean, _ = bundle.encode(images)
    models, latents = bundle.models, torch.from_numpy(mean)
    return {head.name: models.read(head, latents).numpy() for head in models.head_list}


def navigation_maps(bundle: Bundle, config: PlannerConfig, env: gymnasium.Env) -> Figure:
    """Draw figure 2: a map of every head. A white line marks the bound of a constraint.

    Args:
        bundle: the models.
        config: the planner's settings, for delta_S and delta_C.
        env: the environment navigation.
    """
    figure, panels = _drawn(bundle, config, plane(bundle, env))
    for panel in panels:
        _draw_layout(panel, env.unwrapped.scene.layout)  # type: ignore[attr-defined]
    figure.tight_layout()
    return figure


def pushing_maps(bundle: Bundle, config: PlannerConfig, env: gymnasium.Env) -> Figure:
    """Draw a map of every head over the places of the left block, see `block_plane`.

    Args:
        bundle: the models.
        config: the planner's settings, for delta_S and delta_C.
        env: the environment of sequential pushing.
    """
    figure, panels = _drawn(bundle, config, block_plane(bundle, env))
    layout = env.unwrapped.scene.layout  # type: ignore[attr-defined]
    for panel in panels:
        panel.plot([layout.goal_low[0]] * 2, [panel.get_ylim()[0], layout.goal_high[1]], "lime")
        panel.plot([layout.goal_low[0], panel.get_xlim()[1]], [layout.goal_high[1]] * 2, "lime")
        panel.set_aspect("equal")
    figure.tight_layout()
    return figure


def _drawn(
    bundle: Bundle, config: PlannerConfig, maps: dict[str, Any]
) -> tuple[Figure, list[Axes]]:
    heads = bundle.models.head_list
    figure = Figure(figsize=(3.5 * len(heads), 3.2))
    axes = figure.subplots(1, len(heads), squeeze=False)[0]
    for head, panel in zip(heads, axes, strict=True):
        values, title = maps[head.name], head.title
        limits = {} if head.role is Role.TERMINAL_VALUE else {"vmin": 0.0, "vmax": 1.0}
        mesh = panel.pcolormesh(maps["x"], maps["y"], values, shading="nearest", **limits)
        if (line := _line(head, config)) is not None:
            symbol, level = line
            title += f", line at {symbol}"
            if values.min() < level < values.max():
                panel.contour(maps["x"], maps["y"], values, [level], colors="white")
        panel.set_title(title)
        figure.colorbar(mesh, ax=panel)
    return figure, list(axes)


def _line(head: Head, config: PlannerConfig) -> tuple[str, float] | None:
    """Return symbol and value of a head's bound; None for a head that does not constrain plans."""
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
    """Draw frames of a demonstration above the frames that are decoded from their latents.

    Of stacked frames the newest is shown. `seed` decides the demonstration.
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
