"""The checks of preflight, each broken in turn; the first test shows what all of them accept."""

from __future__ import annotations

import dataclasses
import math

import pytest
from preflight_findings import (
    GOOD,
    SECOND,
    arm,
    at,
    frame,
    guards,
    limits,
    model,
    picture,
    pose,
    seen_by,
    stream,
)

from dvrk_cable_env.arm.arm import ArmConfig
from dvrk_cable_env.camera.segmentation import SegmentationConfig
from dvrk_cable_env.preflight.checks import CHECKS, run_checks
from dvrk_cable_env.preflight.findings import (
    FAILED,
    OK,
    WARNING,
    CheckResult,
    Findings,
    Picture,
    PoseStream,
    PreflightConfig,
    WatchedTopic,
)

pytestmark = pytest.mark.background

CONFIG = PreflightConfig()
LEANING = (math.sin(math.radians(1.5)), 0.0, 0.0, math.cos(math.radians(1.5)))
"""The quaternion of 3 degrees about x."""


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
    "reach": [
        (
            {"reach": {"tip": "", "(0.05, 0.12)": "beyond the limit of pitch"}},
            "out of reach: (0.05, 0.12): beyond the limit of pitch -> make the box smaller",
        ),
    ],
    "stop": [({"hold_heard": False}, "PSM1/hold: a stop would not be heard")],
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
        (model(saw_violation=False), "violates a constraint: f_C knows nothing"),
        (model(saw_goal=False), "reaches the goal: there is no safe set"),
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
    assert {*BROKEN, "base"} == {verdict.check for verdict in run_checks(GOOD, CONFIG)}


@pytest.mark.parametrize(
    ("check", "change", "text"),
    [
        ("pedal", guards(pedal_topic=""), "no dead-man pedal is configured"),
        (
            "stop",
            {"hold_heard": False, **guards(require_hold=False)},
            "servo_jp and pause take its place",
        ),
        ("sole commander", guards(sole_commander=False), "does not watch for one"),
        ("base", {"local": PoseStream(WatchedTopic("PSM1/local/setpoint_cp"))}, "stays unnoticed"),
        ("base", {"local": pose(is_rotation=False)}, "nothing usable arrives on"),
        ("base", {"local": pose(rotation=LEANING)}, "z of the base leans by 3.0 degrees"),
        ("base", {"setpoint": pose(rotation=LEANING)}, "at (0.0000, -0.0052, -0.0028) m, turned"),
        ("reach", {"reach": None}, "PSM1/inverse_kinematics does not answer"),
        ("reach", {"reach": {"tip": "no solution"}}, "refuses the present pose: no solution"),
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
    may_pass = {"sole commander", "model", "diagnostics", "reach"}  # absence may be as it must be
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


def test_a_base_that_is_turned_about_the_normal_of_the_table_is_shown() -> None:
    half = math.radians(45.0)
    turned = pose(rotation=(0.0, 0.0, math.sin(half), math.cos(half)))
    found = of("base", dataclasses.replace(GOOD, setpoint=turned))
    assert found.level == OK
    assert "PSM1_base at (0.0500, 0.0500, 0.0000) m, turned by 90.0 degrees" in found.found
