"""The checks of preflight, each broken in turn; what all of them accept is the first test."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dvrk_cable_env.arm.arm import ArmConfig
from dvrk_cable_env.arm.guards import GuardConfig
from dvrk_cable_env.arm.limits import ArmLimits
from dvrk_cable_env.camera.segmentation import SegmentationConfig
from dvrk_cable_env.preflight.checks import CHECKS, run_checks
from dvrk_cable_env.preflight.files import (
    differences,
    model_or_fault,
    node_parameters,
    parameter_files,
    read_model,
)
from dvrk_cable_env.preflight.findings import (
    FAILED,
    OK,
    WARNING,
    CheckResult,
    Findings,
    Model,
    Picture,
    PoseStream,
    PreflightConfig,
    WatchedTopic,
)
from ls3_common.domain import load_spec
from ls3_common.errors import ConfigError, DataError
from ls3_common.parameters import to_dict

SECOND = 1_000_000_000
CONFIG = PreflightConfig()


def stream(topic: str, rate: float = 30.0, age: float = 0.02, **fields: Any) -> WatchedTopic:
    """A second of a stream."""
    stamps = tuple(int(100 * SECOND + i * SECOND / rate) for i in range(int(rate)))
    arrivals = tuple(stamp + int(age * SECOND) for stamp in stamps)
    return dataclasses.replace(WatchedTopic(topic, stamps, arrivals, ("one",)), **fields)


def at(stamps: tuple[int, ...], topic: str = "camera/image_raw") -> WatchedTopic:
    """A stream that arrives in time, whatever its stamps."""
    arrivals = stream(topic).arrivals[: len(stamps)]
    return WatchedTopic(topic, stamps, arrivals, ("one",))


def picture(white: int, size: int = 64) -> Picture:
    """A mask with so many cable pixels."""
    pixels = np.zeros((size, size, 1), np.uint8)
    pixels.reshape(-1)[:white] = 255
    return Picture("mono8", pixels, "")


def frame(height: int = 128, width: int = 128, value: int = 90) -> Picture:
    return Picture("rgb8", np.full((height, width, 3), value, np.uint8), "")


def pose(*position: float, **fields: Any) -> PoseStream:
    place = position or (0.0, 0.05, -0.1)
    return dataclasses.replace(
        PoseStream(stream("PSM1/setpoint_cp", 100.0), "PSM1_base", place, True), **fields
    )


LIMITS = ArmLimits(workspace_low=(-0.05, 0.02), workspace_high=(0.05, 0.12), max_step=0.005)
ARM = ArmConfig(limits=LIMITS, guards=GuardConfig(pedal_topic="/footpedals/coag"))
MODEL = Model("m", "abc", "cable_routing", (64, 64, 1), (-0.005, -0.005), (0.005, 0.005))
PIXEL = 0.3 / 128
FLAT = (PIXEL, 0.0, -63.5 * PIXEL, 0.0, -PIXEL, 63.5 * PIXEL, 0.0, 0.0, 1.0)
"""A camera that looks straight down on 0.3 m round the base's origin."""
CALIBRATED = SegmentationConfig(homography=FLAT)
GOOD = Findings(
    clock=(100 * SECOND, 102 * SECOND),
    camera=stream("camera/image_raw"),
    frame=frame(),
    segmentation=CALIBRATED,
    mask=stream("segmentation/mask"),
    mask_picture=picture(60),
    task=stream("task_state"),
    arm=ARM,
    differences={"arm_node": ()},
    state="ENABLED",
    is_homed=True,
    setpoint=pose(),
    measured=pose(),
    pedal_present=True,
    pedal_heard=True,
    models={"encoder_node": MODEL, "planner_node": MODEL},
    latent_model="abc",
)


def arm(**fields: Any) -> dict[str, Any]:
    return {"arm": dataclasses.replace(ARM, **fields)}


def limits(**fields: Any) -> dict[str, Any]:
    return arm(limits=dataclasses.replace(LIMITS, **fields))


