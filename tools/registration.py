"""Measure how well and how fast a moved camera is found; write results/registration.json.

    python tools/registration.py [--frames 100] [--seed 0]

Frames of 640 x 480 px show the cable scene with cable and tool somewhere, each time elsewhere. The
motion is drawn: up to 40 px in any direction, 3 degrees and 5 %. The error is that of the frame's
worst corner. The time is the processor's, of all threads, and depends on what else it does.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import math
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dvrk_cable_env.camera.pose_reference import registration_of
from dvrk_cable_env.camera.registration import RegistrationError
from dvrk_cable_env.camera.segmentation import NodeConfig, in_range, segment_cable, to_hsv
from ls3.runs.provenance import git_commit, machine
from ls3_common.files import write_json
from ls3_sim.cable_scene import CableScene
from ls3_sim.gl import mujoco, release, renderer

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]
WIDTH, HEIGHT = 640, 480
CANVAS = 1024, 768
"""Width and height of what is rendered, of which a frame shows a part that may move, px."""
CONFIG = NodeConfig(width=WIDTH, height=HEIGHT, crop_left=80, crop_side=HEIGHT)
SHIFT, TURN, GROWTH = 40.0, 3.0, 0.05
"""Largest motions: px, degrees, relative."""
HAND = (205, 160, 140)
Find = Callable[[Image], Matrix | None]
"""Finds the matrix of `registration.CameraMotion` for a frame, or nothing."""


@dataclasses.dataclass(frozen=True)
class Moved:
    """A drawn motion: shift of the picture's centre (px), rotation (degrees), scale."""

    x: float
    y: float
    turn: float
    scale: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, shift: float = SHIFT) -> Moved:
        """Draw one, with a shift of any length up to `shift`."""
        angle, length = rng.uniform(0, 2 * math.pi), rng.uniform(0, shift)
        turn, growth = rng.uniform(-TURN, TURN), rng.uniform(-GROWTH, GROWTH)
        return cls(length * math.cos(angle), length * math.sin(angle), turn, 1 + growth)

    @property
    def matrix(self) -> Matrix:
        """As of `registration.CameraMotion`."""
        angle = math.radians(self.turn)
        along, across = self.scale * math.cos(angle), self.scale * math.sin(angle)
        linear = np.array([[along, -across], [across, along]])
        centre = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
        return np.column_stack([linear, centre + np.array([self.x, self.y]) - linear @ centre])


class Table:
    """The simulated table, seen by a camera of 640 x 480 px."""

    def __init__(self) -> None:
        self.scene = CableScene()
        model = self.scene.model
        self._camera = model.camera("top").id
        self._height = float(model.cam_pos[self._camera, 2])
        self._focal = HEIGHT / 2 / math.tan(math.radians(model.cam_fovy[self._camera]) / 2)
        model.cam_fovy[self._camera] = math.degrees(2 * math.atan(CANVAS[1] / 2 / self._focal))
        model.vis.global_.offwidth, model.vis.global_.offheight = CANVAS
        self._renderer = renderer(model, CANVAS[1], CANVAS[0])
        self._canvas: Image | None = None  # of the scene as it is

    def lay(self, rng: np.random.Generator) -> None:
        """Put tool and cable anywhere beside the obstacle."""
        while True:
            start = rng.uniform((-0.1, -0.08), (0.09, 0.09))
            if np.linalg.norm(start - self.scene.layout.obstacle) > 0.04:
                break
        self.scene.reset(start, rng.uniform(-math.pi, math.pi), rng.normal(0, 0.12, 15))
        self._canvas = None

    def reference(self) -> Image:
        """The table without cable and tool."""
        groups = self.scene.model.geom_group
        before = groups.copy()
        for index in range(self.scene.model.ngeom):
            if self.scene.model.geom(index).name.startswith(("cable", "tool")):
                groups[index] = 5  # MuJoCo does not draw this group
        frame = self._changed()
        groups[:] = before
        self._canvas = None
        return frame

    def frame(self, moved: Moved | None = None) -> Image:
        """The picture, moved in its plane."""
        canvas = self._canvas if self._canvas is not None else self._render()
        left, top = (CANVAS[0] - WIDTH) // 2, (CANVAS[1] - HEIGHT) // 2
        if moved is None:
            return canvas[top : top + HEIGHT, left : left + WIDTH].copy()
        back = np.linalg.inv(np.vstack([moved.matrix, (0, 0, 1)]))[:2]
        back[:, 2] += (left, top)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(canvas, back, (WIDTH, HEIGHT), flags=flags), np.uint8)

    def from_camera(self, moved: Moved) -> Image:
        """What a camera shows that itself has moved, so that the cable's plane moves like this."""
        model, camera, angle = self.scene.model, self._camera, math.radians(moved.turn)
        before = model.cam_pos[camera].copy(), model.cam_quat[camera].copy()
        along, across = math.cos(angle), math.sin(angle)
        place = np.array([[-along, across], [-across, -along]]) @ (moved.x, -moved.y)
        place *= self._height / (self._focal * moved.scale)
        model.cam_pos[camera] = (*place, self._height / moved.scale)
        model.cam_quat[camera] = (math.cos(angle / 2), 0, 0, math.sin(angle / 2))
        mujoco.mj_forward(model, self.scene.data)
        frame = self._changed()
        model.cam_pos[camera], model.cam_quat[camera] = before
        mujoco.mj_forward(model, self.scene.data)
        self._canvas = None
        return frame

    def close(self) -> None:
        """Release the renderers."""
        release(self._renderer)
        self.scene.close()

    def _changed(self) -> Image:
        self._canvas = None
        return self.frame()

    def _render(self) -> Image:
        self._renderer.update_scene(self.scene.data, camera="top")
        self._canvas = np.array(self._renderer.render(), np.uint8)
        return self._canvas


