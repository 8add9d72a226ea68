"""Finds how far the camera has moved since a reference picture of the scene, and undoes it. No ROS.

The motion of the picture is a similarity: shift, rotation and scale. It is followed from frame to
frame, always against the reference, so that errors do not add up. Where following fails, the search
begins anew with the best shift of a coarse picture. `alignment` has the arithmetic.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dvrk_cable_env.camera.alignment import Floats, Level, Light, Matrix, Pictures, determined
from dvrk_cable_env.camera.segmentation_view import Image
from ls3_common.parameters import parameter

FIRST, COARSELY = 3, 10
"""Iterations after which following must be promising; those of the sizes but the finest."""
ITERATIONS, SEARCHING = 10, 40
"""Most iterations in the finest size, of following and of a search."""
PROMISING = 0.3
"""Share of edges that must have been found for more iterations."""
SEARCH_EVERY = 10
"""Frames between two searches anew, which take ten times as long as following."""


class RegistrationError(ValueError):
    """A frame whose camera pose is not known or not allowed; the text gives the reason."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegistrationConfig:
    """How far the camera may have moved since `calibrate`. Lengths are shares of the width."""

    max_shift: float = parameter(
        0.08,
        description="largest shift along an axis that is corrected, 51 px of 640; beyond it "
        "there is no mask",
        unit="of the frame's width",
        low=0.0,
        high=0.12,
    )
    max_rotation: float = parameter(
        3.0, description="largest rotation that is corrected", unit="degrees", low=0.0, high=5.0
    )
    max_scale: float = parameter(
        0.05, description="largest change of scale that is corrected, relative", low=0.0, high=0.1
    )
    max_jump: float = parameter(
        0.005,
        description="largest motion of a corner from one frame to the next: there is no mask while "
        "the camera moves, or two cameras take turns",
        unit="of the frame's width",
        low=0.0,
        high=0.1,
    )
    still: float = parameter(
        0.75,
        description="a smaller motion of all corners is left as it is, and the frame unchanged",
        unit="px",
        low=0.0,
        high=10.0,
    )
    min_seen: float = parameter(
        0.8,
        description="least share of the reference's edges that must be found again",
        low=0.5,
        high=1.0,
    )


@dataclasses.dataclass(frozen=True)
class CameraMotion:
    """How the picture has moved since the reference.

    Attributes:
        matrix: float64 (2, 3), takes a pixel (u, v, 1) of the reference to its place in the frame.
        shift: of the picture's centre (x, y), px.
        rotation: from the x axis towards the y axis of the picture, degrees.
        scale: factor on lengths.
        corner: the largest motion of a corner of the picture, px.
        seen: share of the reference's edges that were found again, of those inside the frame.
    """

    matrix: Matrix
    shift: tuple[float, float]
    rotation: float
    scale: float
    corner: float
    seen: float

    def __str__(self) -> str:
        x, y = (round(one, 1) + 0.0 for one in self.shift)  # without -0.0
        turn, growth = round(self.rotation, 2) + 0.0, round(100 * (self.scale - 1), 1) + 0.0
        return f"moved by ({x:.1f}, {y:.1f}) px, turned by {turn:.2f} degrees, grown by {growth} %"