def guards(**fields: Any) -> dict[str, Any]:
    return arm(guards=dataclasses.replace(ARM.guards, **fields))


def seen_by(**fields: Any) -> dict[str, Any]:
    return {"segmentation": dataclasses.replace(CALIBRATED, **fields)}


def model(**fields: Any) -> dict[str, Any]:
    return {"models": {"planner_node": dataclasses.replace(MODEL, **fields)}}


def of(check: str, findings: Findings) -> CheckResult:
    (found,) = [verdict for verdict in run_checks(findings, CONFIG) if verdict.check == check]
    return found


def test_all_is_well_and_each_check_has_one_line() -> None:
    verdicts = run_checks(GOOD, CONFIG)
    assert [verdict.level for verdict in verdicts] == [OK] * len(CHECKS)
    assert len({verdict.check for verdict in verdicts}) == len(CHECKS)
    assert all(verdict.found and "\n" not in str(verdict) for verdict in verdicts)


def test_a_lens_that_nobody_corrects_needs_no_camera_info() -> None:
    assert of("calibration", dataclasses.replace(GOOD, lens_fault="no camera_info")).level == OK
    corrected = dataclasses.replace(GOOD, **seen_by(undistort=True))
    assert of("calibration", corrected).level == OK


BROKEN = {
    "clock": [
        ({"clock": (0, 0)}, "stands still"),
        ({"clock": (5, 5), "simulated": True}, "/clock stands still"),
        ({"arm_simulated": True}, "use_sim_time is True in arm_node, False here"),
    ],
    "calibration": [
        (limits(workspace_high=(0.05, 0.16)), "does not see (0.05, 0.16) of the box"),
        (limits(workspace_low=(-0.2, 0.02)), "does not see (-0.2, 0.02)"),
        (seen_by(crop_side=64), "does not see (0.05, 0.02)"),
        (seen_by(view_width=0.12, view_centre=(0.0, 0.05)), "does not see (0.05, 0.12)"),
        ({"segmentation": None}, "segmentation_node does not answer"),
        (seen_by(undistort=True) | {"lens_fault": "no camera_info"}, "no camera_info -> have the"),
    ],
    "camera": [
        ({"camera": WatchedTopic("camera/image_raw")}, "nothing arrives on camera/image_raw"),
        ({"camera": stream("c", rate=2.0)}, "2.0 Hz, at least 5 Hz wanted"),
        ({"camera": stream("c", age=0.7)}, "0.70 s old on arrival, allowed 0.5 s"),
        ({"camera": stream("c", age=-0.7)}, "0.70 s in the future"),
        ({"camera": stream("c", age=1.7e9)}, "another clock"),
        ({"camera": at((0, 0, 0))}, "stamps of camera/image_raw are 0"),
        ({"camera": at((100 * SECOND,) * 3)}, "do not advance"),
        ({"camera": stream("c", publishers=("a", "b"))}, "2 publishers: a, b"),
        ({"frame": Picture("16UC1", None, "image encoding '16UC1'")}, "'16UC1'"),
        ({"frame": frame(480, 640)}, "expected (128, 128, 3)"),
        ({"frame": frame(value=3)}, "the frame is black"),
    ],
    "segmentation": [
        ({"segmentation": None}, "segmentation_node does not answer"),
        ({"mask": WatchedTopic("segmentation/mask")}, "nothing arrives on segmentation/mask"),
        ({"mask": stream("mask", age=3.0)}, "3.00 s old"),
        ({"mask_picture": Picture("mono8", None, "of 0 bytes")}, "of 0 bytes"),
        ({"mask_picture": picture(0)}, "0 of 4096 pixels are cable, at least 10"),
        ({"mask_picture": picture(4096)}, "4096 of 4096 pixels are cable, at most 30%"),
    ],
    "reference": [
        ({"task": WatchedTopic("task_state")}, "no reference taken -> set publish_task_state"),
        ({"constraint": True}, "a constraint is violated already"),
    ],
    "parameters": [
        ({"arm": None}, "arm_node does not answer"),
        (arm(arm="PSM2"), "arm_node commands PSM2, preflight listened to PSM1"),
        ({"differences": {"arm_node": ("backend is crtk, the file says dvrk",)}}, "arm_node: back"),
    ],
    "limits": [
        ({"arm": None}, "arm_node does not answer"),
        (limits(workspace_low=(-0.13, -0.13), workspace_high=(0.13, 0.13)), "is the default"),
        (arm(auto_enable=True), "auto_enable is on"),
        (limits(latch_timeouts=False), "latch_timeouts is off"),
    ],
    "arm state": [
        ({"state": ""}, "nothing arrives on PSM1/operating_state"),
        ({"state": "DISABLED"}, "DISABLED, homed -> call ~/home"),
        ({"state": "FAULT"}, "FAULT, homed -> remove the cause"),
        ({"state": "PAUSED"}, "PAUSED"),
        ({"is_homed": False}, "not homed -> call ~/home"),
        ({"is_busy": True}, "moving"),
        ({"moving": True}, "moving"),
    ],
    "arm pose": [
        ({"arm": None}, "arm_node does not answer"),
        (
            {"setpoint": PoseStream(WatchedTopic("PSM1/setpoint_cp"))},
            "nothing arrives on PSM1/setpoint_cp",
        ),
        (
            {"measured": PoseStream(WatchedTopic("PSM1/measured_cp"))},
            "nothing arrives on PSM1/measured_cp",
        ),
        ({"measured": pose(stream=at((0, 0), "measured_cp"))}, "are 0, which means invalid"),
        ({"measured": pose(stream=stream("m", age=0.3))}, "0.30 s old on arrival, allowed 0.25"),
        ({"measured": pose(stream=stream("m", age=-0.3))}, "in the future"),
        ({"setpoint": pose(frame="world")}, "in frame 'world', arm_node expects 'PSM1_base'"),
        ({"measured": pose(frame="")}, "in frame '', arm_node expects"),
        (limits(frame="table"), "arm_node expects 'table'"),
        ({"setpoint": pose(is_rotation=False)}, "is not a valid pose"),
        ({"measured": pose(math.nan, 0.05, -0.1)}, "is not a valid pose"),
        ({"measured": pose(0.0, 0.05, math.inf)}, "is not a valid pose"),
        ({"setpoint": pose(0.0, 0.0199, -0.1)}, "outside the workspace"),
        ({"measured": pose(0.0501, 0.05, -0.1)}, "outside the workspace"),
        (limits(workspace_margin=0.045), "outside the workspace"),
        ({"measured": pose(0.0, 0.05, -0.11001)}, "from its setpoint, allowed 0.01 m"),
    ],
    "sole commander": [
        ({"commanders": ("/other (PSM1/servo_cp)",)}, "also commanded by /other (PSM1/servo_cp)"),
        (
            {"teleoperation": ("teleoperation drives the arm (/f is true)",)},
            "teleoperation drives the arm (/f is true)",
        ),
    ],
    "pedal": [
        ({"arm": None}, "arm_node does not answer"),
        ({"pedal_present": False}, "no node publishes /footpedals/coag"),
        ({"pedal_heard": False}, "nothing arrives on /footpedals/coag"),
    ],
    "model": [
        ({"models": {"planner_node": "m: No such file"}}, "planner_node: m: No such file"),
        (model(domain="reacher"), "for domain 'reacher', not 'cable_routing'"),
        (model(image=(128, 128, 1)), "takes images (128, 128, 1), but the mask is (64, 64, 1)"),
        (
            model(action_low=(-0.015, -0.015)),
            "steps up to 0.015 m, arm_node refuses more than 0.005 m",
        ),
        (model(action_high=(0.0051, 0.005)), "arm_node refuses more than"),
        (model(action_high=(0.005,)), "actions from"),
        (model(action_low=(math.nan, -0.005)), "actions from"),
        (model(identity="def"), "different models are in use: abc, def"),
        ({"latent_model": "fed"}, "different models are in use: abc, fed"),
    ],
    "diagnostics": [({"complaints": {"encoder_node": "two\nlines"}}, "encoder_node: two lines")],
}
CASES = [(check, change, text) for check, cases in BROKEN.items() for change, text in cases]


