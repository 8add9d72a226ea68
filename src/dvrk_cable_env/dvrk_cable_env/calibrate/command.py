"""calibrate: colours, crop and workspace of segmentation_node, from a frame, by a person.

With a display a window with sliders; without, picks and points on the command line, and a
picture of what they give. It listens, and moves nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dvrk_cable_env.calibrate.colours import (
    TARGETS,
    Range,
    clashes,
    parameters_of,
    preview,
    propose,
)
from dvrk_cable_env.calibrate.file import save
from dvrk_cable_env.calibrate.given import SECTION, given_in, read_frame, sized, undistorted
from dvrk_cable_env.calibrate.panel import Panel, by_hand
from dvrk_cable_env.calibrate.workspace import LIMIT, fit, marker_points
from dvrk_cable_env.camera.segmentation import FrameError, Image, NodeConfig
from ls3_common.errors import UserError
from ls3_common.parameters import build, to_dict


def main(args: Sequence[str] | None = None) -> int:
    """Entry point: 0 where something was saved, 1 where the person left, 2 for a mistake."""
    words = list(sys.argv[1:] if args is None else args)
    ros = words.index("--ros-args") if "--ros-args" in words else len(words)
    asked = _parser().parse_args(words[:ros])
    try:
        undistort = undistorted(asked, given_in(Path(asked.file)))
        with contextlib.ExitStack() as stack:
            live: Any = None
            if not asked.source or asked.touch:
                from dvrk_cable_env.calibrate.live import Live
                from ls3_common.ros import beside

                live = stack.enter_context(
                    beside(lambda: Live(asked.arm, asked.wait, undistort), words[ros:])
                )
            rgb = read_frame(asked.source, asked.camera_info) if asked.source else live.frame()
            if asked.write_frame:
                _write(asked.write_frame, rgb)
                print(f"the frame, {rgb.shape[1]} x {rgb.shape[0]}: {asked.write_frame}")
                return 0
            return calibrate(asked, rgb, live)
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except FrameError as error:  # of a later frame, in the window
        print(UserError(str(error), where="the frame"), file=sys.stderr)
        return UserError.exit_code
    except KeyboardInterrupt:
        return 130


def calibrate(asked: argparse.Namespace, rgb: Image, live: Any = None) -> int:
    """What the command line asks for, with one frame; see `main`.

    Raises:
        UserError: something is wrong with what was asked; nothing was saved.
    """
    path = Path(asked.file)
    given = given_in(path)
    values = sized(given, rgb, asked.crop)
    if asked.undistort is not None or asked.camera_info:
        values["undistort"] = undistorted(asked, given)
    points = [((u, v), (x, y)) for u, v, x, y in asked.point]
    for u, v in asked.touch:
        _wait_for_enter(f"guide the tip to the table at pixel ({u:g}, {v:g}), then Enter ")
        points.append(((u, v), tuple(live.tip())))
    if asked.marker:
        places = {int(number): (x, y) for number, x, y in asked.marker}
        points += list(zip(*marker_points(rgb, places, asked.dictionary), strict=True))
    for target in TARGETS:
        picks = [(u, v) for name, (u, v) in _named("--pick", asked.pick, float) if name == target]
        if picks:
            values |= parameters_of(target, propose(rgb, picks))
        for name, bounds in _named("--range", asked.range, int):
            if name == target:
                values |= parameters_of(target, Range(bounds[:3], bounds[3:]))
    if not (points or asked.pick or asked.range or asked.crop or asked.view):
        config = build(NodeConfig, {**given, **values}, str(path))
        panel = Panel(config, live.tip if live else None, asked.limit / 1000)
        by_hand(panel, _frames(rgb, live))
        if not panel.saving:
            print("nothing was saved")
            return 1
        ours = to_dict(panel.config)
        values |= {key: ours[key] for name in TARGETS for key in (f"{name}_low", f"{name}_high")}
        points = list(panel.points)
    if points:
        found = fit([p for p, _ in points], [p for _, p in points], asked.limit / 1000)
        print("\n".join(found.lines()))
        values["homography"] = tuple(map(float, found.homography.ravel()))
    lens_changes = values.get("undistort", False) != given.get("undistort", False)
    if "undistort" in values and lens_changes and given.get("homography") and not points:
        do = "measure the points anew, with the same call"
        raise UserError("the homography was found with the lens otherwise", where=str(path), do=do)
    if asked.view:
        *centre, width = asked.view
        values |= {"view_centre": tuple(centre), "view_width": width}
        values["crop_side"] = asked.side or values["crop_side"]
    config = build(NodeConfig, {**given, **values}, str(path))
    _show(rgb, config, asked.preview)
    save(path, SECTION, values)
    print(f"saved {', '.join(values)} in {path}")
    return 0


def _named(
    option: str, given: Sequence[Sequence[str]], number: type[int] | type[float]
) -> list[tuple[str, tuple[Any, ...]]]:
    """Words of an option that names a target first and has finite numbers behind it."""
    found = []
    for name, *texts in given:
        try:
            numbers = tuple(map(number, texts))
        except ValueError:
            raise UserError(f"{option} {name} {' '.join(texts)}: not numbers") from None
        if name not in TARGETS or not np.isfinite(numbers).all():
            text = f"{option} {name} {' '.join(texts)}"
            raise UserError(text, do=f"{', '.join(TARGETS)}, then finite numbers")
        found.append((name, numbers))
    return found


def _wait_for_enter(text: str) -> None:
    try:
        input(text)
    except EOFError:
        raise UserError("--touch needs a person at a keyboard", do="use --point U V X Y") from None


def _frames(rgb: Image, live: Any) -> Callable[[], Image]:
    return live.frame if live else lambda: rgb


def _show(rgb: Image, config: NodeConfig, path: str) -> None:
    try:
        picture, counts = preview(rgb, config)
    except FrameError as error:
        raise UserError(str(error), where="the frame") from None
    print(", ".join(f"{target}: {count} pixels" for target, count in counts.items()))
    for target, count in counts.items():
        if not count:
            print(f"warning: nothing of the {target} is seen")
    for pair in clashes(config):
        print(f"warning: the ranges of {pair} share a colour")
    _write(path, picture)
    print(f"masks: {path}")


def _write(path: str, rgb: Image) -> None:
    try:
        done = cv2.imwrite(path, np.ascontiguousarray(rgb[..., ::-1]))
    except cv2.error:  # of a name that ends like no picture
        done = False
    if not done:
        raise UserError("cannot be written", where=path, do="give a name that ends in .png")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text} is not finite")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="calibrate", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    many = partial(add, action="append", default=[])
    add("file", help="ROS parameter file to read and to save in; other keys stay")
    add("--from", dest="source", metavar="PNG", help="a picture instead of the camera's topic")
    add(
        "--undistort",
        action=argparse.BooleanOptionalAction,
        help="see frames without their lens, by camera_info, and have segmentation_node do so\n"
        "(as the file has it)",
    )
    add("--camera-info", metavar="YAML", help="camera_calibration's file, with --from: --undistort")
    add("--write-frame", metavar="PNG", help="only write the frame in which pixels are counted")
    many("--pick", nargs=3, metavar=("WHAT", "U", "V"), help="a pixel of cable, obstacle or goal")
    bounds = ("WHAT", "H", "S", "V", "H", "S", "V")
    many("--range", nargs=7, metavar=bounds, help="lower and upper bound as given")
    add("--crop", nargs=3, type=int, metavar=("LEFT", "TOP", "SIDE"), help="the scene's square, px")
    point = ("U", "V", "X", "Y")
    many("--point", nargs=4, type=_finite, metavar=point, help="pixel and robot's position, metres")
    many(
        "--touch", nargs=2, type=_finite, metavar=("U", "V"), help="pixel; position of measured_cp"
    )
    many(
        "--marker", nargs=3, type=_finite, metavar=("ID", "X", "Y"), help="ArUco marker, centre, m"
    )
    add("--dictionary", default="DICT_4X4_50", help="of the markers (%(default)s)")
    add("--limit", type=_finite, default=1000 * LIMIT, help="of the residuals, mm (%(default)s)")
    view = ("X", "Y", "WIDTH")
    add(
        "--view",
        nargs=3,
        type=_finite,
        metavar=view,
        help="rectified square: centre, width, metres",
    )
    add("--side", type=int, help="pixels of its side (that of the crop)")
    add("--preview", default="calibration.png", metavar="PNG", help="to write (%(default)s)")
    add("--arm", default="PSM1", help="whose measured_cp (%(default)s)")
    add("--wait", type=_finite, default=10.0, help="seconds for the first message (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
