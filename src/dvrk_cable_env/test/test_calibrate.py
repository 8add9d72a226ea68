"""`calibrate` as it is called: from a picture, and from the topics of a camera and a robot."""

from __future__ import annotations

import subprocess
import sys
import time
from array import array
from typing import Any

import cv2
import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CompressedImage

from dvrk_cable_env.calibrate.command import main
from dvrk_cable_env.calibrate.live import median_tip
from dvrk_cable_env.camera.segmentation import NodeConfig
from dvrk_cable_env.camera.segmentation_view import to_robot
from ls3_common import qos
from ls3_common.errors import UserError
from ls3_common.parameter_files import read_section
from ls3_common.parameters import build

pytestmark = pytest.mark.background

# 0.5 mm a pixel, seen from above, the base's origin at pixel (320, 320)
FLAT = np.array([[5e-4, 0, -0.16], [0, -5e-4, 0.16], [0, 0, 1.0]])
PICKS = [
    "--pick",
    "cable",
    "60",
    "120",
    "--pick",
    "obstacle",
    "160",
    "110",
    "--pick",
    "goal",
    "260",
    "120",
]


def table() -> np.ndarray:
    """Cable, obstacle and goal, their colours a little beside the shipped ranges."""
    rgb = np.full((240, 320, 3), (205, 200, 190), np.uint8)
    cv2.line(rgb, (40, 60), (60, 180), (190, 70, 30), 5)
    cv2.line(rgb, (60, 120), (60, 121), (190, 70, 30), 5)
    cv2.circle(rgb, (160, 110), 20, (70, 60, 190), -1)
    cv2.circle(rgb, (260, 120), 16, (110, 170, 40), -1)
    return rgb


@pytest.fixture
def png(tmp_path: Any) -> str:
    path = tmp_path / "table.png"
    cv2.imwrite(str(path), table()[..., ::-1])
    return str(path)


def points(*pixels: tuple[float, float], error: float = 0.0) -> list[str]:
    words = []
    for index, (u, v) in enumerate(pixels):
        x, y = to_robot(FLAT, (u, v))[0] + (error if index == 0 else 0.0)
        words += ["--point", *map(str, (u, v, x, y))]
    return words


SPREAD = (30, 20), (290, 30), (280, 220), (40, 210), (150, 120), (220, 60)


def test_from_a_picture_to_a_file_that_the_node_reads(tmp_path, png, capsys):
    path, masks = tmp_path / "robot.yaml", tmp_path / "masks.png"
    path.write_text("/**/segmentation_node:\n  ros__parameters:\n    publish_task_state: true\n")
    view = ["--view", "-0.08", "0.1", "0.1", "--side", "200"]
    words = [str(path), "--from", png, *PICKS, *points(*SPREAD), *view, "--preview", str(masks)]
    assert main(words) == 0, capsys.readouterr().err
    config = build(NodeConfig, read_section(path, "segmentation_node"), "test")
    assert config.publish_task_state and (config.width, config.height) == (320, 240)
    assert config.crop_side == 200 and config.view_width == 0.1
    np.testing.assert_allclose(to_robot(config.homography, (100, 70)), to_robot(FLAT, (100, 70)))
    picture = cv2.imread(str(masks))
    assert picture.shape == (480, 640 + 480, 3)
    told = capsys.readouterr().out
    assert "point 6: 0.00 mm" in told and "warning" not in told


