"""Names are relative, so that a namespace moves the whole stack."""

from __future__ import annotations

import ast
from pathlib import Path

from ls3_common import topics


def test_names_are_relative_and_distinct() -> None:
    values = [value for key, value in vars(topics).items() if key.isupper()]
    names = [value for value in values if value != topics.RETREAT_EPISODE]
    assert len(names) == len(set(names)) > 5
    assert not any(name.startswith(("/", "~")) for name in names)
    assert topics.arm("PSM1", "measured_cp") == "PSM1/measured_cp"


def test_a_topic_beside_a_cameras() -> None:
    assert topics.beside(topics.CAMERA_IMAGE, "camera_info") == "camera/camera_info"
    assert topics.beside("/left/image_raw/compressed", "camera_info") == "/left/camera_info"
    assert topics.beside("image", "camera_info") == "camera_info"
    assert topics.beside("/image", "camera_info") == "/camera_info"


def test_only_the_ros_side_imports_ros() -> None:
    folder = Path(topics.__file__).parent
    importing = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names.append(node.module)
            if any(name.split(".")[0] in {"rclpy", "sensor_msgs"} for name in names):
                importing.add(path.stem)
    assert {"ros"} <= importing <= {"ros", "executors", "health", "images"}
