"""segmentation_node with a reference of the camera's pose, and `calibrate`, which writes it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image

from dvrk_cable_env.calibrate.command import main
from dvrk_cable_env.camera.pose_reference import read_reference
from dvrk_cable_env.camera.segmentation import NodeConfig, segment_cable, used_part
from ls3_common import qos
from ls3_common.errors import ConfigError
from ls3_common.images import to_message
from ls3_common.parameter_files import read_section
from ls3_common.parameters import build

NODE = "dvrk_cable_env.camera.segmentation_node"
SIZE = 240, 320
CROP = {"width": 320, "height": 240, "crop_left": 40, "crop_side": 240}
FLAT = ("5e-4", "0", "-0.08", "0", "-5e-4", "0.06", "0", "0", "1")


def table(shift: tuple[int, int] = (0, 0), *, cable: bool = True) -> np.ndarray:
    """Obstacle, goal and cable on a table with a line, seen by a camera that shifts."""
    rgb = np.full((*SIZE, 3), (205, 200, 190), np.uint8)
    cv2.rectangle(rgb, (200, 40), (300, 200), (120, 118, 110), 2)
    if cable:
        cv2.line(rgb, (90, 60), (110, 180), (200, 20, 20), 5)
    cv2.circle(rgb, (160, 110), 20, (20, 40, 200), -1, cv2.LINE_AA)
    cv2.circle(rgb, (260, 120), 16, (20, 180, 40), -1, cv2.LINE_AA)
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], float)
    return cv2.warpAffine(rgb, matrix, SIZE[::-1], borderMode=cv2.BORDER_REPLICATE)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("pose") / "reference.png"
    cv2.imwrite(str(path), table(cable=False)[..., ::-1])
    return str(path)


def test_masks_are_corrected_and_beyond_the_limits_there_is_none(
    bench: Any, reference: str
) -> None:
    """A knock, a corrected view, a camera that has moved too far, and one that was put back."""
    bench.start(NODE, pose_reference=reference, **CROP)
    masks = bench.collect(Image, "segmentation/mask")
    diagnostics = bench.collect(DiagnosticArray, "/diagnostics")
    camera = bench.node.create_publisher(Image, "camera/image_raw", qos.RELIABLE)
    bench.matched(camera)
    stamp = 0

    def show(rgb: np.ndarray) -> None:
        nonlocal stamp
        stamp += 1
        message = to_message(rgb, Image().header)
        message.header.stamp.sec = stamp
        camera.publish(message)
        time.sleep(0.1)

    def mask_of(rgb: np.ndarray) -> np.ndarray:
        masks.clear()

        def seen() -> bool:
            show(rgb)
            return bool(masks)

        bench.until(seen)
        return np.frombuffer(masks[-1].data, np.uint8).reshape(64, 64)

    def told(text: str, rgb: np.ndarray) -> dict[str, str]:
        """Repeat a frame until the node's status says `text`; return its values."""

        def said() -> bool:
            show(rgb)
            return any(text in status.message for one in diagnostics for status in one.status)

        bench.until(said)
        return {pair.key: pair.value for pair in diagnostics[-1].status[0].values}

    due = segment_cable(table(), NodeConfig(**CROP))
    np.testing.assert_array_equal(mask_of(table()), due)
    corrected = mask_of(table((12, -8)))
    assert ((corrected > 127) & (due > 127)).sum() > 0.9 * (due > 127).sum()
    masks.clear()
    values = told("has moved by more than 26 px", table((30, 0)))
    assert values["camera"].startswith("moved by (30.0, ")
    assert not masks
    np.testing.assert_array_equal(mask_of(table()), due)


@pytest.mark.background
def test_references_that_cannot_serve_are_refused(tmp_path: Path, reference: str) -> None:
    assert read_reference(NodeConfig()) is None
    blank = str(tmp_path / "blank.png")
    cv2.imwrite(blank, np.full((*SIZE, 3), 90, np.uint8))
    (tmp_path / "text.png").write_text("no picture")
    for path, size, said in (
        (str(tmp_path / "missing.png"), CROP, "is no picture"),
        (str(tmp_path / "text.png"), CROP, "is no picture"),
        (reference, {}, "is 320 x 240, the frames are 128 x 128"),
        (blank, CROP, "too few edges"),
    ):
        with pytest.raises(ConfigError, match=said):
            read_reference(NodeConfig(pose_reference=path, **size))
    assert read_reference(NodeConfig(pose_reference=reference, **CROP)) is not None


@pytest.mark.background
def test_calibrate_keeps_the_picture_and_renews_it_with_what_depends_on_the_pose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, first, second = (tmp_path / name for name in ("robot.yaml", "first.png", "second.png"))
    cv2.imwrite(str(first), table()[..., ::-1])
    cv2.imwrite(str(second), table((9, 0))[..., ::-1])

    def run(picture: Path, *words: str) -> NodeConfig:
        preview = ["--preview", str(tmp_path / "masks.png")]
        assert main([str(file), "--from", str(picture), *words, *preview]) == 0, capsys.readouterr()
        return build(NodeConfig, read_section(file, "segmentation_node"), "test")

    def kept() -> np.ndarray:
        return cv2.imread(str(tmp_path / "robot.reference.png"))[..., ::-1]

    assert run(first, "--crop", "40", "0", "240").pose_reference == ""
    config = run(first, "--reference")
    assert config.pose_reference == str(tmp_path / "robot.reference.png")
    assert read_reference(config) is not None
    np.testing.assert_array_equal(kept(), table())
    # colours hold for any pose, a crop for one
    assert run(second, "--pick", "cable", "109", "120").pose_reference == config.pose_reference
    np.testing.assert_array_equal(kept(), table())
    run(second, "--crop", "40", "0", "240")
    np.testing.assert_array_equal(kept(), table((9, 0)))
    assert run(second, "--no-reference").pose_reference == ""


@pytest.mark.background
def test_calibrate_refuses_a_picture_without_edges(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, file = tmp_path / "blank.png", tmp_path / "robot.yaml"
    cv2.imwrite(str(picture), np.full((*SIZE, 3), 90, np.uint8))
    words = ["--reference", "--preview", str(tmp_path / "masks.png")]
    assert main([str(file), "--from", str(picture), *words]) == 2
    assert "too few edges" in capsys.readouterr().err
    assert not file.exists()


@pytest.mark.background
def test_what_is_corrected_is_what_the_scene_shows() -> None:
    assert used_part(NodeConfig(**CROP)) == (slice(0, 240), slice(40, 280))
    view = {"homography": tuple(map(float, FLAT)), "view_width": 0.06}
    config = NodeConfig(**CROP, **view, view_centre=(0.0, 0.0))
    assert used_part(config) == (slice(59, 182), slice(99, 222))
