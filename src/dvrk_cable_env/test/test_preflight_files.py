"""The files that preflight reads: a model's manifest, and the nodes' parameter files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from dvrk_cable_env.arm.arm import ArmConfig
from dvrk_cable_env.camera.segmentation import SegmentationConfig
from dvrk_cable_env.preflight.files import (
    differences,
    model_or_fault,
    node_parameters,
    parameter_files,
    read_model,
)
from ls3_common.domain import load_spec
from ls3_common.errors import ConfigError, DataError
from ls3_common.parameters import to_dict

pytestmark = pytest.mark.background


def test_a_model_is_read_without_its_networks(tmp_path: Path) -> None:
    manifest = {
        "domain": "cable_routing",
        "observation_shape": [64, 64, 1],
        "action_low": [-0.01, -0.01],
        "action_high": [0.01, 0.01],
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"model\.safetensors: .*No such file"):
        read_model(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    found = read_model(tmp_path)
    assert (found.image, found.action_high, len(found.identity)) == ((64, 64, 1), (0.01, 0.01), 12)
    assert (found.saw_violation, found.saw_goal) == (None, None)  # an older model
    counts = {"data": {"episodes": 9, "demonstrations": 5, "reached": 5, "violated": 0}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | counts))
    assert (read_model(tmp_path).saw_violation, read_model(tmp_path).saw_goal) == (False, True)
    for text in ("{", '{"domain": "x"}', json.dumps(manifest | {"action_low": None})):
        (tmp_path / "manifest.json").write_text(text)
        assert "manifest.json: no description of a model" in str(model_or_fault(tmp_path))


def test_the_nodes_part_of_the_parameter_file_is_what_is_compared(tmp_path: Path) -> None:
    file, later = tmp_path / "robot.yaml", tmp_path / "later.yaml"
    file.write_text(
        "/**:\n  ros__parameters: {use_sim_time: true}\n"
        "/**/arm_node:\n  ros__parameters: {backend: dvrk, limits: {max_step: 0.005}}\n"
    )
    later.write_text("/**/arm_node:\n  ros__parameters: {limits: {workspace_low: [-0.1, 0]}}\n")
    words = ["--ros-args", "--params-file", str(file), "-p", "x:=1", "--params-file", str(later)]
    files = parameter_files(words)
    given = node_parameters(files, "arm_node", ArmConfig)
    assert given == {
        "backend": "dvrk",
        "limits.max_step": 0.005,
        "limits.workspace_low": [-0.1, 0.0],
    }
    assert node_parameters(files, "segmentation_node", SegmentationConfig) == {}
    running = given | {"backend": "crtk", "limits.max_mean_speed": 0.2}
    assert differences(given, running) == ("backend is crtk, the file says dvrk",)
    # what the nodes take from the domain is compared too; the arm may have a shorter step
    spec = dataclasses.replace(load_spec("cable_routing"), image_size=32)
    facts = {"/**": {"ros__parameters": {"domain": to_dict(spec)}}}
    later.write_text(yaml.safe_dump(facts))
    assert node_parameters(files, "segmentation_node", SegmentationConfig) == {"mask_size": 32}
    assert node_parameters(files, "arm_node", ArmConfig)["limits.max_step"] == 0.005
    assert node_parameters([str(later)], "arm_node", ArmConfig) == {"limits.max_step": 0.015}
    later.write_text("/**/arm_node:\n  ros__parameters: {max_stp: 1.0}\n")
    with pytest.raises(ConfigError, match="max_stp"):
        node_parameters(files, "arm_node", ArmConfig)
