"""Turns what the graph says into a video, in a thread of its own: drawing must delay no message."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ls3_common.parameters import parameter
from ls3_episodes.film import view
from ls3_episodes.film.video import VideoError, VideoWriter
from ls3_episodes.film.view import FilmFrame, Step

if TYPE_CHECKING:
    from ls3_interfaces.msg import Plan

FPS = 20
PLAN_FRAMES = 3
"""How long a new plan is shown before the arm moves."""
LAST_FRAMES = 30
COLOURS = 3
LEAVE_TIMEOUT_S = 4.0

Decode = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class FilmConfig:
    """What the pictures need to know of the camera: it looks straight down, x to the right."""

    title: str = parameter("LS3", description="headline of the video")
    width: float = parameter(
        0.0, low=0.0, description="table that the camera image spans; 0: no plan is drawn", unit="m"
    )
    centre: tuple[float, ...] = parameter(
        (0.0, 0.0), description="table point (x, y) at the image's centre", unit="m"
    )


@dataclass(frozen=True)
class Shot:
    """A scene, for how many frames, and the latent to decode as what the plan imagines."""

    scene: FilmFrame
    frames: int
    latent: np.ndarray | None = None


class Film:
    """One video of all episodes. Methods are called by the node's thread and return at once."""

    def __init__(
        self,
        path: str,
        config: FilmConfig,
        decode: Decode,
        horizon: int,
        warn: Callable[[str], None],
    ) -> None:
        self._config, self._decode, self._warn = config, decode, warn
        self._scene = FilmFrame(title=config.title, horizon=horizon, maps_plan=config.width > 0)
        self._tool: tuple[float, float] | None = None
        self._moving = False
        self._latent: np.ndarray | None = None
        self._shots: queue.SimpleQueue[Shot | None] = queue.SimpleQueue()
        self._discard = False
        self._video = VideoWriter(path, view.SIZE, FPS)
        self._thread = threading.Thread(target=self._work, name="film", daemon=True)
        self._thread.start()

    def begin(self, episode: str, notes: list[tuple[str, str]]) -> None:
        """A new episode; `notes` are lines that stay the same in it."""
        self._notes = notes
        self._latent = None
        self._set(
            episode=episode,
            step=0,
            history=(),
            path=(),
            imagined=None,
            notes=notes,
            status="RESET",
            colour=view.FAINT,
        )

    def tool(self, x: float, y: float) -> None:
        self._tool = (x, y)

    def mask(self, pixels: np.ndarray) -> None:
        self._set(mask=pixels)

    def camera(self, pixels: np.ndarray) -> None:
        self._set(camera=pixels)
        if self._moving:
            self._shoot(1)

    def moving(self, moving: bool) -> None:
        self._moving = moving

    def plan(self, plan: Plan) -> None:
        """A new plan: shown before, and while, it is carried out."""
        # a plan of a solver that failed has an action, zero, and nothing else
        steps = np.asarray(plan.action_sequence, float).reshape(-1, max(len(plan.action), 1))
        horizon = len(steps)
        latents = np.asarray(plan.imagined, np.float32).reshape(max(horizon, 1), -1)
        self._latent = latents[-1] if plan.feasible and latents.size else None
        thought = Step(plan.feasible, plan.safe_probability, plan.constraint_probability)
        self._set(
            step=plan.step + 1,
            history=(*self._scene.history, thought),
            path=self._path(steps) if plan.feasible else (),
            imagined=None,
            lookahead=horizon,
            status="FEASIBLE PLAN" if plan.feasible else "NO PLAN: ARM HOLDS",
            colour=view.GREEN if plan.feasible else view.AMBER,
            notes=[
                ("value of the plan", f"{plan.value:.1f}" if plan.feasible else "-"),
                ("safe set level", f"{plan.delta_safe:.2f}"),
                ("planned in", f"{1000 * plan.solve_time:.0f} ms"),
                *self._notes,
            ],
        )
        self._shoot(PLAN_FRAMES)

    def end(self, status: str, colour: str) -> None:
        """The episode is over."""
        self._set(status=status, colour=colour, path=())
        self._moving = False
        self._shoot(LAST_FRAMES)

    def finish(self) -> None:
        """No more shots will come; `done` tells when all are in the file."""
        self._shots.put(None)

    def done(self) -> bool:
        return not self._thread.is_alive()

    def close(self) -> None:
        """Finish the file now; shots not yet drawn are left out."""
        self._discard = True
        self._shots.put(None)
        self._thread.join(LEAVE_TIMEOUT_S)

    def _set(self, **changes: Any) -> None:
        self._scene = dataclasses.replace(self._scene, **changes)

    def _shoot(self, frames: int) -> None:
        if not self._discard and self._scene.camera is not None:
            self._shots.put(Shot(self._scene, frames, self._latent))

    def _path(self, steps: np.ndarray) -> list[tuple[float, float]]:
        """Where the tool will be, as fractions of the image; steps: (horizon, 2) metres."""
        if self._tool is None or not self._config.width or steps.shape[1:] != (2,):
            return []
        points = np.cumsum([self._tool, *steps], axis=0) - self._config.centre
        return [(0.5 + x / self._config.width, 0.5 - y / self._config.width) for x, y in points]

    def _work(self) -> None:
        latent, imagined = None, None
        try:
            while (shot := self._shots.get()) is not None and not self._discard:
                if shot.latent is not latent:
                    latent = shot.latent
                    imagined = None if latent is None else _newest(self._decode(latent[None])[0])
                picture = view.draw(dataclasses.replace(shot.scene, imagined=imagined))
                for _ in range(shot.frames):
                    self._video.write(picture)
        except VideoError as error:
            self._discard = True
            self._warn(f"the video ends here: {error}")
        try:
            self._video.close()
        except VideoError as error:
            self._warn(f"the video is incomplete: {error}")


def _newest(pixels: np.ndarray) -> np.ndarray:
    """Of a stack of colour frames the newest; other images as they are."""
    return pixels[..., -COLOURS:] if pixels.shape[-1] > COLOURS else pixels