@pytest.mark.parametrize(("check", "change", "text"), CASES)
def test_what_is_broken_fails_with_what_was_seen(check: str, change: dict, text: str) -> None:
    verdict = of(check, dataclasses.replace(GOOD, **change))
    assert verdict.level == FAILED and text in str(verdict)
    assert verdict.do, "what to do is said"
    assert "\n" not in str(verdict)


def test_every_check_is_broken_here() -> None:
    assert set(BROKEN) == {verdict.check for verdict in run_checks(GOOD, CONFIG)}


@pytest.mark.parametrize(
    ("check", "change", "text"),
    [
        ("pedal", guards(pedal_topic=""), "no dead-man pedal is configured"),
        ("sole commander", guards(sole_commander=False), "does not watch for one"),
        ("calibration", {"segmentation": SegmentationConfig()}, "not calibrated to each other"),
        ("parameters", {"differences": {}}, "no file to compare"),
        ("reference", {"success": True}, "the goal is reached already"),
        ("model", {"models": {}}, "no running node uses a model"),
        ("model", limits(max_step=0.01), "arm_node allows longer steps"),
    ],
)
def test_what_an_operator_may_decide_is_a_warning(check: str, change: dict, text: str) -> None:
    findings = dataclasses.replace(GOOD, **change)
    assert (verdict := of(check, findings)).level == WARNING and text in str(verdict)
    assert {v.level for v in run_checks(findings, CONFIG) if v.check != check} == {OK}


