"""Draws one picture of a control step: camera with plan, mask, imagined outcome, probabilities.

Input are arrays and numbers, output is an RGB array. No ROS.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from ls3_common.images import coloured

SIZE = (1280, 720)
"""Width and height of a picture, px."""
BACKGROUND, PANEL, TRACK = "#0f141b", "#1b232e", "#2b3644"
TEXT, FAINT = "#eef3f8", "#93a1b1"
GREEN, AMBER, RED, BLUE = "#3fb96b", "#e3a72f", "#ef5350", "#58a6ff"
PATH = "#ffd54a"

CAMERA_BOX = (28, 84, 572)
"""x, y and side of the camera's image in the picture, px; the other boxes likewise."""
MASK_BOX = (628, 84, 264)
IMAGINED_BOX = (628, 392, 264)
COLUMN = (920, 1252)
"""Left and right edge of the column of figures, px."""


@dataclass(frozen=True)
class Step:
    """The planner's result at one step of an episode.

    safe_probability, constraint_probability: of the plan, in [0, 1], equations (5) and (6); without
    a feasible plan, those of the candidate that came closest.
    """

    feasible: bool
    safe_probability: float
    constraint_probability: float


@dataclass(frozen=True)
class FilmFrame:
    """Everything that one picture shows; a field that is None or empty is left blank.

    title, episode: headline and caption. maps_plan: whether plans can be drawn into the image.
    step, horizon: present step and T. status, colour: text and colour of the status field.
    camera: uint8 (height, width, 3). mask, imagined: uint8 (height, width, channels).
    lookahead: number of steps that the plan looks ahead. path: planned positions of the tool,
    (points, 2), as fractions of the image's width and height from its top left corner.
    history: the planner's result of each step so far. notes: (name, value) lines. reason: why the
    arm holds, a line at the bottom. stale: why the camera's image is not the present one; the text
    covers the image, and the status field says STALE.
    """

    title: str = "LS3"
    maps_plan: bool = True
    episode: str = ""
    step: int = 0
    horizon: int = 1
    status: str = "waiting"
    colour: str = FAINT
    camera: np.ndarray | None = None
    mask: np.ndarray | None = None
    imagined: np.ndarray | None = None
    lookahead: int = 0
    path: Sequence[tuple[float, float]] = ()
    history: Sequence[Step] = field(default_factory=tuple)
    notes: Sequence[tuple[str, str]] = ()
    reason: str = ""
    stale: str = ""


def draw(scene: FilmFrame) -> np.ndarray:
    """Draw one picture of the video, uint8 (720, 1280, 3), RGB."""
    return np.asarray(painted(scene))


def painted(scene: FilmFrame) -> Image.Image:
    """Draw one picture of the video as an image of Pillow."""
    picture = Image.new("RGB", SIZE, BACKGROUND)
    pen = ImageDraw.Draw(picture)
    pen.text((28, 24), scene.title, TEXT, _font(34))
    pen.text((1252, 30), scene.episode, FAINT, _font(24), anchor="ra")
    _camera(picture, scene)
    if scene.stale:
        _cover(picture, scene.stale)
    plan = ", with the planned path of the tool" if scene.maps_plan else ""
    _caption(pen, CAMERA_BOX, f"camera{plan}")
    _image(picture, MASK_BOX, scene.mask, TEXT)
    _caption(pen, MASK_BOX, "what the networks see")
    _image(picture, IMAGINED_BOX, scene.imagined, PATH)
    ahead = f", {scene.lookahead} steps ahead" if scene.lookahead else " outcome"
    _caption(pen, IMAGINED_BOX, f"imagined{ahead}")
    _column(pen, scene)
    size = next((s for s in (18, 16, 14) if _font(s).getlength(scene.reason) < 1224), 12)
    pen.text((28, 696), scene.reason, AMBER, _font(size))
    return picture


def _column(pen: ImageDraw.ImageDraw, scene: FilmFrame) -> None:
    left, right = COLUMN
    status, colour = ("STALE", RED) if scene.stale else (scene.status, scene.colour)
    pen.rounded_rectangle((left, 84, right, 146), 10, colour)
    middle = ((left + right) / 2, 115)
    pen.text(middle, status, "#0b0f14", _font(28), anchor="mm")
    newest = scene.history[-1] if scene.history else None
    safe = newest.safe_probability if newest else None
    constraint = newest.constraint_probability if newest else None
    _bar(pen, 172, "plan ends in the safe set", safe, GREEN)
    _bar(pen, 244, "plan violates the constraint", constraint, RED)
    _chart(pen, (left, 340, right, 470), scene)
    for row, (name, value) in enumerate(scene.notes):
        y = 532 + 32 * row
        pen.text((left, y), name, FAINT, _font(21))
        pen.text((right, y), value, TEXT, _font(21), anchor="ra")