def error(found: Matrix, true: Matrix) -> float:
    """How far a corner of the frame is from its place, px."""
    right, bottom = WIDTH - 1, HEIGHT - 1
    corners = np.array([[0, 0, 1], [right, 0, 1], [0, bottom, 1], [right, bottom, 1]])
    return float(np.linalg.norm(corners @ (found - true).T, axis=1).max())


def cable_around(rgb: Image) -> NDArray[np.uint8]:
    """Pixels of the cable and beside it, uint8 (height, width), not 0."""
    cable = in_range(to_hsv(rgb), CONFIG.cable_low, CONFIG.cable_high)
    return np.asarray(cv2.dilate(cable.astype(np.uint8), np.ones((9, 9), np.uint8)))


def shipped(reference: Image) -> Find:
    """What segmentation_node does, each time as if the camera had not moved before."""
    fresh = registration_of(reference, CONFIG)

    def find(rgb: Image) -> Matrix | None:
        found = copy.copy(fresh).find(rgb)
        return None if found is None else found.matrix

    return find


def ecc(reference: Image) -> Find:
    """cv2.findTransformECC at an eighth and half the size, from phase correlation's shift."""
    sizes, first = (8, 2), phase(reference)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-9)

    def grey(rgb: Image, part: int) -> Image:
        made = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        size = WIDTH // part, HEIGHT // part
        return np.asarray(cv2.resize(made, size, interpolation=cv2.INTER_AREA), np.uint8)

    templates = {part: grey(reference, part) for part in sizes}

    def find(rgb: Image) -> Matrix | None:
        found = first(rgb)
        for part in sizes:
            template, free = templates[part], (cable_around(rgb) == 0).astype(np.uint8)
            free = cv2.resize(free, template.shape[::-1], interpolation=cv2.INTER_NEAREST)
            assert found is not None
            # the centres of the first pixels lie half a pixel of each size from the corner
            half = (part - 1) / 2
            warp = found.copy()
            warp[:, 2] = (found[:, :2] @ (half, half) + found[:, 2] - half) / part
            try:
                start = warp.astype(np.float32)
                _, better = cv2.findTransformECC(
                    template, grey(rgb, part), start, cv2.MOTION_AFFINE, stop, free, 5
                )
            except cv2.error:  # it does not converge
                return None
            found = np.asarray(better, float)
            found[:, 2] = part * found[:, 2] + half - found[:, :2] @ (half, half)
        return found

    return find


def phase(reference: Image) -> Find:
    """cv2.phaseCorrelate, of shifts alone, with the cable painted over."""
    window = cv2.createHanningWindow((WIDTH, HEIGHT), cv2.CV_32F)

    def grey(rgb: Image) -> NDArray[np.float32]:
        made = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
        made[cable_around(rgb) > 0] = np.median(made)
        return made

    template = grey(reference)

    def find(rgb: Image) -> Matrix | None:
        (x, y), _ = cv2.phaseCorrelate(template, grey(rgb), window)
        return np.array([[1, 0, x], [0, 1, y]], float)

    return find


def orb(reference: Image) -> Find:
    """ORB features without the cable's, matched, and RANSAC for a similarity."""
    detector = cv2.ORB_create(500)  # type: ignore[attr-defined]
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)

    def features(rgb: Image) -> tuple[Any, Any]:
        free = (cable_around(rgb) == 0).astype(np.uint8) * 255
        return detector.detectAndCompute(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), free)

    keys, words = features(reference)

    def find(rgb: Image) -> Matrix | None:
        seen, said = features(rgb)
        pairs = matcher.match(words, said) if said is not None else ()
        if len(pairs) < 4:
            return None
        begin = np.array([keys[pair.queryIdx].pt for pair in pairs])
        end = np.array([seen[pair.trainIdx].pt for pair in pairs])
        found, _ = cv2.estimateAffinePartial2D(begin, end, ransacReprojThreshold=2.0)
        return None if found is None else np.asarray(found, float)

    return find


