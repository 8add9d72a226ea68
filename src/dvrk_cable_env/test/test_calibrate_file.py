"""Calibration into a parameter file: everything else in it stays as a person wrote it."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from dvrk_cable_env.calibrate.file import save, set_values
from ls3_common.errors import ConfigError
from ls3_common.parameter_files import read_section

pytestmark = pytest.mark.background

TEXT = """\
# my robot
/**/arm_node:
  ros__parameters:
    limits:
      workspace_low: [-0.05, 0.02]  # measured

/**/segmentation_node:
  ros__parameters:
    cable_low: [170, 110, 50]  # tape
    cable_high:
    - 10
    - 255
    - 255
    # lamp is on
    publish_task_state: true

/**/planner_node:
  ros__parameters: {horizon: 5}
"""


def test_keys_are_replaced_and_added_and_nothing_else_changes():
    values = {"cable_low": (1, 2, 3), "cable_high": (4, 5, 6), "view_width": 0.5, "width": 640}
    text = set_values(TEXT, "segmentation_node", values, "test")
    before, after = yaml.safe_load(TEXT), yaml.safe_load(text)
    found = after.pop("/**/segmentation_node")["ros__parameters"]
    before.pop("/**/segmentation_node")
    assert after == before
    assert found == {
        "cable_low": [1, 2, 3],
        "cable_high": [4, 5, 6],
        "view_width": 0.5,
        "width": 640,
        "publish_task_state": True,
    }
    for comment in ("# my robot", "# measured", "# tape", "# lamp is on"):
        assert text.count(comment) == 1
    assert set_values(text, "segmentation_node", values, "test") == text


@pytest.mark.parametrize("text", ["", "# nothing yet", TEXT.replace("segmentation_node", "other")])
def test_a_section_that_is_missing_is_made(text):
    found = yaml.safe_load(set_values(text, "segmentation_node", {"width": 64}, "test"))
    assert found["/**/segmentation_node"] == {"ros__parameters": {"width": 64}}
    assert len(found) == 1 + len(yaml.safe_load(text) or {})


@pytest.mark.parametrize(
    "text",
    [
        "- a",
        "a: [",
        "/**/segmentation_node: 3",
        "segmentation_node:\n  ros__parameters: {width: 3}",
    ],
)
def test_a_file_of_another_form_is_refused_and_kept(tmp_path, text):
    path = tmp_path / "robot.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        save(path, "segmentation_node", {"width": 64})
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_numbers_come_back_as_they_were_and_floats_as_floats(tmp_path):
    """ROS refuses a list of both, and takes 1e-05 for a text."""
    numbers = tuple(float(n) for n in np.random.default_rng(0).normal(0, 1e-4, 6))
    values = {"homography": (*numbers, 1e-05, 1.0, 0.0), "view_width": 1e-3, "width": 3}
    path = tmp_path / "robot.yaml"
    save(path, "segmentation_node", values)
    read = read_section(path, "segmentation_node")
    assert tuple(read["homography"]) == values["homography"]
    assert all(isinstance(number, float) for number in read["homography"])
    assert yaml.safe_load(path.read_text()) == {"/**/segmentation_node": {"ros__parameters": read}}


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.yaml").write_text(TEXT)
    (tmp_path / "link.yaml").symlink_to("real.yaml")
    save(tmp_path / "link.yaml", "segmentation_node", {"width": 64})
    assert (tmp_path / "link.yaml").is_symlink()
    assert read_section(tmp_path / "real.yaml", "segmentation_node")["width"] == 64


def test_a_folder_that_does_not_exist_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        save(tmp_path / "none" / "robot.yaml", "segmentation_node", {"width": 64})
