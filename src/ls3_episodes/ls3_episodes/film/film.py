"""Makes a video of what happens in the graph, in a thread of its own, so as to delay no message."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ls3_common.images import newest
from ls3_episodes.film import view
from ls3_episodes.film.scene import EpisodeScene, FilmConfig
from ls3_episodes.film.video import VideoError, VideoWriter
from ls3_episodes.film.view import FilmFrame

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
        self._decode, self._warn = decode, warn
        self._scene = EpisodeScene(config, horizon)
        self._moving = False
        self._shots: queue.SimpleQueue[Shot | None] = queue.SimpleQueue()
        self._discard = False
        self._video = VideoWriter(path, view.SIZE, FPS)
        self._thread = threading.Thread(target=self._work, name="film", daemon=True)
        self._thread.start()

    def begin(self, episode: str, notes: list[tuple[str, str]]) -> None:
        """Begin an episode with this caption; `notes` are constant (name, value) lines."""
        self._scene.begin(episode, notes)

    def tool(self, x: float, y: float) -> None:
        """Set the position (x, y) from which the next plan moves the tool, m."""
        self._scene.tool(x, y)

    def mask(self, pixels: np.ndarray) -> None:
        """Set what the networks see, uint8 (height, width, channels)."""
        self._scene.set(mask=pixels)

    def camera(self, pixels: np.ndarray) -> None:
        """Set the camera's image, uint8 (height, width, 3); adds a frame while the arm moves."""
        self._scene.set(camera=pixels)
        if self._moving:
            self._shoot(1)

    def moving(self, moving: bool) -> None:
        """Set whether the arm moves."""
        self._moving = moving

    def plan(self, plan: Plan) -> None:
        """Show a new plan before and while it is carried out, or why there is none."""
        self._scene.plan(plan)
        self._shoot(PLAN_FRAMES)

    def end(self, status: str, colour: str) -> None:
        """Show the end of an episode with this status text and colour."""
        self._scene.end(status, colour)
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

    def _shoot(self, frames: int) -> None:
        if not self._discard and self._scene.shown.camera is not None:
            self._shots.put(Shot(self._scene.shown, frames, self._scene.latent))

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