def test_nothing_seen_fails_in_every_check_that_needs_something() -> None:
    failed = {
        verdict.check for verdict in run_checks(Findings(), CONFIG) if verdict.level == FAILED
    }
    may_pass = {"sole commander", "model", "diagnostics"}  # absence is what they look for
    assert failed == set(BROKEN) - may_pass


def test_a_simulation_may_have_what_a_robot_may_not() -> None:
    simulated = dataclasses.replace(
        GOOD, simulated=True, arm_simulated=True, arm=ArmConfig(auto_enable=True)
    )
    assert of("limits", simulated).level == OK


def test_a_pedal_that_speaks_on_change_only_may_be_silent() -> None:
    findings = dataclasses.replace(GOOD, pedal_heard=False, **guards(pedal_max_age=0.0))
    assert of("pedal", findings).level == OK


def test_the_edge_of_the_workspace_and_of_the_tracking_error_is_allowed() -> None:
    findings = dataclasses.replace(
        GOOD, setpoint=pose(0.05, 0.02, -0.1), measured=pose(0.05, 0.02, -0.1095)
    )
    assert of("arm pose", findings).level == OK


def test_a_model_is_read_without_its_networks(tmp_path: Path) -> None:
    manifest = {
        "domain": "cable_routing",
        "observation_shape": [64, 64, 1],
        "action_low": [-0.01, -0.01],
        "action_high": [0.01, 0.01],
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"No such file.*model\.safetensors"):
        read_model(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    found = read_model(tmp_path)
    assert (found.image, found.action_high, len(found.identity)) == ((64, 64, 1), (0.01, 0.01), 12)
    for text in ("{", '{"domain": "x"}', json.dumps(manifest | {"action_low": None})):
        (tmp_path / "manifest.json").write_text(text)
        assert "damaged manifest.json" in str(model_or_fault(tmp_path))


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
    running = given | {"backend": "crtk", "limits.max_velocity": 0.2}
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