def test_another_frame_size_gets_the_middle_square_and_never_an_old_homography(
    tmp_path, png, capsys
):
    path = tmp_path / "robot.yaml"
    common = [str(path), "--from", png, "--preview", str(tmp_path / "m.png")]
    assert main([*common, *PICKS]) == 0
    read = read_section(path, "segmentation_node")
    assert [read[key] for key in ("crop_left", "crop_top", "crop_side")] == [40, 0, 240]
    assert main([*common, *points(*SPREAD)]) == 0
    small = tmp_path / "small.png"
    cv2.imwrite(str(small), cv2.resize(table(), (160, 120)))
    before = path.read_text()
    assert main([str(path), "--from", str(small), *PICKS]) == 2
    assert "320 x 240" in capsys.readouterr().err and path.read_text() == before


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--pick", "cabel", "1", "2"], "cable, obstacle, goal"),
        (["--pick", "cable", "one", "2"], "not numbers"),
        (["--pick", "cable", "nan", "2"], "finite"),
        (["--pick", "cable", "5", "5"], "is grey"),
        (["--range", "cable", "1", "2", "3", "4", "5", "600"], "outside"),
        (["--crop", "200", "0", "240"], "crop_left"),
        (points(*SPREAD[:3]), "needs four"),
        (points(*SPREAD, error=0.02), "measure point 1 again"),
        ([*points(*SPREAD), "--view", "0", "0.04", "0.5"], "does not show all"),
        (["--view", "0", "0.04", "0.1"], "nine numbers"),
        (["--marker", "3", "0", "0"], "marker 3 is seen not"),
        ([], "no window"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_saved(tmp_path, png, capsys, monkeypatch, words, text):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    path = tmp_path / "robot.yaml"
    preview = ["--preview", str(tmp_path / "m.png")]
    assert main([str(path), "--from", png, *words, *preview]) == 2
    assert text in capsys.readouterr().err
    assert not path.exists()


def test_a_picture_that_is_none(tmp_path, capsys):
    assert main([str(tmp_path / "r.yaml"), "--from", str(tmp_path / "none.png"), *PICKS]) == 2
    assert "cannot read this picture" in capsys.readouterr().err


def pose(x: float, y: float = 0.0, second: int = 5, frame: str = "PSM1_base") -> PoseStamped:
    message = PoseStamped()
    message.header.stamp.sec, message.header.frame_id = second, frame
    message.pose.position.x, message.pose.position.y = x, y
    return message


def test_the_tip_is_where_most_of_its_poses_are():
    np.testing.assert_allclose(median_tip([pose(0.01), pose(0.0101), pose(0.0104)]), [0.0101, 0.0])


@pytest.mark.parametrize(
    ("poses", "text"),
    [
        ([pose(0.0), pose(0.001)], "moves"),
        ([pose(0.0), pose(0.0, second=0)], "stamp 0"),
        ([pose(0.0), pose(float("nan"))], "not finite"),
        ([pose(0.0), pose(0.0, frame="camera")], "several frames"),
    ],
)
def test_a_tip_that_nobody_can_trust_is_refused(poses, text):
    with pytest.raises(UserError, match=text):
        median_tip(poses)


def test_from_the_topics_of_a_compressed_camera_and_a_robot(
    arm: Any, bench: Any, tmp_path: Any
) -> None:
    """Six points by the robot's own positions; a person is at the keyboard."""
    camera = bench.node.create_publisher(
        CompressedImage, "camera/image_raw/compressed", qos.RELIABLE
    )
    done, data = cv2.imencode(".png", table()[..., ::-1])
    assert done
    message = CompressedImage(format="png", data=array("B", data.tobytes()))
    timer = bench.node.create_timer(0.1, lambda: camera.publish(message))
    path = tmp_path / "robot.yaml"
    words = [str(path), "--preview", str(tmp_path / "m.png"), *PICKS]
    for u, v in SPREAD:
        words += ["--touch", str(u), str(v)]
    child = subprocess.Popen(
        [sys.executable, "-u", "-m", "dvrk_cable_env.calibrate.command", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=bench.environment(),
    )
    assert child.stdin is not None and child.stdout is not None
    try:
        told = ""
        for u, v in SPREAD:
            while not told.endswith("then Enter "):
                told += child.stdout.read(1) or pytest.fail(told)
            arm.position[:2] = to_robot(FLAT, (u, v))[0].tolist()
            time.sleep(0.1)  # poses of the way there are through
            child.stdin.write("\n")
            child.stdin.flush()
            told += " "
        rest, _ = child.communicate(timeout=20)
    finally:
        child.kill()
        bench.destroy(timer)
    assert child.returncode == 0, told + rest
    found = read_section(path, "segmentation_node")["homography"]
    np.testing.assert_allclose(to_robot(found, (100, 70)), to_robot(FLAT, (100, 70)), atol=1e-6)


@pytest.mark.parametrize(
    "words", [["--marker", "nan", "0", "0"], ["--point", "1", "2", "inf", "0"]]
)
def test_numbers_that_are_not_finite_are_no_arguments(tmp_path, png, capsys, words):
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path / "robot.yaml"), "--from", png, *words])
    assert end.value.code == 2
    assert "not finite" in capsys.readouterr().err
