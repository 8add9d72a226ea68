"""calibrate: find colours, crop and workspace of segmentation_node from a camera frame.

With a display, calibrate opens a window with sliders. Without a display, give picks and points
on the command line and look at the picture that calibrate writes. calibrate moves nothing.
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

import numpy as np

from dvrk_cable_env.calibrate.colours import (
    TARGETS,
    Range,
    overlapping_ranges,
    parameters_of,
    preview,
    propose_range,
)
from dvrk_cable_env.calibrate.file import save
from dvrk_cable_env.calibrate.inputs import (
    SECTION,
    file_parameters,
    read_frame,
    size_and_crop,
    wants_undistortion,
)
from dvrk_cable_env.calibrate.panel import Panel, run_window
from dvrk_cable_env.calibrate.pictures import write_picture, write_reference
from dvrk_cable_env.calibrate.workspace import LIMIT, fit, marker_points
from dvrk_cable_env.camera.segmentation import FrameError, Image, NodeConfig
from ls3_common.errors import UserError
from ls3_common.parameters import build, to_dict


def main(args: Sequence[str] | None = None) -> int:
    """Entry point of the command.

    Returns:
        0 if something was saved or written, 1 if the person left without saving, 2 for a mistake
        of the user, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if args is None else args)
    ros = words.index("--ros-args") if "--ros-args" in words else len(words)
    arguments = _parser().parse_args(words[:ros])
    try:
        undistort = wants_undistortion(arguments, file_parameters(Path(arguments.file)))
        with contextlib.ExitStack() as stack:
            live: Any = None
            if not arguments.source or arguments.touch:
                from dvrk_cable_env.calibrate.live import CalibrationNode
                from ls3_common.ros import beside

                live = stack.enter_context(
                    beside(
                        lambda: CalibrationNode(arguments.arm, arguments.wait, undistort),
                        words[ros:],
                    )
                )
            if arguments.source:
                rgb = read_frame(arguments.source, arguments.camera_info)
            else:
                rgb = live.frame()
            if arguments.write_frame:
                write_picture(arguments.write_frame, rgb)
                print(f"the frame, {rgb.shape[1]} x {rgb.shape[0]}: {arguments.write_frame}")
                return 0
            return calibrate(arguments, rgb, live)
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except FrameError as error:  # a later frame in the window is unusable
        print(UserError(str(error), where="the frame"), file=sys.stderr)
        return UserError.exit_code
    except KeyboardInterrupt:
        return 130


def calibrate(arguments: argparse.Namespace, rgb: Image, live: Any = None) -> int:
    """Calibrate from one frame as the command line asks, and save the result.

    Args:
        arguments: the parsed command line.
        rgb: the frame, uint8 (height, width, 3).
        live: a `CalibrationNode` that provides further frames and the tip's position, or None.

    Returns:
        The exit code of the command, see `main`.

    Raises:
        UserError: an argument is wrong, or the points do not agree; nothing was saved.
    """
    path = Path(arguments.file)
    given = file_parameters(path)
    values = size_and_crop(given, rgb, arguments.crop)
    if arguments.undistort is not None or arguments.camera_info:
        values["undistort"] = wants_undistortion(arguments, given)
    points = [((u, v), (x, y)) for u, v, x, y in arguments.point]
    for u, v in arguments.touch:
        _wait_for_enter(f"guide the tip to the table at pixel ({u:g}, {v:g}), then Enter ")
        points.append(((u, v), tuple(live.tip())))
    if arguments.marker:
        places = {int(number): (x, y) for number, x, y in arguments.marker}
        points += list(zip(*marker_points(rgb, places, arguments.dictionary), strict=True))
    named_picks = _named("--pick", arguments.pick, float)
    named_ranges = _named("--range", arguments.range, int)
    for target in TARGETS:
        picks = [(u, v) for name, (u, v) in named_picks if name == target]
        if picks:
            values |= parameters_of(target, propose_range(rgb, picks))
        for name, bounds in named_ranges:
            if name == target:
                values |= parameters_of(target, Range(bounds[:3], bounds[3:]))
    asked = arguments.pick, arguments.range, arguments.crop, arguments.view, arguments.reference
    if not points and all(one in ([], None) for one in asked):
        config = build(NodeConfig, {**given, **values}, str(path))
        panel = Panel(config, live.tip if live else None, arguments.limit / 1000)
        run_window(panel, _frames(rgb, live))
        if not panel.saving:
            print("nothing was saved")
            return 1
        chosen = to_dict(panel.config)
        values |= {key: chosen[key] for name in TARGETS for key in (f"{name}_low", f"{name}_high")}
        points = list(panel.points)
    if points:
        found = fit([p for p, _ in points], [p for _, p in points], arguments.limit / 1000)
        print("\n".join(found.lines()))
        values["homography"] = tuple(map(float, found.homography.ravel()))
    lens_changes = values.get("undistort", False) != given.get("undistort", False)
    if "undistort" in values and lens_changes and given.get("homography") and not points:
        do = "measure the points again, with the same call"
        what = "undistort changes, but the homography was found with the old value"
        raise UserError(what, where=str(path), do=do)
    if arguments.view:
        *centre, width = arguments.view
        values |= {"view_centre": tuple(centre), "view_width": width}
        values["crop_side"] = arguments.side or values["crop_side"]
    config = build(NodeConfig, {**given, **values}, str(path))
    _show(rgb, config, arguments.preview)
    # what holds for this pose of the camera needs this pose's picture
    placed = bool(points or arguments.crop or arguments.view or lens_changes)
    if arguments.reference or (arguments.reference is None and placed and config.pose_reference):
        values["pose_reference"] = write_reference(path, config, rgb)
    elif arguments.reference is False:
        values["pose_reference"] = ""
    save(path, SECTION, values)
    print(f"saved {', '.join(values)} in {path}")
    return 0


