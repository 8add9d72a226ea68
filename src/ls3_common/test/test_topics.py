"""Names are relative, so that a namespace moves the whole stack."""

from __future__ import annotations

from ls3_common import topics


def test_names_are_relative_and_distinct() -> None:
    values = [value for key, value in vars(topics).items() if key.isupper()]
    names = [value for value in values if value != topics.RETREAT_EPISODE]
    assert len(names) == len(set(names)) > 5
    assert not any(name.startswith(("/", "~")) for name in names)
    assert topics.arm("PSM1", "measured_cp") == "PSM1/measured_cp"


def test_a_topic_beside_a_cameras() -> None:
    assert topics.of_camera(topics.CAMERA_IMAGE, "camera_info") == "camera/camera_info"
    assert topics.of_camera("/left/image_raw/compressed", "camera_info") == "/left/camera_info"
    assert topics.of_camera("image", "camera_info") == "camera_info"
    assert topics.of_camera("/image", "camera_info") == "/camera_info"
