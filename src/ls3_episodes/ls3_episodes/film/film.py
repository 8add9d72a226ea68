"""Makes a video of what happens in the graph, in a thread of its own, so as to delay no message."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ls3_common.images import newest
from ls3_common.parameters import parameter
from ls3_episodes.film import view
from ls3_episodes.film.video import VideoError, VideoWriter
from ls3_episodes.film.view import FilmFrame, Step

if TYPE_CHECKING:
    from ls3_interfaces.action import RunEpisode
    from ls3_interfaces.msg import Plan

FPS = 20
"""Frames per second of the video."""
PLAN_FRAMES = 3
"""Number of frames for which a new plan is shown before the arm moves."""
LAST_FRAMES = 30
"""Number of frames for which the end of an episode is shown."""
LEAVE_TIMEOUT_S = 4.0
"""Longest wait for the video's thread when the process ends, s."""

Decode = Callable[[np.ndarray], np.ndarray]
"""Decodes latents (n, latent) to images, uint8 (n, height, width, channels)."""


def ending(result: RunEpisode.Result) -> tuple[str, str]:
    """Return status text and colour for the end of an episode."""
    if result.violation:
        return "VIOLATION", view.RED
    if result.success:
        return f"GOAL IN {result.steps} STEPS", view.GREEN
    return ("TIME IS UP" if result.reason == "horizon" else "STOPPED"), view.AMBER


@dataclass(frozen=True)
class FilmConfig:
    """Headline, and the part of the table in the camera's image. The camera looks straight down."""

    title: str = parameter("LS3", description="headline of the video")
    width: float = parameter(
        0.0,
        low=0.0,
        description="width of the table that the camera image shows; 0: draw no plan",
        unit="m",
    )
    centre: tuple[float, ...] = parameter(
        (0.0, 0.0), description="table point (x, y) at the image's centre", unit="m"
    )


@dataclass(frozen=True)
class Shot:
    """What is shown for some frames of the video.

    scene: the picture's contents. frames: for how many frames. latent: imagined latent (latent,) to
    decode into the picture; None to show none.
    """

    scene: FilmFrame
    frames: int
    latent: np.ndarray | None = None


class Film:
    """One video of all episodes. The node's thread calls the methods, which return at once."""

    def __init__(
        self,
        path: str,
        config: FilmConfig,
        decode: Decode,
        horizon: int,
        channels: int,
        warn: Callable[[str], None],
    ) -> None:
        """Start the video.

        Args:
            path: of the mp4 file.
            config: headline and scale.
            decode: decodes imagined latents.
            horizon: T, length of an episode.
            channels: number of channels of one frame of a decoded observation.
            warn: logs a warning.
        """
        self._channels = channels
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
        """Begin an episode with this caption; `notes` are constant (name, value) lines."""
        self._notes = notes
        self._latent = None
        self._tool = None  # the reset may have moved the arm
        self._set(
            episode=episode,
            step=0,
            history=(),
            path=(),
            imagined=None,
            notes=notes,
            status="RESET",
            reason="",
            colour=view.FAINT,
        )

    def tool(self, x: float, y: float) -> None:
        """Set the position (x, y) from which the next plan moves the tool, m."""
        self._tool = (x, y)

    def mask(self, pixels: np.ndarray) -> None:
        """Set what the networks see, uint8 (height, width, channels)."""
        self._set(mask=pixels)

    def camera(self, pixels: np.ndarray) -> None:
        """Set the camera's image, uint8 (height, width, 3); adds a frame while the arm moves."""
        self._set(camera=pixels)
        if self._moving:
            self._shoot(1)

    def moving(self, moving: bool) -> None:
        """Set whether the arm moves."""
        self._moving = moving

    def plan(self, plan: Plan, reason: str) -> None:
        """Show a new plan before and while it is carried out, or why there is none (`reason`)."""
        # the plan of a solver that failed contains only a zero action
        steps = np.asarray(plan.action_sequence, float).reshape(-1, max(len(plan.action), 1))
        horizon = len(steps)
        latents = np.asarray(plan.imagined, np.float32).reshape(max(horizon, 1), -1)
        self._latent = latents[-1] if plan.feasible and latents.size else None
        planned = Step(plan.feasible, plan.safe_probability, plan.constraint_probability)
        self._set(
            step=plan.step + 1,
            history=(*self._scene.history, planned),
            path=self._path(steps) if plan.feasible else (),
            imagined=None,
            lookahead=horizon,
            status="FEASIBLE PLAN" if plan.feasible else "NO PLAN: ARM HOLDS",
            colour=view.GREEN if plan.feasible else view.AMBER,
            reason=reason,
            notes=[
                ("value of the plan", f"{plan.value:.1f}" if plan.feasible else "-"),
                ("safe set level", f"{plan.delta_safe:.2f}"),
                ("planned in", f"{1000 * plan.solve_time:.0f} ms"),
                *self._notes,
            ],
        )
        self._shoot(PLAN_FRAMES)

    def end(self, status: str, colour: str) -> None:
        """Show the end of an episode with this status text and colour."""
        self._set(status=status, colour=colour, path=(), reason="")
        self._moving = False
        self._shoot(LAST_FRAMES)

    def finish(self) -> None:
        """Write all remaining frames in the background; `done` tells when they are in the file."""
        self._shots.put(None)

    def done(self) -> bool:
        """Whether the file is complete."""
        return not self._thread.is_alive()

    def close(self) -> None:
        """Finish the file now, without the frames that are not drawn yet."""
        self._discard = True
        self._shots.put(None)
        self._thread.join(LEAVE_TIMEOUT_S)

    def _set(self, **changes: Any) -> None:
        self._scene = dataclasses.replace(self._scene, **changes)

    def _shoot(self, frames: int) -> None:
        if not self._discard and self._scene.camera is not None:
            self._shots.put(Shot(self._scene, frames, self._latent))

    def _path(self, steps: np.ndarray) -> list[tuple[float, float]]:
        """Planned positions of the tool as fractions of the image; steps: (horizon, 2), m."""
        if self._tool is None or not self._config.width or steps.shape[1:] != (2,):
            return []
        points = np.cumsum([self._tool, *steps], axis=0) - self._config.centre
        return [(0.5 + x / self._config.width, 0.5 - y / self._config.width) for x, y in points]

    def _imagine(self, latent: np.ndarray) -> np.ndarray:
        """Decode a latent (d,) and return the newest frame, uint8 (height, width, channels)."""
        return newest(self._decode(latent[None])[0], self._channels)

    def _work(self) -> None:
        latent, imagined = None, None
        try:
            while (shot := self._shots.get()) is not None and not self._discard:
                if shot.latent is not latent:
                    latent = shot.latent
                    imagined = None if latent is None else self._imagine(latent)
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