def _named(
    option: str, given: Sequence[Sequence[str]], number: type[int] | type[float]
) -> list[tuple[str, tuple[Any, ...]]]:
    """Parse the words of an option that takes a target and then finite numbers."""
    found = []
    for name, *texts in given:
        try:
            numbers = tuple(map(number, texts))
        except ValueError:
            raise UserError(f"{option} {name} {' '.join(texts)}: not numbers") from None
        if name not in TARGETS or not np.isfinite(numbers).all():
            text = f"{option} {name} {' '.join(texts)}"
            raise UserError(text, do=f"give one of {', '.join(TARGETS)}, then finite numbers")
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
            print(f"warning: no pixel of the {target} is selected")
    for pair in overlapping_ranges(config):
        print(f"warning: the colour ranges of {pair} overlap")
    write_picture(path, picture)
    print(f"masks: {path}")


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
    add("file", help="ROS parameter file to read and to save in; its other keys are kept")
    add("--from", dest="source", metavar="PNG", help="use a picture instead of the camera's topic")
    add(
        "--undistort",
        action=argparse.BooleanOptionalAction,
        help="correct the lens of frames by camera_info, here and in segmentation_node\n"
        "(default: as in the file)",
    )
    add(
        "--camera-info",
        metavar="YAML",
        help="lens of the picture of --from, saved by camera_calibration; implies --undistort",
    )
    add(
        "--reference",
        action=argparse.BooleanOptionalAction,
        help="keep the frame, by which segmentation_node finds out how the camera has moved;\n"
        "cable, tool and hands are out of view (default: renew a kept one with crop or points)",
    )
    add("--write-frame", metavar="PNG", help="only write the frame, to count pixels in it")
    many("--pick", nargs=3, metavar=("WHAT", "U", "V"), help="a pixel of cable, obstacle or goal")
    bounds = ("WHAT", "H", "S", "V", "H", "S", "V")
    many("--range", nargs=7, metavar=bounds, help="lower and upper bound of a colour")
    add(
        "--crop",
        nargs=3,
        type=int,
        metavar=("LEFT", "TOP", "SIDE"),
        help="square of the frame that is the scene, px",
    )
    point = ("U", "V", "X", "Y")
    many("--point", nargs=4, type=_finite, metavar=point, help="a pixel and its robot position, m")
    many(
        "--touch",
        nargs=2,
        type=_finite,
        metavar=("U", "V"),
        help="a pixel to which you guide the tip; its position comes from measured_cp",
    )
    many(
        "--marker",
        nargs=3,
        type=_finite,
        metavar=("ID", "X", "Y"),
        help="an ArUco marker and the robot position of its centre, m",
    )
    add("--dictionary", default="DICT_4X4_50", help="ArUco dictionary (default: %(default)s)")
    add(
        "--limit",
        type=_finite,
        default=1000 * LIMIT,
        help="largest residual of a point, mm (default: %(default)s)",
    )
    view = ("X", "Y", "WIDTH")
    add(
        "--view",
        nargs=3,
        type=_finite,
        metavar=view,
        help="use a rectified square of the table as scene: centre and width, m",
    )
    add("--side", type=int, help="pixels per side of the rectified square (default: the crop's)")
    add(
        "--preview",
        default="calibration.png",
        metavar="PNG",
        help="picture of the masks to write (default: %(default)s)",
    )
    add("--arm", default="PSM1", help="arm of --touch (default: %(default)s)")
    add(
        "--wait",
        type=_finite,
        default=10.0,
        help="longest wait for a message, s (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