METHODS = {"lucas_kanade": shipped, "ecc": ecc, "phase_correlation": phase, "orb_ransac": orb}


def photographed(rgb: Image, rng: np.random.Generator) -> Image:
    """In other light, by a noisy camera."""
    light = rng.uniform(0.7, 1.3) * rgb + rng.normal(0, 6, rgb.shape)
    return np.clip(light, 0, 255).astype(np.uint8)


def with_hand(rgb: Image, rng: np.random.Generator) -> Image:
    """With a third of the picture hidden."""
    hidden, third = rgb.copy(), WIDTH // 3
    left = int(rng.integers(0, WIDTH - third))
    hidden[:, left : left + third] = HAND
    return hidden


CONDITIONS: dict[str, Callable[[Table, Moved, np.random.Generator], Image]] = {
    "as rendered": lambda table, moved, _rng: table.frame(moved),
    "other light, noise": lambda table, moved, rng: photographed(table.frame(moved), rng),
    "the camera itself moved": lambda table, moved, _rng: table.from_camera(moved),
    "a hand over a third": lambda table, moved, rng: with_hand(table.frame(moved), rng),
}


def drawn(table: Table, seed: int, count: int) -> Iterator[tuple[Moved, np.random.Generator]]:
    """Lay the cable and draw a motion, `count` times."""
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        table.lay(rng)
        yield Moved.drawn(rng), rng


def row(errors: list[float], frames: int, ms: list[float]) -> dict[str, Any]:
    """Figures of one method or condition."""
    some = errors or [math.inf]
    return {
        "frames": frames,
        "found": len(errors),
        "within_1_px": sum(one < 1 for one in errors),
        "error_median_px": round(float(np.median(some)), 3),
        "error_max_px": round(max(some), 3),
        "ms_median": round(float(np.median(ms)), 2),
    }


def judged(
    table: Table, make: Callable[..., Image], find: Find, seed: int, count: int
) -> dict[str, Any]:
    """How a method does on frames of a condition."""
    errors, ms = list[float](), list[float]()
    for moved, rng in drawn(table, seed, count):
        frame = make(table, moved, rng)
        began = time.process_time()
        found = find(frame)
        ms.append(1e3 * (time.process_time() - began))
        if found is not None:
            errors.append(error(found, moved.matrix))
    return row(errors, count, ms)


def followed(table: Table, seed: int, count: int) -> dict[str, Any]:
    """Time of a frame as segmentation_node spends it, and masks where nothing moved."""
    fresh = registration_of(table.reference(), CONFIG)
    times: dict[str, list[float]] = {"still": [], "knocked": [], "moved": [], "lost": []}
    equal = 0
    for moved, rng in drawn(table, seed, count):
        still, there = table.frame(), table.frame(moved)
        noise = rng.integers(0, 255, there.shape, np.uint8)
        registration, seen = copy.copy(fresh), dict[str, Image]()
        # a camera at rest, a knock, after it, and then the view is lost for as long as a search
        for name, frame in zip(
            ("still", "knocked", "moved", *["lost"] * 10),
            (still, there, there, *[noise] * 10),
            strict=True,
        ):
            began = time.process_time()
            try:
                seen[name] = registration.correct(frame)
            except RegistrationError:
                assert name in ("knocked", "lost"), name
            times[name].append(1e3 * (time.process_time() - began))
        equal += bool((segment_cable(seen["still"], CONFIG) == segment_cable(still, CONFIG)).all())
    figures = {f"ms_{name}": round(float(np.median(ms)), 2) for name, ms in times.items()}
    # the least, as other programs take a processor's cache away
    figures |= {f"ms_{name}_least": round(min(ms), 2) for name, ms in times.items()}
    # of these, one frame in ten takes longer
    figures["ms_lost"] = round(float(np.mean(times["lost"])), 2)
    return {"frames": count, "masks_equal": equal} | figures


def main() -> None:
    """Measure, print the rows and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    add = parser.add_argument
    add("--frames", type=int, default=100, help="frames of each method and condition")
    add("--seed", type=int, default=0, help="seed of the cables and motions")
    add("--out", type=Path, default=Path("results/registration.json"), help="results file")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    table = Table()
    reference = table.reference()
    rows = []
    for name, method in METHODS.items():
        make = CONDITIONS["as rendered"]
        rows.append(
            {"method": name, **judged(table, make, method(reference), asked.seed, asked.frames)}
        )
        print(rows[-1], flush=True)
    for name, make in CONDITIONS.items():
        found = judged(table, make, shipped(reference), asked.seed + 1, asked.frames)
        rows.append({"condition": name, **found})
        print(rows[-1], flush=True)
    metrics = followed(table, asked.seed + 2, asked.frames)
    print(metrics)
    table.close()
    write_json(
        asked.out,
        {
            "name": "registration",
            "command": shlex.join(["python", *sys.argv]),
            "commit": git_commit(),
            "machine": machine(),
            "metrics": metrics,
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()