def _bar(
    pen: ImageDraw.ImageDraw, top: int, name: str, probability: float | None, colour: str
) -> None:
    left, right = COLUMN
    pen.text((left, top), name, FAINT, _font(21))
    if probability is not None and not math.isfinite(probability):
        probability = None  # of a planner that failed
    number = "-" if probability is None else f"{probability:.2f}"
    pen.text((right, top), number, TEXT, _font(23), anchor="ra")
    box = (left, top + 32, right, top + 46)
    pen.rounded_rectangle(box, 7, TRACK)
    if probability:
        end = left + max(14, round(min(probability, 1.0) * (right - left)))
        pen.rounded_rectangle((left, box[1], end, box[3]), 7, colour)


def _chart(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], scene: FilmFrame) -> None:
    """Draw both probabilities over the steps; amber bars mark steps in which the arm held."""
    left, top, right, bottom = box
    pen.rounded_rectangle((left, top - 8, right, bottom + 8), 8, PANEL)
    width = (right - left - 16) / max(scene.horizon, 1)

    def place(step: int, probability: float) -> tuple[float, float]:
        return left + 8 + (step + 0.5) * width, bottom - probability * (bottom - top)

    for step, planned in enumerate(scene.history):
        if not planned.feasible:
            x, _ = place(step, 0)
            pen.rectangle((x - width / 2, top, x + width / 2 - 1, bottom), "#5a4a22")
    for name, colour in (("constraint_probability", RED), ("safe_probability", GREEN)):
        points = [
            place(step, min(getattr(planned, name), 1.0))
            for step, planned in enumerate(scene.history)
            if planned.feasible and math.isfinite(getattr(planned, name))
        ]
        if len(points) > 1:
            pen.line(points, colour, 3, joint="curve")
        if points:
            x, y = points[-1]
            pen.ellipse((x - 4, y - 4, x + 4, y + 4), colour)
    pen.text((left, bottom + 16), f"step {scene.step} of {scene.horizon}", FAINT, _font(21))


def _camera(picture: Image.Image, scene: FilmFrame) -> None:
    x, y, side = CAMERA_BOX
    if scene.camera is None:
        _image(picture, CAMERA_BOX, None)
        return
    picture.paste(_photograph(scene.camera, side), (x, y))
    if len(scene.path):
        _path(picture, scene.path)


def _path(picture: Image.Image, path: Sequence[tuple[float, float]]) -> None:
    """Draw the planned path over the camera's image."""
    x, y, side = CAMERA_BOX
    points = np.asarray(path) * side
    low = np.clip(points.min(axis=0) - 12, 0, side - 1).astype(int)
    high = np.clip(points.max(axis=0) + 13, low + 1, side).astype(int)
    width, height = map(int, high - low)
    # drawing at twice the size and then reducing makes edges smooth
    layer = Image.new("RGBA", (2 * width, 2 * height))
    pen = ImageDraw.Draw(layer)
    doubled = [(u, v) for u, v in (2 * (points - low)).tolist()]
    pen.line(doubled, "#101010", 18, joint="curve")
    pen.line(doubled, PATH, 10, joint="curve")
    for index, (u, v) in enumerate(doubled):
        r = 15 if index == len(doubled) - 1 else 10
        pen.ellipse((u - r - 4, v - r - 4, u + r + 4, v + r + 4), "#101010")
        pen.ellipse((u - r, v - r, u + r, v + r), "#ffffff" if index == 0 else PATH)
    small = layer.reduce(2)
    picture.paste(small, (x + int(low[0]), y + int(low[1])), small)


def _cover(picture: Image.Image, text: str) -> None:
    """Take the colour out of the camera's image, and write why it is not the present one."""
    x, y, side = CAMERA_BOX
    box = (x, y, x + side, y + side)
    picture.paste(ImageOps.grayscale(picture.crop(box)), box)
    pen = ImageDraw.Draw(picture)
    middle = y + side // 2
    pen.rectangle((x, middle - 34, x + side - 1, middle + 34), RED)
    pen.text((x + side / 2, middle), text, "#0b0f14", _font(28), anchor="mm")


def _photograph(pixels: np.ndarray, side: int) -> Image.Image:
    """Enlarge a camera frame without visible pixel steps; a frame that is not square is padded."""
    frame = Image.fromarray(np.ascontiguousarray(coloured(pixels)))
    if frame.width < side / 2:
        frame = frame.filter(ImageFilter.GaussianBlur(0.6))
    return ImageOps.pad(frame, (side, side), Image.Resampling.BICUBIC, color=PANEL)


def _image(
    picture: Image.Image, box: tuple[int, int, int], pixels: np.ndarray | None, tint: str = TEXT
) -> None:
    """Paste a colour image, or a grey image with `tint` in place of white."""
    x, y, side = box
    if pixels is None:
        ImageDraw.Draw(picture).rectangle((x, y, x + side - 1, y + side - 1), PANEL)
        return
    panel = Image.fromarray(np.ascontiguousarray(coloured(pixels)))
    if pixels.shape[-1] != 3:
        panel = ImageOps.colorize(panel.convert("L"), "#000000", tint)
    picture.paste(panel.resize((side, side), Image.Resampling.BICUBIC), (x, y))


def _caption(pen: ImageDraw.ImageDraw, box: tuple[int, int, int], text: str) -> None:
    x, y, side = box
    pen.text((x, y + side + 10), text, FAINT, _font(21))


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
