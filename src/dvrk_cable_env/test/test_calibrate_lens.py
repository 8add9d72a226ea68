"""`calibrate` sees the frames that segmentation_node works with: without their lens."""

from __future__ import annotations

import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from lenses import LENSES, message_of, overlap, through, workspace
from sensor_msgs.msg import CameraInfo
from test_lens import ost
from test_lens_node import image

from dvrk_cable_env.calibrate.command import main
from dvrk_cable_env.camera.lens import Lens
from dvrk_cable_env.camera.segmentation import NodeConfig, segment_cable
from dvrk_cable_env.camera.segmentation_view import to_robot
from ls3_common import qos
from ls3_common.parameter_files import read_section
from ls3_common.parameters import build

pytestmark = pytest.mark.background

LENS = LENSES["equidistant"]
RAW = through(LENS, workspace())
PICKS = [*("--pick", "cable", "170", "210"), *("--pick", "cable", "195", "315")]
PICKS += [*("--pick", "obstacle", "330", "220"), *("--pick", "goal", "500", "380")]
FLAT = np.array([[5e-4, 0, -0.16], [0, -5e-4, 0.12], [0, 0, 1.0]])
"""0.5 mm a pixel of the corrected frame, seen from above."""
SPREAD = (30, 20), (600, 30), (590, 450), (40, 440), (250, 120), (420, 260)


def corrected() -> np.ndarray:
    lens = Lens("")
    lens.receive(LENS)
    return lens.correct(RAW)


def agreement(config: NodeConfig) -> float:
    """IoU of the node's mask with that of a camera without a lens."""
    return overlap(*(segment_cable(rgb, config) > 127 for rgb in (corrected(), workspace())))


def points() -> list[str]:
    words = []
    for u, v in SPREAD:
        x, y = to_robot(FLAT, (u, v))[0]
        words += ["--point", *map(str, (u, v, x, y))]
    return words


@pytest.fixture
def picture(tmp_path: Path) -> list[str]:
    """A raw picture and its lens."""
    cv2.imwrite(str(tmp_path / "raw.png"), RAW[..., ::-1])
    (tmp_path / "ost.yaml").write_text(ost(LENS))
    preview = ["--preview", str(tmp_path / "masks.png")]
    lens = ["--camera-info", str(tmp_path / "ost.yaml")]
    return [str(tmp_path / "robot.yaml"), "--from", str(tmp_path / "raw.png"), *preview, *lens]


def saved(words: list[str]) -> NodeConfig:
    return build(NodeConfig, read_section(words[0], "segmentation_node"), "test")


def test_from_a_raw_picture_and_its_lens_to_the_masks_of_the_node(
    picture: list[str], capsys: Any
) -> None:
    """The picks lie beside what they name in the raw picture."""
    view = ["--view", "0", "0", "0.2", "--side", "256"]
    assert main([*picture, *PICKS, *points(), *view]) == 0
    config = saved(picture)
    assert config.undistort and (config.width, config.height) == (640, 480)
    assert agreement(config) > 0.95
    assert main([*picture[:-2], "--no-undistort", *PICKS]) == 2
    assert "is grey" in capsys.readouterr().err
    # again, with what the file says now
    assert main([*picture, "--crop", "80", "0", "480"]) == 0
    assert saved(picture).undistort


def test_the_frame_in_which_pixels_are_counted(picture: list[str], tmp_path: Path) -> None:
    path = tmp_path / "frame.png"
    assert main([*picture, "--write-frame", str(path)]) == 0
    np.testing.assert_array_equal(cv2.imread(str(path))[..., ::-1], corrected())
    assert not (tmp_path / "robot.yaml").exists()


def test_a_frame_that_cannot_be_written(picture: list[str], capsys: Any) -> None:
    for name in ("frame", f"{picture[2]}/frame.png"):  # no suffix; a folder that is a file
        assert main([*picture, "--write-frame", name]) == 2
        assert "cannot be written" in capsys.readouterr().err


def test_mistakes_with_the_lens_are_told_and_nothing_is_saved(
    picture: list[str], tmp_path: Path, capsys: Any
) -> None:
    path = Path(picture[0])
    plain = picture[:-2]
    for words, text in (
        ([*plain, "--undistort"], "a picture has no camera_info"),
        (
            [*picture, "--no-undistort"],
            "--camera-info is only for undistorting the picture of --from",
        ),
        (
            [str(path), *picture[-2:]],
            "--camera-info is only for undistorting the picture of --from",
        ),
        ([*plain, "--camera-info", str(tmp_path / "none.yaml")], "No such file"),
        ([*plain, "--camera-info", str(tmp_path / "raw.png")], "not a camera calibration"),
    ):
        assert main([*words, *PICKS]) == 2, words
        assert text in capsys.readouterr().err
    small = ost(LENS, image_width=320, image_height=240)
    (tmp_path / "ost.yaml").write_text(small)
    assert main([*picture, *PICKS]) == 2
    assert (
        "camera_info describes frames of 320 x 240, this frame is 640 x 480"
        in capsys.readouterr().err
    )
    assert not path.exists()
    path.write_text("/**/segmentation_node:\n  ros__parameters:\n    undistort: true\n")
    assert main([*plain, *PICKS]) == 2
    assert "a picture has no camera_info" in capsys.readouterr().err


def test_a_homography_belongs_to_one_lens(picture: list[str], capsys: Any) -> None:
    plain = picture[:-2]
    assert main([*plain, "--crop", "80", "0", "480", *points()]) == 0
    before = Path(picture[0]).read_text()
    assert not saved(picture).undistort
    assert main([*picture, "--crop", "80", "0", "480"]) == 2
    assert "the homography was found with the old value" in capsys.readouterr().err
    assert Path(picture[0]).read_text() == before
    assert main([*picture, *points()]) == 0
    assert saved(picture).undistort
    assert main([*plain, "--no-undistort", "--crop", "80", "0", "480"]) == 2
    assert main([*plain, "--no-undistort", *points()]) == 0
    assert not saved(picture).undistort


def test_from_the_topics_of_a_raw_camera(bench: Any, tmp_path: Path) -> None:
    frame = image(RAW, 1)
    camera = bench.node.create_publisher(type(frame), "/lens/camera/image_raw", qos.RELIABLE)
    timer = bench.node.create_timer(0.1, lambda: camera.publish(frame))
    path = tmp_path / "robot.yaml"
    words = [str(path), "--undistort", "--preview", str(tmp_path / "m.png"), *PICKS]
    command = [sys.executable, "-m", "dvrk_cable_env.calibrate.command", *words]

    def calibrate(*more: str) -> subprocess.CompletedProcess[str]:
        remap = ["--ros-args", "-r", "__ns:=/lens"]
        return subprocess.run(
            [*command, *more, *remap],
            env=bench.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    try:
        done = calibrate("--wait", "8")
        assert done.returncode == 2 and not path.exists()
        missing = "undistort is true, but no camera_info has arrived on /lens/camera/camera_info"
        assert missing in done.stderr
        info = bench.node.create_publisher(CameraInfo, "/lens/camera/camera_info", qos.LATCHED)
        info.publish(message_of(LENS, d=array("d", [0.0])))
        done = calibrate("--wait", "8")
        assert done.returncode == 2 and "equidistant has 4 coefficients, not 1" in done.stderr
        info.publish(message_of(LENS))
        done = calibrate()
        assert done.returncode == 0, done.stderr
    finally:
        bench.destroy(timer)
    config = build(NodeConfig, read_section(path, "segmentation_node"), "test")
    assert config.undistort
    assert agreement(config) > 0.95
