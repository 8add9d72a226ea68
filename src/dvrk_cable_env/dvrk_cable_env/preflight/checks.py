"""The list of checks of `preflight`, and those that concern camera, mask, model and parameters.

`preflight_node` collects the findings; the checks judge them. No check uses ROS or moves the arm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from dvrk_cable_env.arm.limits import AXES, ROUNDING, ArmLimits
from dvrk_cable_env.camera.segmentation import frame_fault
from dvrk_cable_env.preflight.arm import arm_pose, arm_state, base, commander, pedal, reach, stop
from dvrk_cable_env.preflight.calibration import calibration
from dvrk_cable_env.preflight.findings import (
    FAILED,
    OK,
    START,
    WARNING,
    CheckResult,
    Findings,
    Model,
    PreflightConfig,
)

WHITE = 127
"""Pixels of the mask above this value count as cable."""
SKEW = ArmLimits().max_clock_skew
"""Allowed clock skew of streams that arm_node does not judge, s."""
Check = Callable[[Findings, PreflightConfig], CheckResult]
"""A check: takes findings and configuration, returns its result."""


def clock(findings: Findings, _config: PreflightConfig) -> CheckResult:
    """Check that the clock by which all stamps are judged advances."""
    begin, end = findings.clock
    name = "/clock" if findings.simulated else "the system's clock"
    if begin <= 0 or end <= begin:
        do = "start what publishes /clock; on a robot leave use_sim_time out"
        return CheckResult("clock", FAILED, f"{name} stands still", do)
    if findings.arm is not None and findings.arm_simulated != findings.simulated:
        what = f"use_sim_time is {findings.arm_simulated} in arm_node, {findings.simulated} here"
        return CheckResult("clock", FAILED, what, "set the same use_sim_time for both")
    return CheckResult("clock", OK, f"{name}, {(end - begin) * 1e-9:.1f} s watched")


def camera(findings: Findings, config: PreflightConfig) -> CheckResult:
    """Check rate, age and size of the camera frames."""
    stream, frame = findings.camera, findings.frame
    fault = stream.fault(config.max_camera_age, SKEW)
    if fault:
        do = "start one driver, on this computer's clock; for another topic add "
        do += "-r camera/image_raw:=TOPIC"
        return CheckResult("camera", FAILED, fault, do)
    if stream.rate < config.min_camera_rate:
        what = f"{stream.rate:.1f} Hz, at least {config.min_camera_rate:g} Hz wanted"
        return CheckResult("camera", FAILED, what, "raise the driver's rate; look for lost frames")
    if frame.pixels is None:
        return CheckResult("camera", FAILED, frame.fault, "set the driver to rgb8 or bgr8")
    unfit = frame_fault(frame.pixels, findings.segmentation) if findings.segmentation else ""
    if unfit:
        do = "take the lens cap off, or set width, height and crop of segmentation_node"
        return CheckResult("camera", FAILED, unfit, do)
    height, width = frame.pixels.shape[:2]
    what = f"{width}x{height} {frame.encoding}, {stream.rate:.1f} Hz, {stream.age * 1e3:.0f} ms old"
    return CheckResult("camera", OK, what)


def segmentation(findings: Findings, config: PreflightConfig) -> CheckResult:
    """Check that the mask shows a cable: enough pixels, and not too many."""
    if findings.segmentation is None:
        what = "segmentation_node does not answer"
        do = "start segmentation_node with the parameter file"
        return CheckResult("segmentation", FAILED, what, do)
    fault = findings.mask.fault(config.max_camera_age, SKEW) or findings.mask_picture.fault
    if fault or findings.mask_picture.pixels is None:
        do = "segmentation_node drops unusable frames; the reason is on /diagnostics"
        return CheckResult("segmentation", FAILED, fault, do)
    white = findings.mask_picture.pixels > WHITE
    what = f"{int(white.sum())} of {white.size} pixels are cable"
    do = "put the cable into view; look at the mask and set cable_low and cable_high"
    if white.sum() < config.min_cable:
        return CheckResult(
            "segmentation", FAILED, f"{what}, at least {config.min_cable} wanted", do
        )
    if white.mean() > config.max_cable:
        return CheckResult(
            "segmentation", FAILED, f"{what}, at most {config.max_cable:.0%} may be", do
        )
    return CheckResult("segmentation", OK, what)


def reference(findings: Findings, config: PreflightConfig) -> CheckResult:
    """Check that success and constraint are judged, and that both are false before the start."""
    fault = findings.task.fault(config.max_camera_age, SKEW)
    if fault:
        do = "set publish_task_state; show goal and obstacle, call ~/reference of segmentation_node"
        return CheckResult("reference", FAILED, f"{fault}: no reference taken", do)
    if findings.constraint:
        do = "free the cable, then clear the scene and call ~/reference if that was not the cause"
        return CheckResult("reference", FAILED, "a constraint is violated already", do)
    if findings.success:
        return CheckResult(
            "reference", WARNING, "the goal is reached already", "lay the cable back"
        )
    return CheckResult("reference", OK, f"taken; judged by {', '.join(findings.task.publishers)}")


def parameters(findings: Findings, _config: PreflightConfig) -> CheckResult:
    """Check that the nodes run with the values of the parameter file."""
    if findings.arm is None:
        return CheckResult("parameters", FAILED, "arm_node does not answer", START)
    if findings.arm.arm != findings.arm_name:
        what = f"arm_node commands {findings.arm.arm}, preflight listened to {findings.arm_name}"
        do = f"-p arm:={findings.arm.arm}, or correct the file"
        return CheckResult("parameters", FAILED, what, do)
    different = [
        f"{node}: {line}" for node, lines in findings.differences.items() for line in lines
    ]
    if different:
        do = "restart the node with this file, without other values on the command line"
        return CheckResult("parameters", FAILED, "; ".join(different), do)
    compared = ", ".join(sorted(findings.differences))
    if not compared:
        do = "add --params-file my_robot.yaml, with a section arm_node"
        return CheckResult("parameters", WARNING, "no file to compare the nodes with", do)
    return CheckResult("parameters", OK, f"as in the file: {compared}")


def arm_limits(findings: Findings, _config: PreflightConfig) -> CheckResult:
    """Check that no value that is only fit for a simulation is used on a robot."""
    if findings.arm is None:
        return CheckResult("limits", FAILED, "arm_node does not answer", START)
    limits, default = findings.arm.limits, ArmLimits()
    box = " x ".join(
        f"{low:g}..{high:g}" for low, high in zip(limits.low, limits.high, strict=True)
    )
    what = f"box {box} m, steps up to {limits.max_step:g} m, {limits.outside} outside"
    if findings.simulated:
        return CheckResult("limits", OK, f"{what} (simulated)")
    unfit = []
    measured = (limits.workspace_low, limits.workspace_high)
    if measured == (default.workspace_low, default.workspace_high):
        unfit.append("the workspace is the default, which was measured on no robot")
    if findings.arm.auto_enable:
        unfit.append("auto_enable is on: the arm starts without an operator")
    if not limits.latch_timeouts:
        unfit.append("limits.latch_timeouts is off")
    if unfit:
        do = "set them in the parameter file (docs/robot.md) and restart arm_node"
        return CheckResult("limits", FAILED, "; ".join(unfit), do)
    return CheckResult("limits", OK, what)


def model(findings: Findings, config: PreflightConfig) -> CheckResult:
    """Check that the trained model fits the task, the masks and the largest step of arm_node."""
    if not findings.models:
        do = "start encoder_node and planner_node, or give -p model:=DIRECTORY"
        return CheckResult("model", WARNING, "no running node uses a model", do)
    known: list[Model] = []
    for user, found in findings.models.items():
        if isinstance(found, str):
            do = "give -p model:=DIRECTORY, or run preflight on the computer with the model's files"
            return CheckResult("model", FAILED, f"{user}: {found}", do)
        fault = _model_fault(found, findings, config)
        if fault:
            return CheckResult("model", FAILED, f"{user}: {fault[0]}", fault[1])
        known.append(found)
    identities = {found.identity for found in known} | ({findings.latent_model} - {""})
    if len(identities) > 1:
        what = f"different models are in use: {', '.join(sorted(identities))}"
        do = "restart encoder_node and planner_node with the same model"
        return CheckResult("model", FAILED, what, do)
    largest = max(max(map(abs, (*found.action_low, *found.action_high))) for found in known)
    what = f"{known[0].identity} ({', '.join(findings.models)}), steps up to {largest:.4g} m"
    if findings.arm is not None and largest < findings.arm.limits.max_step - ROUNDING:
        do = "set limits.max_step of arm_node to the model's largest step"
        return CheckResult("model", WARNING, f"{what}; arm_node allows longer steps", do)
    return CheckResult("model", OK, what)


def _model_fault(
    found: Model, findings: Findings, config: PreflightConfig
) -> tuple[str, str] | None:
    """What is wrong with a model and what to do; None if the model fits."""
    train = "use a model trained on this robot's data"
    if found.domain != config.domain:
        return f"trained for domain '{found.domain}', not '{config.domain}'", train
    pixels = findings.mask_picture.pixels
    if pixels is not None and pixels.shape != found.image:
        return f"takes images {found.image}, but the mask is {pixels.shape}", "set mask_size"
    if len(found.action_high) != AXES or not _finite(found.action_low, found.action_high):
        return f"actions from {found.action_low} to {found.action_high}", train
    largest = max(map(abs, (*found.action_low, *found.action_high)))
    if findings.arm is not None and largest > findings.arm.limits.max_step + ROUNDING:
        what = f"steps up to {largest:.4g} m, arm_node refuses more than"
        return f"{what} {findings.arm.limits.max_step:g} m", f"{train}, with that largest step"
    if found.saw_violation is False:
        what = "no episode that it learned from violates a constraint: f_C knows nothing"
        return what, "record episodes that violate, and train with them"
    if found.saw_goal is False:
        what = "no episode that it learned from reaches the goal: there is no safe set"
        return what, "record episodes that reach the goal, and train with them"
    return None


def _finite(*rows: Sequence[float]) -> bool:
    return all(math.isfinite(value) for row in rows for value in row)


def health(findings: Findings, _config: PreflightConfig) -> CheckResult:
    """Check that no node reports a problem on /diagnostics."""
    if findings.complaints:
        what = "; ".join(f"{node}: {text}" for node, text in findings.complaints.items())
        return CheckResult("diagnostics", FAILED, what, "fix what the node reports")
    return CheckResult("diagnostics", OK, "no complaints")


CHECKS: tuple[Check, ...] = (
    *(clock, camera, segmentation, calibration, reference, parameters, arm_limits),
    *(arm_state, arm_pose, base, reach, stop, commander, pedal, model, health),
)


def run_checks(findings: Findings, config: PreflightConfig) -> list[CheckResult]:
    """Return the result of every check, in the order in which failures are best fixed."""
    return [check(findings, config) for check in CHECKS]
