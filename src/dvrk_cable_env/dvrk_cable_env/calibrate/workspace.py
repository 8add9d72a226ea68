"""Where the camera's pixels lie on the robot's table: a homography, and how far to trust it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dvrk_cable_env.camera.segmentation_view import Image, to_robot
from ls3_common.errors import UserError

LIMIT = 0.002
"""Largest residual, metres: a pixel of the simulated camera is 2.4 mm wide."""


@dataclasses.dataclass(frozen=True)
class Fit:
    """A homography (3, 3), pixels to metres, and what it leaves of each point, (n,) in metres.

    error: the standard deviation of one point's distance that these residuals speak for.
    foretold: how far each point lies from where the others alone put it, (n,) in metres. A
    homography bends itself towards a wrong corner: 15 mm were seen to leave 1 mm of residual.
    It takes six points. error is None with four, which a homography always meets exactly.
    """

    homography: NDArray[np.float64]
    residuals: NDArray[np.float64]
    error: float | None
    foretold: NDArray[np.float64] | None = None

    def within(self, limit: float) -> bool:
        """Whether residuals and error stay within a limit (m), and what is foretold in thrice it:
        noise too grows where a point has only others on one side.
        """
        foretold = 0.0 if self.foretold is None else float(self.foretold.max()) / 3
        return bool(max(float(self.residuals.max()), self.error or 0.0, foretold) <= limit)

    def lines(self) -> list[str]:
        """One line for each point, one for all of them."""
        text = [f"point {i + 1}: {1000 * r:.2f} mm" for i, r in enumerate(self.residuals)]
        if self.foretold is not None:
            pairs = zip(text, self.foretold, strict=True)
            text = [
                f"{line}, {1000 * far:.2f} mm from where the others put it" for line, far in pairs
            ]
        if self.error is None:
            return [*text, "four points are always met exactly: nothing checks them; give six"]
        if self.foretold is None:
            text.append("five points check each other little; give six")
        return [*text, f"error of a point, by what is left: {1000 * self.error:.2f} mm"]


def fit(pixels: ArrayLike, positions: ArrayLike, limit: float = LIMIT) -> Fit:
    """The homography of least squares, in metres on the table.

    Args:
        pixels: (n, 2), n at least 4.
        positions: (n, 2) of the robot in metres, in the same order.
        limit: of each residual and of their `error`, metres; `foretold` may be thrice that.

    Raises:
        UserError: too few points, numbers that are not finite, points on a line or in one place,
            or residuals above the limit; from six points on it names the one that is wrong.
    """
    image, robot = (np.asarray(points, float).reshape(-1, 2) for points in (pixels, positions))
    if len(image) != len(robot):
        raise UserError(f"{len(image)} pixels for {len(robot)} positions of the robot")
    if len(image) < 4:
        raise UserError(f"{len(image)} points; a homography takes four", do="give six, spread out")
    if not (np.isfinite(image).all() and np.isfinite(robot).all()):
        raise UserError("a point is not finite")
    if not _determined(image, robot):
        raise UserError(
            "the points do not settle a homography: they lie on a line, but for one, or together",
            do="take the corners of the workspace and two points inside",
        )
    found = _fit(image, robot)
    if len(image) > 5:
        found = dataclasses.replace(found, foretold=_foretold(image, robot))
    if not found.within(limit):
        raise UserError(
            f"the points do not agree within {1000 * limit:g} mm\n  " + "\n  ".join(found.lines()),
            do=_culprit(image, robot, limit),
        )
    return found


def marker_points(
    rgb: Image, positions: Mapping[int, tuple[float, float]], dictionary: str = "DICT_4X4_50"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres of ArUco markers in a frame, (n, 2) pixels, and theirs on the table, (n, 2) metres.

    Args:
        positions: (x, y) of each marker's centre by its number.
        dictionary: the name that OpenCV has for it.

    Raises:
        UserError: a marker is not seen, is seen twice, or the dictionary is not known.
    """
    number = getattr(cv2.aruco, dictionary, None)
    if not dictionary.startswith("DICT_") or number is None:
        raise UserError(f"OpenCV knows no ArUco dictionary '{dictionary}'", do="DICT_4X4_50?")
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(number))
    corners, numbers, _ = detector.detectMarkers(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    seen = [] if numbers is None else [int(value) for value in np.ravel(numbers)]
    for wanted in positions:
        if seen.count(wanted) != 1:
            times = "not" if wanted not in seen else f"{seen.count(wanted)} times"
            raise UserError(
                f"marker {wanted} is seen {times}",
                do=f"seen are: {', '.join(map(str, sorted(seen))) or 'none'}",
            )
    centres = [
        _crossing(np.asarray(corners[seen.index(n)], float).reshape(4, 2)) for n in positions
    ]
    return np.array(centres).reshape(-1, 2), np.array(list(positions.values())).reshape(-1, 2)


def _fit(image: NDArray[np.float64], robot: NDArray[np.float64]) -> Fit:
    centre = robot.mean(axis=0)  # metres are small beside 1: OpenCV's own refinement stops early
    matrix, _ = cv2.findHomography(image, (robot - centre) * 1000, method=0)
    if matrix is None:
        raise UserError("OpenCV finds no homography for these points")
    back = np.array([[1e-3, 0, centre[0]], [0, 1e-3, centre[1]], [0, 0, 1]])
    homography = np.asarray(back @ matrix, np.float64)
    homography = homography / np.linalg.norm(homography)
    residuals = np.linalg.norm(to_robot(homography, image) - robot, axis=1)
    spare = 2 * len(image) - 8  # numbers measured less numbers found
    error = float(np.sqrt(2 * (residuals**2).sum() / spare)) if spare else None
    return Fit(homography, residuals, error)


def _culprit(image: NDArray[np.float64], robot: NDArray[np.float64], limit: float) -> str:
    """Which point to measure again: the only one without which the others agree."""
    if len(image) < 6:
        return "measure again; from six points on the wrong one can be told"
    guilty = []
    for index in range(len(image)):
        rest = np.arange(len(image)) != index
        if _determined(image[rest], robot[rest]):
            without = _fit(image[rest], robot[rest])
            if without.within(limit):
                guilty.append((without.error or 0.0, index + 1))
    if not guilty:
        return "more than one point is wrong, or the lens bends straight lines: measure again"
    names = [str(number) for error, number in sorted(guilty) if error <= 2 * min(guilty)[0]]
    return f"measure point {' and '.join(names)} again: without it the others agree"


def _foretold(image: NDArray[np.float64], robot: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance (n,) of each point from the others' homography; infinite where they settle none."""
    far = np.full(len(image), np.inf)
    for index in range(len(image)):
        rest = np.arange(len(image)) != index
        if _determined(image[rest], robot[rest]):
            place = to_robot(_fit(image[rest], robot[rest]).homography, image[index])
            far[index] = np.linalg.norm(place[0] - robot[index])
    return far


def _determined(image: NDArray[np.float64], robot: NDArray[np.float64]) -> bool:
    """Whether the points leave one homography: the equations for its nine numbers have rank 8."""
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


def _crossing(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the diagonals of a square cross: its centre in any perspective."""
    a, b, c, d = np.column_stack([corners, np.ones(4)])
    point = np.cross(np.cross(a, c), np.cross(b, d))
    return np.asarray(point[:2] / point[2])