class Registration:
    """Compares frames with one reference, each starting from the motion of the frame before.

    motion: of the newest frame; None if it was not found.
    """

    def __init__(
        self,
        reference: Image,
        moving: NDArray[np.bool_] | None = None,
        config: RegistrationConfig = RegistrationConfig(),
        used: tuple[slice, slice] = (slice(None), slice(None)),
    ) -> None:
        """Find the edges of the reference.

        Args:
            reference: uint8 (height, width, 3), RGB.
            moving: bool (height, width), pixels that belong to nothing static, such as the cable's.
            config: the limits.
            used: rows and columns of a frame that `correct` fills; the rest of a frame that it
                changes is black.

        Raises:
            RegistrationError: the picture has too few edges to tell how it moved.
        """
        self._config, self._size = config, reference.shape[:2]
        self._used = used
        static = np.ones(self._size, np.uint8) if moving is None else (~moving).astype(np.uint8)
        self._levels = [
            Level(picture, _resized(static, picture.shape[1], picture.shape[0]))
            for picture in Pictures(reference)
        ]
        reach = math.ceil(1.25 * config.max_shift * self._levels[-1].width)
        steps = np.arange(-reach, reach + 1)
        self._shifts = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
        self._last: Matrix = np.zeros(4)
        self._rest = 0
        self.motion: CameraMotion | None = self._described(np.zeros(4), 1.0)
        fine = self._levels[0]
        if not determined(fine, np.ones(len(fine.value), bool)):
            raise RegistrationError("the picture has too few edges to tell how a camera moved")

    def correct(self, rgb: Image) -> Image:
        """Return the frame as the camera would have seen it from the reference's pose.

        Args:
            rgb: the frame, uint8 (height, width, 3), of the reference's size.

        Returns:
            uint8 (height, width, 3): the same array if nothing moved. Pixels that the camera did
            not see are black.

        Raises:
            RegistrationError: the static scene is not found, the camera moves, or has moved too far
                to be corrected.
        """
        before, self.motion = self.motion, self.find(rgb)
        motion, config, width = self.motion, self._config, self._size[1]
        if motion is None:
            raise RegistrationError(
                "the static scene of the reference is not found: clear the camera's view, or, if "
                "the camera or the scene is another, call calibrate"
            )
        far = max(map(abs, motion.shift)) > config.max_shift * width
        if (
            far
            or abs(motion.rotation) > config.max_rotation
            or abs(motion.scale - 1) > config.max_scale
        ):
            raise RegistrationError(
                f"the camera has moved by more than {config.max_shift * width:.0f} px, "
                f"{config.max_rotation:g} degrees or {100 * config.max_scale:g} %: put the camera "
                "back, or call calibrate"
            )
        if before is None or self._apart(before.matrix, motion.matrix) > config.max_jump * width:
            raise RegistrationError("the camera moves: two frames in a row must agree")
        if motion.corner < config.still:
            return rgb
        rows, columns = (
            slice(*part.indices(side)) for part, side in zip(self._used, self._size, strict=True)
        )
        matrix = motion.matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ (columns.start, rows.start)
        size = (columns.stop - columns.start, rows.stop - rows.start)
        corrected = np.zeros_like(rgb)
        corrected[rows, columns] = cv2.warpAffine(
            rgb, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        return corrected

    def find(self, rgb: Image) -> CameraMotion | None:
        """Return the motion of a frame, uint8 (height, width, 3); None if it is not found.

        Raises:
            RegistrationError: the frame has not the size of the reference.
        """
        if rgb.shape[:2] != self._size:
            raise RegistrationError(
                f"the frame has {rgb.shape[1]} x {rgb.shape[0]} px, the reference "
                f"{self._size[1]} x {self._size[0]}"
            )
        pictures = Pictures(rgb)
        self._rest -= 1
        found = self._verified(pictures, self._last, (FIRST, ITERATIONS))
        if found is None and self._rest < 0:
            self._rest = SEARCH_EVERY - 1
            start = self._searched(list(pictures))
            found = self._verified(pictures, start, (ITERATIONS, SEARCHING))
        return found

    def _verified(
        self, pictures: Pictures, start: Matrix, iterations: tuple[int, int]
    ) -> CameraMotion | None:
        """The motion that is found from a start; None if it does not explain the picture.

        iterations: the most before and after a look whether they lead anywhere.
        """
        fine, picture, light = self._levels[0], pictures.fine, Light()
        motion = start
        for most in iterations:
            motion, light, converged = fine.aligned(picture, motion, light, most)
            agree, seen = fine.agreeing(picture, motion, light)
            if converged or seen < PROMISING:
                break
        if not converged or seen < self._config.min_seen or not determined(fine, agree):
            return None
        self._last, self._rest = motion, 0
        return self._described(motion, seen)

    def _searched(self, pictures: Sequence[Floats]) -> Matrix:
        """Where to begin: the best shift of the coarsest picture by whole pixels, refined."""
        level, reach = self._levels[-1], int(self._shifts.max())
        padded = np.pad(pictures[-1], reach, mode="edge")
        places = (level.row + reach) * padded.shape[1] + level.column + reach
        offsets = self._shifts[:, 1] * padded.shape[1] + self._shifts[:, 0]
        seen = padded.ravel()[places + offsets[:, None]]  # (shift, point)
        seen -= seen.mean(axis=1, keepdims=True)
        score = (seen @ (level.value - level.value.mean())) / (np.linalg.norm(seen, axis=1) + 1e-3)
        best = self._shifts[int(score.argmax())] / level.unit
        motion: Matrix = np.append(best, (0.0, 0.0)).astype(np.float64)
        light = Light()
        for level, picture in zip(self._levels[:0:-1], pictures[:0:-1], strict=True):
            motion, light, _ = level.aligned(picture, motion, light, COARSELY)
        return motion

    def _described(self, motion: Matrix, seen: float) -> CameraMotion:
        height, width = self._size
        grow, turn = motion[2:]
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        linear = np.array([[1 + grow, -turn], [turn, 1 + grow]])
        shift = motion[:2] * width / 2
        matrix = np.column_stack([linear, centre + shift - linear @ centre])
        return CameraMotion(
            matrix=matrix,
            shift=(float(shift[0]), float(shift[1])),
            rotation=math.degrees(math.atan2(turn, 1 + grow)),
            scale=math.hypot(turn, 1 + grow),
            corner=self._apart(matrix, np.eye(2, 3)),
            seen=seen,
        )

    def _apart(self, one: Matrix, other: Matrix) -> float:
        """How far two motions of pixels, each (2, 3), put a corner of the picture apart, px."""
        bottom, right = self._size[0] - 1, self._size[1] - 1
        corners = np.array([[0, 0, 1], [right, 0, 1], [0, bottom, 1], [right, bottom, 1]])
        return float(np.linalg.norm(corners @ (one - other).T, axis=1).max())


def _resized(static: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """1 where every pixel is static, as far as whole numbers tell, uint8 (height, width)."""
    return np.asarray(cv2.resize(static, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
