"""Finds the homography from the camera's pixels to the robot's table, and its accuracy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dvrk_cable_env.camera.segmentation_view import Image, to_robot
from ls3_common.errors import UserError

LIMIT = 0.002
"""Default of the largest residual, m; a pixel of the simulated camera is 2.4 mm wide."""


@dataclasses.dataclass(frozen=True)
class Fit:
    """A homography from pixels to metres, with measures of its accuracy.

    homography: float64 (3, 3), see `segmentation_view`.
    residuals: distance of each point from its measured position, float64 (n,), m.
    error: standard deviation of one point estimated from the residuals, m; None with four points,
        which a homography always meets exactly.
    leave_one_out: distance of each point from the position that a homography of the other points
        predicts, float64 (n,), m; None below six points. A wrong corner bends a homography towards
        itself: an error of 15 mm was seen to leave a residual of 1 mm.
    """

    homography: NDArray[np.float64]
    residuals: NDArray[np.float64]
    error: float | None
    leave_one_out: NDArray[np.float64] | None = None

    def within(self, limit: float) -> bool:
        """Whether residuals and error are at most `limit` (m), and `leave_one_out` three times it.

        The larger bound allows for noise at a point that has other points on one side only.
        """
        left_out = 0.0 if self.leave_one_out is None else float(self.leave_one_out.max()) / 3
        return bool(max(float(self.residuals.max()), self.error or 0.0, left_out) <= limit)

    def lines(self) -> list[str]:
        """Describe the fit for people: one line for each point and one for all points."""
        text = [f"point {i + 1}: {1000 * r:.2f} mm" for i, r in enumerate(self.residuals)]
        if self.leave_one_out is not None:
            pairs = zip(text, self.leave_one_out, strict=True)
            text = [
                f"{line}, {1000 * gap:.2f} mm from where the other points put it"
                for line, gap in pairs
            ]
        if self.error is None:
            return [*text, "four points always fit exactly, so nothing checks them: give six"]
        if self.leave_one_out is None:
            text.append("five points check each other poorly: give six")
        return [*text, f"standard deviation of a point: {1000 * self.error:.2f} mm"]


def fit(pixels: ArrayLike, positions: ArrayLike, limit: float = LIMIT) -> Fit:
    """Fit the homography from pixels to robot positions by least squares, in metres.

    Args:
        pixels: (u, v) of each point, (n, 2), n at least 4.
        positions: (x, y) of each point on the table, (n, 2), m, in the same order.
        limit: largest residual and largest `Fit.error`, m; `Fit.leave_one_out` may be three times.

    Raises:
        UserError: there are too few points, a number is not finite, the points lie on a line or in
            one place, or they exceed the limit. With six points the message names the wrong one.
    """
    image, robot = (np.asarray(points, float).reshape(-1, 2) for points in (pixels, positions))
    if len(image) != len(robot):
        raise UserError(f"{len(image)} pixels for {len(robot)} positions of the robot")
    if len(image) < 4:
        raise UserError(
            f"{len(image)} points, but a homography needs four", do="give six, spread out"
        )
    if not (np.isfinite(image).all() and np.isfinite(robot).all()):
        raise UserError("a point is not finite")
    if not _determines_homography(image, robot):
        raise UserError(
            "the points do not determine a homography: they lie (all but one) on a line, or in "
            "one place",
            do="use the corners of the workspace and two points inside",
        )
    found = _fit(image, robot)
    if len(image) > 5:
        found = dataclasses.replace(found, leave_one_out=_leave_one_out(image, robot))
    if not found.within(limit):
        raise UserError(
            f"the points do not agree within {1000 * limit:g} mm\n  " + "\n  ".join(found.lines()),
            do=_advice(image, robot, limit),
        )
    return found


def marker_points(
    rgb: Image, positions: Mapping[int, tuple[float, float]], dictionary: str = "DICT_4X4_50"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the centres of ArUco markers in a frame.

    Args:
        rgb: the frame, uint8 (height, width, 3).
        positions: (x, y) of each marker's centre on the table, m, by the marker's number.
        dictionary: OpenCV's name of the ArUco dictionary.

    Returns:
        Pixels (u, v) of the centres, float64 (n, 2), and the positions, float64 (n, 2), m.

    Raises:
        UserError: a marker is not seen or seen twice, or OpenCV does not know the dictionary.
    """
    number = getattr(cv2.aruco, dictionary, None)
    if not dictionary.startswith("DICT_") or number is None:
        raise UserError(
            f"OpenCV knows no ArUco dictionary '{dictionary}'", do="give a name like DICT_4X4_50"
        )
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(number))
    corners, numbers, _ = detector.detectMarkers(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    seen = [] if numbers is None else [int(value) for value in np.ravel(numbers)]
    for wanted in positions:
        if seen.count(wanted) != 1:
            times = "not" if wanted not in seen else f"{seen.count(wanted)} times"
            raise UserError(
                f"marker {wanted} is seen {times}",
                do=f"markers in the frame: {', '.join(map(str, sorted(seen))) or 'none'}",
            )
    centres = [
        _square_centre(np.asarray(corners[seen.index(n)], float).reshape(4, 2)) for n in positions
    ]
    return np.array(centres).reshape(-1, 2), np.array(list(positions.values())).reshape(-1, 2)


def _fit(image: NDArray[np.float64], robot: NDArray[np.float64]) -> Fit:
    centre = robot.mean(axis=0)  # in millimetres: with metres OpenCV's refinement stops too early
    matrix, _ = cv2.findHomography(image, (robot - centre) * 1000, method=0)
    if matrix is None:
        raise UserError("OpenCV finds no homography for these points")
    back = np.array([[1e-3, 0, centre[0]], [0, 1e-3, centre[1]], [0, 0, 1]])
    homography = np.asarray(back @ matrix, np.float64)
    homography = homography / np.linalg.norm(homography)
    residuals = np.linalg.norm(to_robot(homography, image) - robot, axis=1)
    spare = 2 * len(image) - 8  # degrees of freedom: numbers measured minus numbers fitted
    error = float(np.sqrt(2 * (residuals**2).sum() / spare)) if spare else None
    return Fit(homography, residuals, error)


def _advice(image: NDArray[np.float64], robot: NDArray[np.float64], limit: float) -> str:
    """Which point to measure again: the one without which the other points agree."""
    if len(image) < 6:
        return "measure again; with six points the wrong one can be named"
    suspects = []
    for index in range(len(image)):
        rest = np.arange(len(image)) != index
        if _determines_homography(image[rest], robot[rest]):
            without = _fit(image[rest], robot[rest])
            if without.within(limit):
                suspects.append((without.error or 0.0, index + 1))
    if not suspects:
        return "more than one point is wrong, or the lens bends straight lines: measure again"
    names = [str(number) for error, number in sorted(suspects) if error <= 2 * min(suspects)[0]]
    return f"measure point {' and '.join(names)} again: without it the others agree"


def _leave_one_out(image: NDArray[np.float64], robot: NDArray[np.float64]) -> NDArray[np.float64]:
    """`Fit.leave_one_out`, infinite where the other points determine no homography."""
    distances = np.full(len(image), np.inf)
    for index in range(len(image)):
        rest = np.arange(len(image)) != index
        if _determines_homography(image[rest], robot[rest]):
            place = to_robot(_fit(image[rest], robot[rest]).homography, image[index])
            distances[index] = np.linalg.norm(place[0] - robot[index])
    return distances


def _determines_homography(image: NDArray[np.float64], robot: NDArray[np.float64]) -> bool:
    """Whether the linear equations for the homography's nine numbers have rank 8."""
    if min(_spread(image), _spread(robot)) < 1e-9:
        return False
    (u, v), (x, y) = _normalised(image).T, _normalised(robot).T
    one, zero = np.ones_like(u), np.zeros_like(u)
    rows = np.concatenate(
        [
            np.stack([u, v, one, zero, zero, zero, -x * u, -x * v, -x], axis=1),
            np.stack([zero, zero, zero, u, v, one, -y * u, -y * v, -y], axis=1),
        ]
    )
    values = np.linalg.svd(rows, compute_uv=False)
    return bool(values[7] > 0.02 * values[0])


def _spread(points: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(points - points.mean(axis=0), axis=1).mean())


def _normalised(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((points - points.mean(axis=0)) / _spread(points) * np.sqrt(2))


def _square_centre(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre of a square in perspective: where its diagonals cross."""
    a, b, c, d = np.column_stack([corners, np.ones(4)])
    point = np.cross(np.cross(a, c), np.cross(b, d))
    return np.asarray(point[:2] / point[2])
