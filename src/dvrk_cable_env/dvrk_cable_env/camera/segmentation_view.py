"""Shows a square of the table as seen from straight above, by the workspace calibration.

The homography H takes a pixel (u, v) to the robot's (x, y) on the calibrated plane, in metres:
(x, y, 1) ~ H (u, v, 1). The centre of the first pixel is (0, 0).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]


def to_robot(homography: ArrayLike, pixels: ArrayLike) -> Matrix:
    """Map pixels (n, 2) to robot positions, float64 (n, 2), m; not finite beyond the horizon.

    homography: nine numbers, (3, 3) or row by row.
    """
    return _apply(np.asarray(homography, float).reshape(3, 3), pixels)


def to_pixels(homography: ArrayLike, positions: ArrayLike) -> Matrix:
    """Map robot positions (n, 2), m, to pixels, float64 (n, 2): the inverse of `to_robot`."""
    return _apply(np.linalg.inv(np.asarray(homography, float).reshape(3, 3)), positions)


def view_fault(
    homography: tuple[float, ...], centre: tuple[float, ...], width: float, size: tuple[int, int]
) -> str:
    """Return why the frame does not show the whole square; empty if it does.

    Args:
        homography: nine numbers, row by row.
        centre: (x, y) of the square, m.
        width: side of the square, m.
        size: (width, height) of the frame, px.
    """
    if len(homography) != 9:
        return f"view_width needs the nine numbers of homography, not {len(homography)}"
    if len(centre) != 2:
        return "view_centre has two numbers: x, y"
    matrix = np.asarray(homography, float).reshape(3, 3)
    if not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix) < 3:
        return "homography has no inverse"
    corners = np.asarray(centre) + width / 2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    sides = _scales(np.linalg.inv(matrix), corners)
    if sides.min() * sides.max() <= 0:
        return "the square of view_centre and view_width lies beyond the camera's horizon"
    seen = to_pixels(matrix, corners)
    # the frame ends half a pixel beyond its last pixel's centre; allow half a pixel more
    outside = (seen < -1) | (seen > np.array(size))
    if outside.any():
        u, v = seen[outside.any(axis=1)][0]
        return f"the frame does not show all of view_width: one corner is at ({u:.0f}, {v:.0f}) px"
    return ""


def rectified(
    rgb: Image, homography: tuple[float, ...], centre: tuple[float, ...], width: float, side: int
) -> Image:
    """Return the view of a square of the table from above, x to the right and y up.

    Args:
        rgb: the frame, uint8 (height, width, 3).
        homography: nine numbers, row by row.
        centre: (x, y) of the square, m.
        width: side of the square, m.
        side: of the view, px.

    Returns:
        uint8 (side, side, 3).
    """
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
