"""The checks before a first episode: what was seen in, one verdict per check out. Pure: no ROS.

`preflight_node` sees, this judges. Nothing here or there moves the arm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from dvrk_cable_env.arm.limits import AXES, ROUNDING, ArmLimits
from dvrk_cable_env.camera.segmentation import frame_fault
from dvrk_cable_env.preflight.arm import arm_pose, arm_state, commander, pedal
from dvrk_cable_env.preflight.calibration import calibration
from dvrk_cable_env.preflight.seen import (
    FAILED,
    OK,
    START,
    WARNING,
    CheckResult,
    Model,
    PreflightConfig,
    Seen,
)

WHITE = 127
"""A pixel of the mask above it is cable."""
SKEW = ArmLimits().max_clock_skew
"""Seconds; of streams that arm_node does not judge."""
Check = Callable[[Seen, PreflightConfig], CheckResult]


def clock(seen: Seen, _config: PreflightConfig) -> CheckResult:
    """Every stamp is judged by this clock."""
    begin, end = seen.clock
    name = "/clock" if seen.simulated else "the system's clock"
    if begin <= 0 or end <= begin:
        do = "start what publishes /clock, or leave use_sim_time out on a robot"
        return CheckResult("clock", FAILED, f"{name} stands still", do)
    if seen.arm is not None and seen.arm_simulated != seen.simulated:
        seen_ = f"use_sim_time is {seen.arm_simulated} of arm_node, {seen.simulated} here"
        return CheckResult("clock", FAILED, seen_, "give both the same use_sim_time")
    return CheckResult("clock", OK, f"{name}, {(end - begin) * 1e-9:.1f} s watched")


def camera(seen: Seen, config: PreflightConfig) -> CheckResult:
    """Frames arrive, in time, of the size that segmentation_node wants, and show something."""
    stream, frame = seen.camera, seen.frame
    fault = stream.fault(config.max_camera_age, SKEW)
    if fault:
        do = "start one driver, on this computer's clock; -r camera/image_raw:=TOPIC renames"
        return CheckResult("camera", FAILED, fault, do)
    if stream.rate < config.min_camera_rate:
        what = f"{stream.rate:.1f} Hz, at least {config.min_camera_rate:g} Hz wanted"
        return CheckResult("camera", FAILED, what, "set the driver's rate; look for lost frames")
    if frame.pixels is None:
        return CheckResult("camera", FAILED, frame.fault, "set the driver to rgb8 or bgr8")
    unfit = frame_fault(frame.pixels, seen.segmentation) if seen.segmentation else ""
    if unfit:
        do = "take the lens cap off, or set width, height and crop of segmentation_node"
        return CheckResult("camera", FAILED, unfit, do)
    height, width = frame.pixels.shape[:2]
    what = f"{width}x{height} {frame.encoding}, {stream.rate:.1f} Hz, {stream.age * 1e3:.0f} ms old"
    return CheckResult("camera", OK, what)


def segmentation(seen: Seen, config: PreflightConfig) -> CheckResult:
    """The mask shows a cable: something, and not everything."""
    if seen.segmentation is None:
        what, do = "segmentation_node does not answer", "start it with the parameter file"
        return CheckResult("segmentation", FAILED, what, do)
    fault = seen.mask.fault(config.max_camera_age, SKEW) or seen.mask_picture.fault
    if fault or seen.mask_picture.pixels is None:
        do = "its reason is on /diagnostics; it drops frames that are no picture of the scene"
        return CheckResult("segmentation", FAILED, fault, do)
    white = seen.mask_picture.pixels > WHITE
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


def reference(seen: Seen, config: PreflightConfig) -> CheckResult:
    """Somebody judges success and violation, and neither has come about yet."""
    fault = seen.task.fault(config.max_camera_age, SKEW)
    if fault:
        do = "set publish_task_state; show goal and obstacle, call ~/reference of segmentation_node"
        return CheckResult("reference", FAILED, f"{fault}: no reference taken", do)
    if seen.constraint:
        do = "free the cable, then clear the scene and call ~/reference if that was not the cause"
        return CheckResult("reference", FAILED, "a constraint is violated already", do)
    if seen.success:
        return CheckResult(
            "reference", WARNING, "the goal is reached already", "lay the cable back"
        )
    return CheckResult("reference", OK, f"taken; judged by {', '.join(seen.task.publishers)}")


def parameters(seen: Seen, _config: PreflightConfig) -> CheckResult:
    """The nodes run with what the parameter file says."""
    if seen.arm is None:
        return CheckResult("parameters", FAILED, "arm_node does not answer", START)
    if seen.arm.arm != seen.arm_name:
        what = f"arm_node has arm {seen.arm.arm}, this looked at {seen.arm_name}"
        return CheckResult("parameters", FAILED, what, f"-p arm:={seen.arm.arm}, or mend the file")
    different = [f"{node}: {line}" for node, lines in seen.differences.items() for line in lines]
    if different:
        do = "restart the node with this file, without what the command line sets otherwise"
        return CheckResult("parameters", FAILED, "; ".join(different), do)
    compared = ", ".join(sorted(seen.differences))
    if not compared:
        do = "--params-file my_robot.yaml, which has a section arm_node"
        return CheckResult("parameters", WARNING, "no file to compare the nodes with", do)
    return CheckResult("parameters", OK, f"as in the file: {compared}")


def limits(seen: Seen, _config: PreflightConfig) -> CheckResult:
    """What is fit for a simulation only does not reach a robot."""
    if seen.arm is None:
        return CheckResult("limits", FAILED, "arm_node does not answer", START)
    have, default = seen.arm.limits, ArmLimits()
    box = " x ".join(f"{low:g}..{high:g}" for low, high in zip(have.low, have.high, strict=True))
    what = f"box {box} m, steps to {have.max_step:g} m, {have.outside} outside"
    if seen.simulated:
        return CheckResult("limits", OK, f"{what} (simulated)")
    unfit = []
    if (have.workspace_low, have.workspace_high) == (default.workspace_low, default.workspace_high):
        unfit.append("the workspace is the default, measured on no robot")
    if seen.arm.auto_enable:
        unfit.append("auto_enable is on: the arm needs no operator")
    if not have.latch_timeouts:
        unfit.append("limits.latch_timeouts is off")
    if unfit:
        do = "set them in the parameter file (docs/robot.md) and restart arm_node"
        return CheckResult("limits", FAILED, "; ".join(unfit), do)
    return CheckResult("limits", OK, what)


def model(seen: Seen, config: PreflightConfig) -> CheckResult:
    """What plans was trained for this task, these images and steps that arm_node lets pass."""
    if not seen.models:
        do = "start encoder_node and planner_node, or give -p model:=DIRECTORY"
        return CheckResult("model", WARNING, "nothing runs that has a model", do)
    known: list[Model] = []
    for who, found in seen.models.items():
        if isinstance(found, str):
            do = "give -p model:=DIRECTORY, or run this where the model's files are"
            return CheckResult("model", FAILED, f"of {who}: {found}", do)
        fault = _model_fault(found, seen, config)
        if fault:
            return CheckResult("model", FAILED, f"of {who}: {fault[0]}", fault[1])
        known.append(found)
    identities = {found.identity for found in known} | ({seen.latent_model} - {""})
    if len(identities) > 1:
        what = f"different models are in use: {', '.join(sorted(identities))}"
        return CheckResult("model", FAILED, what, "restart encoder_node and planner_node with one")
    largest = max(max(map(abs, (*found.action_low, *found.action_high))) for found in known)
    what = f"{known[0].identity} ({', '.join(seen.models)}), steps to {largest:.4g} m"
    if seen.arm is not None and largest < seen.arm.limits.max_step - ROUNDING:
        do = "set limits.max_step of arm_node to what the model was trained with"
        return CheckResult("model", WARNING, f"{what}; arm_node lets longer ones pass", do)
    return CheckResult("model", OK, what)


def _model_fault(found: Model, seen: Seen, config: PreflightConfig) -> tuple[str, str] | None:
    train = "use a model trained on this robot's data"
    if found.domain != config.domain:
        return f"it is of domain '{found.domain}', not '{config.domain}'", train
    pixels = seen.mask_picture.pixels
    if pixels is not None and pixels.shape != found.image:
        return f"it takes images {found.image}, the mask is {pixels.shape}", "set mask_size"
    if len(found.action_high) != AXES or not _finite(found.action_low, found.action_high):
        return f"its actions are {found.action_low} to {found.action_high}", train
    largest = max(map(abs, (*found.action_low, *found.action_high)))
    if seen.arm is not None and largest > seen.arm.limits.max_step + ROUNDING:
        what = f"its steps reach {largest:.4g} m, arm_node refuses over"
        return f"{what} {seen.arm.limits.max_step:g} m", f"{train}, of that step size"
    return None


def _finite(*rows: Sequence[float]) -> bool:
    return all(math.isfinite(value) for row in rows for value in row)


def health(seen: Seen, _config: PreflightConfig) -> CheckResult:
    """No node of the graph complains."""
    if seen.complaints:
        what = "; ".join(f"{node}: {text}" for node, text in seen.complaints.items())
        return CheckResult("diagnostics", FAILED, what, "mend what it names")
    return CheckResult("diagnostics", OK, "no complaints")


CHECKS: tuple[Check, ...] = (
    *(clock, camera, segmentation, calibration, reference, parameters, limits),
    *(arm_state, arm_pose, commander, pedal, model, health),
)


def judge(seen: Seen, config: PreflightConfig) -> list[CheckResult]:
    """Every check's verdict, in the order in which they are best cured."""
    return [check(seen, config) for check in CHECKS]
