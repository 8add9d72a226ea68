"""How the camera and the arm of an episode differ from the nominal ones. No ROS, no physics.

The environments and sim_node use the same class, so that a policy meets the same camera and arm in
one process and in the node graph.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from ls3_sim.pictures import Image
from ls3_sim.variations import EpisodeDraws, Variations

INSTRUMENT = (90, 92, 97)
"""Colour of what hides a part of the picture, RGB: that of the tools in the scenes."""


class Disturbance:
    """The camera and the arm of one episode, as its draws have made them.

    gain: factor on the length of the arm's motions.
    """

    def __init__(self, config: Variations, size: int) -> None:
        """Begin without any difference.

        Args:
            config: the magnitudes.
            size: side of an observation, in whose pixels `config` counts.
        """
        self._config, self._size = config, size
        self.gain = 1.0
        self._affine: NDArray[np.float64] = np.eye(2, 3)
        self._moves = self._exposes = False
        self._brightness: NDArray[np.float64] = np.ones(3)
        self._occluded: NDArray[np.float64] = np.zeros(2)  # middle (x, y) of the square, as shares
        self._noise = self._losses = np.random.default_rng(0)
        self._latest: deque[Image] = deque(maxlen=config.delay + 1)
        self._seen: Image | None = None
        self._before: Image | None = None
        self._lost = False

    def begin(self, draws: EpisodeDraws, focus: NDArray[np.float64] | None = None) -> None:
        """Draw the camera and the arm of a new episode.

        focus: places (n, 2) in the picture that an instrument is likely to hide, as shares (x, y)
        of its side from the top left; one of them is occluded. None: any place.
        """
        config = self._config
        self.gain = draws.factor("gain", config.gain)
        shift = draws.within("camera_shift", config.camera_shift, 2) / self._size
        turn = float(draws.within("camera_rotation", config.camera_rotation)[0])
        scale = draws.factor("camera_scale", config.camera_scale)
        self._moves = bool(shift.any() or turn or scale != 1)
        self._affine = np.array(cv2.getRotationMatrix2D((0.0, 0.0), turn, scale), np.float64)
        self._affine[:, 2] = shift
        light = draws.within("light", config.light)
        self._brightness = (1 + light) * (1 + draws.within("colour", config.colour, 3))
        self._exposes = bool(config.occlusion or config.noise or (self._brightness != 1).any())
        if config.occlusion:
            stream = draws.stream("occlusion")
            self._occluded = stream.random(2) if focus is None else stream.choice(focus)
            draws.note("occlusion", self._occluded)
        if config.noise:
            self._noise = draws.stream("noise")
        if config.frame_loss:
            self._losses = draws.stream("frame_loss")
        self._latest.clear()
        self._seen = self._before = None
        self._lost = False

    @property
    def moves(self) -> bool:
        """Whether the camera is at another place: whether `move` changes pictures."""
        return self._moves

    def move(self, picture: Image) -> Image:
        """Show a square picture as from the episode's camera; at the edge it is repeated."""
        if not self._moves:
            return picture
        side = len(picture)
        middle = (side - 1) / 2  # in OpenCV the centre of the first pixel is at 0
        matrix = self._affine.copy()
        matrix[:, 2] = side * matrix[:, 2] + middle - matrix[:, :2].sum(axis=1) * middle
        moved = cv2.warpAffine(
            picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return moved.reshape(picture.shape).astype(np.uint8, copy=False)

    def expose(self, picture: Image) -> Image:
        """Show an RGB picture in the episode's light, with what hides it and the sensor's noise."""
        if not self._exposes:
            return picture
        config = self._config
        shown = picture * self._brightness
        if config.occlusion:
            height, width = picture.shape[:2]
            side = min(height, width, max(1, round(config.occlusion * width / self._size)))
            middle = self._occluded[::-1] * (height, width)
            top, left = (
                np.rint(middle - side / 2).astype(int).clip(0, (height - side, width - side))
            )
            shown[top : top + side, left : left + side] = INSTRUMENT
        if config.noise:
            shown = shown + self._noise.normal(0, config.noise, shown.shape)
        return np.rint(np.clip(shown, 0, 255)).astype(np.uint8)

    def next_step(self) -> None:
        """Begin a step of the arm: the last frame becomes a past one, and the next may get lost."""
        if self._latest:
            self._latest.append(self._latest[-1])
        self._before = self._seen
        loss = self._config.frame_loss
        self._lost = bool(loss) and bool(self._losses.random() < loss)

    def arrive(self, frame: Image) -> Image:
        """Return what is seen when the camera takes `frame` during the present step.

        A step may have several frames. Of a past step the last frame is seen. The frame of the
        reset is seen until a later one is due.
        """
        if self._latest:
            self._latest[-1] = frame
        else:
            self._latest.append(frame)
        if not self._lost or self._before is None:
            self._seen = self._latest[0]
        else:
            self._seen = self._before
        return self._seen
