"""A square of the table as seen from straight above, from the workspace calibration.

A homography H takes a pixel (u, v), centre of the first one at (0, 0), to the robot's (x, y) in
metres on the plane that was calibrated: (x, y, 1) ~ H (u, v, 1).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]


def to_robot(homography: ArrayLike, pixels: ArrayLike) -> Matrix:
    """Positions (n, 2) in metres of pixels (n, 2); not finite beyond the plane's horizon."""
    return _apply(np.asarray(homography, float).reshape(3, 3), pixels)


def to_pixels(homography: ArrayLike, positions: ArrayLike) -> Matrix:
    """The reverse of `to_robot`."""
    return _apply(np.linalg.inv(np.asarray(homography, float).reshape(3, 3)), positions)


def view_fault(
    homography: tuple[float, ...], centre: tuple[float, ...], width: float, size: tuple[int, int]
) -> str:
    """Why a frame of `size` (width, height) does not show the whole square, or an empty text."""
    if len(homography) != 9:
        return f"view_width needs the nine numbers of homography, not {len(homography)}"
    if len(centre) != 2:
        return "view_centre has two numbers: x, y"
    matrix = np.asarray(homography, float).reshape(3, 3)
    if not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix) < 3:
        return "homography is no homography: it has no inverse"
    corners = np.asarray(centre) + width / 2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    sides = _scales(np.linalg.inv(matrix), corners)
    if sides.min() * sides.max() <= 0:
        return "the square of view_centre and view_width lies beyond the camera's horizon"
    seen = to_pixels(matrix, corners)
    # a frame ends half a pixel beyond the centre of its last one; half a pixel more is allowed
    outside = (seen < -1) | (seen > np.array(size))
    if outside.any():
        u, v = seen[outside.any(axis=1)][0]
        return f"the frame shows view_width in part: a corner lies at pixel ({u:.0f}, {v:.0f})"
    return ""


def rectified(
    rgb: Image, homography: tuple[float, ...], centre: tuple[float, ...], width: float, side: int
) -> Image:
    """The square of `width` metres round `centre`, uint8 (side, side, 3), x right and y up."""
    pixel = width / side
    from_view = np.array(
        [
            [pixel, 0.0, centre[0] - (side - 1) / 2 * pixel],
            [0.0, -pixel, centre[1] + (side - 1) / 2 * pixel],
            [0.0, 0.0, 1.0],
        ]
    )
    matrix = np.linalg.inv(from_view) @ np.asarray(homography, float).reshape(3, 3)
    warped = cv2.warpPerspective(rgb, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def _scales(matrix: Matrix, points: ArrayLike) -> Matrix:
    points = np.asarray(points, float).reshape(-1, 2)
    return np.asarray(points @ matrix[2, :2] + matrix[2, 2])


def _apply(matrix: Matrix, points: ArrayLike) -> Matrix:
    points = np.asarray(points, float).reshape(-1, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        mapped = (points @ matrix[:2, :2].T + matrix[:2, 2]) / _scales(matrix, points)[:, None]
    return np.asarray(mapped)
