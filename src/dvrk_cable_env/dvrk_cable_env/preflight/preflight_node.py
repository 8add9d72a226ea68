"""preflight: checks before a first episode that camera, mask, model, arm and limits are ready.

preflight prints one line per check and exits with 1 if a check fails. It only subscribes and reads
parameters: it has no publisher of its own and calls no service that changes anything, so it cannot
move the arm.
"""

from __future__ import annotations

import dataclasses
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TypeVar

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState, Joy

from crtk_msgs.msg import OperatingState
from dvrk_cable_env.arm.arm import ArmConfig
from dvrk_cable_env.arm.guard_topics import MOTION_TOPICS, GuardTopics
from dvrk_cable_env.arm.messages import is_rotation, to_pose
from dvrk_cable_env.arm.stop_topics import hears_hold
from dvrk_cable_env.camera.lens_topic import LensTopic
from dvrk_cable_env.camera.segmentation import NodeConfig
from dvrk_cable_env.camera.segmentation_frames import camera_topic
from dvrk_cable_env.preflight.checks import run_checks
from dvrk_cable_env.preflight.files import (
    SIM_TIME,
    differences,
    model_or_fault,
    node_parameters,
    parameter_files,
)
from dvrk_cable_env.preflight.findings import (
    FAILED,
    WARNING,
    Findings,
    Model,
    PoseStream,
    PreflightConfig,
)
from dvrk_cable_env.preflight.reach import Reach
from dvrk_cable_env.preflight.topics import RemoteParameters, TopicListener
from ls3_common import qos, topics
from ls3_common.parameters import build, leaves
from ls3_common.ros import declare, run
from ls3_interfaces.msg import Latent, MotionState, TaskState

Config = TypeVar("Config")
LOOK_PERIOD = 0.1
"""Wall seconds between two looks at what has arrived."""
NODES: dict[str, type] = {"arm_node": ArmConfig, "segmentation_node": NodeConfig}
"""Nodes whose parameters are compared with the file."""
MODEL_NODES = ("encoder_node", "planner_node")
"""Nodes that use a trained model."""
EXIT_CODES = {True: 0, False: 1, None: 130}
"""Exit code by `PreflightNode.passed`; None: interrupted."""


class PreflightNode(Node):
    """Waits until every topic has been received, watches for a while, prints the checks, ends.

    passed: whether no check failed; None before the end.
    """

    def __init__(self, files: Sequence[str] = ()) -> None:
        """Compare the running nodes with these parameter files."""
        super().__init__("preflight", enable_rosout=False, start_parameter_services=False)
        self._config = declare(self, PreflightConfig)
        self._simulated = bool(self.get_parameter(SIM_TIME).value)
        self._given = {name: node_parameters(files, name, kind) for name, kind in NODES.items()}
        self._arm_name = self._config.arm or self._given["arm_node"].get("arm", "PSM1")
        self.passed: bool | None = None
        self._remotes = {
            name: RemoteParameters(self, name, [leaf.name for leaf in leaves(kind)] + [SIM_TIME])
            for name, kind in NODES.items()
        }
        self._remotes |= {name: RemoteParameters(self, name, ["model"]) for name in MODEL_NODES}
        listener = partial(TopicListener, self)
        cameras = [camera_topic(self, compressed) for compressed in (False, True)]
        self._cameras = [listener(*camera, qos.BEST_EFFORT) for camera in cameras]
        self._lenses = [LensTopic(self, name) for _, name in cameras]
        self._mask = listener(Image, topics.MASK, qos.BEST_EFFORT)
        self._task = listener(TaskState, topics.TASK_STATE, qos.RELIABLE)
        self._latent = listener(Latent, topics.LATENT, qos.BEST_EFFORT)
        self._motion = listener(MotionState, topics.MOTION_STATE, qos.LATCHED)
        self._state = listener(OperatingState, self._arm_topic("operating_state"), qos.CHANGES)
        self._setpoint = listener(PoseStamped, self._arm_topic("setpoint_cp"), qos.NEWEST)
        self._measured = listener(PoseStamped, self._arm_topic("measured_cp"), qos.NEWEST)
        self._local = listener(PoseStamped, self._arm_topic("local/setpoint_cp"), qos.NEWEST)
        self._joints = listener(JointState, self._arm_topic("setpoint_js"), qos.NEWEST)
        self._reach = Reach(self, self._arm_name)
        self._complaints: dict[str, str] = {}
        self.create_subscription(
            DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.RELIABLE
        )
        self._console: GuardTopics | None = None
        self._pedal_heard = False
        self._begin = time.monotonic()
        self._watched: tuple[float, int] | None = None  # start of the watch: wall (s), clock (ns)
        self.create_timer(LOOK_PERIOD, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _arm_topic(self, name: str) -> str:
        return topics.arm(self._arm_name, name)

    def _now(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        for status in array.status:
            # not arm_node: before the first episode it is not armed, and reports that
            if status.name in ("segmentation_node", *MODEL_NODES):
                self._complaints.pop(status.name, None)
                if status.level != DiagnosticStatus.OK:
                    self._complaints[status.name] = status.message

    def _on_pedal(self, _message: Joy) -> None:
        self._pedal_heard = True

    @property
    def _camera(self) -> TopicListener:
        """The listener of the topic that segmentation_node subscribes to."""
        return self._cameras[self._segmentation_has("compressed")]

    def _segmentation_has(self, name: str) -> bool:
        values = self._remotes["segmentation_node"].values() or {}
        return bool(values.get(name))

    @property
    def _lens(self) -> LensTopic | None:
        """The lens of that camera; None if segmentation_node does not correct it."""
        lens = self._lenses[self._segmentation_has("compressed")]
        return lens if self._segmentation_has("undistort") else None

    def _lens_fault(self) -> str:
        lens, pixels = self._lens, self._camera.picture().pixels
        return "" if lens is None or pixels is None else lens.fault(pixels)

    def _look(self) -> None:
        for remote in self._remotes.values():
            remote.ask()
        arm = self._read("arm_node", ArmConfig)
        if arm is not None and self._console is None:
            guards = arm.guards
            console = dataclasses.replace(
                guards, sole_commander=False, pedal_topic="", speed_ratio=0.0, require_hold=False
            )
            self._console = GuardTopics(self, self._arm_name, console)
            if guards.pedal_topic:
                self.create_subscription(Joy, guards.pedal_topic, self._on_pedal, qos.BEST_EFFORT)
        if arm is not None and self._setpoint.newest and self._joints.newest:
            self._reach.ask(arm.limits, self._setpoint.newest, self._joints.newest)
        wall = time.monotonic()
        if self._watched is None:
            if self._complete() or wall > self._begin + self._config.timeout:
                self._watched = wall, self._now()
                streams = (self._mask, self._task, self._setpoint, self._measured)
                for listener in (*self._cameras, *streams):
                    listener.restart()
        elif wall > self._watched[0] + self._config.watch:
            self._finish(self._watched[1])

    def _complete(self) -> bool:
        streams = (self._camera, self._mask, self._task, self._state, self._motion)
        arm = (self._setpoint, self._measured)
        received = all(listener.newest is not None for listener in (*streams, *arm))
        lens = self._lens
        known = lens is None or lens.calibration is not None
        answered = all(self._remotes[name].values() is not None for name in NODES)
        return known and received and answered and self._reach.done

    def _finish(self, begin: int) -> None:
        results = run_checks(self._findings(begin), self._config)
        for result in results:
            print(result)
        failed = sum(result.level == FAILED for result in results)
        warnings = sum(result.level == WARNING for result in results)
        self.passed = not failed
        end = f"{failed} FAILED: no episode" if failed else "ready"
        print(f"preflight: {end}, {warnings} warnings", flush=True)
        # end as `run` does; rclpy would report an exception as fatal
        signal.raise_signal(signal.SIGTERM)

    def _findings(self, begin: int) -> Findings:
        state, motion, task = self._state.newest, self._motion.newest, self._task.newest
        arm = self._read("arm_node", ArmConfig)
        console = self._console.guards if self._console else []
        objections = [guard.objection() for guard in console]
        pedal = arm.guards.pedal_topic if arm else ""
        latent = self._latent.newest
        return Findings(
            simulated=self._simulated,
            clock=(begin, self._now()),
            camera=self._camera.stream(),
            frame=self._camera.picture(),
            segmentation=self._read("segmentation_node", NodeConfig),
            lens_fault=self._lens_fault(),
            mask=self._mask.stream(),
            mask_picture=self._mask.picture(),
            task=self._task.stream(),
            success=bool(task and task.success),
            constraint=bool(task and task.constraint),
            arm_name=self._arm_name,
            arm=arm,
            arm_simulated=bool((self._remotes["arm_node"].values() or {}).get(SIM_TIME)),
            differences=dict(self._differences()),
            state=state.state if state else "",
            is_homed=bool(state and state.is_homed),
            is_busy=bool(state and state.is_busy),
            setpoint=_pose(self._setpoint),
            measured=_pose(self._measured),
            local=_pose(self._local),
            reach=self._reach.places(),
            moving=bool(motion and motion.moving),
            commanders=tuple(self._commanders()),
            hold_heard=hears_hold(self, self._arm_name),
            pedal_present=bool(pedal and self.count_publishers(self.resolve_topic_name(pedal))),
            pedal_heard=self._pedal_heard,
            teleoperation=tuple(objection.reason for objection in objections if objection),
            models=dict(self._models()),
            latent_model=latent.model if latent else "",
            complaints=self._complaints,
        )

    def _read(self, name: str, kind: type[Config]) -> Config | None:
        """The parameters with which a node runs; None if the node does not answer."""
        values = self._remotes[name].values()
        if values is None:
            return None
        return build(kind, {key: values[key] for key in values if key != SIM_TIME}, f"/{name}")

    def _differences(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for name, given in self._given.items():
            values = self._remotes[name].values()
            if given and values is not None:
                yield name, differences(given, values)

    def _commanders(self) -> Iterator[str]:
        """Nodes other than arm_node that publish motions; a second arm_node counts too."""
        own = (self.get_namespace(), "arm_node")
        for name in MOTION_TOPICS:
            topic = self.resolve_topic_name(self._arm_topic(name))
            found = self.get_publishers_info_by_topic(topic)
            counts = Counter((info.node_namespace, info.node_name) for info in found)
            counts[own] -= 1
            for namespace, node in counts.elements():
                yield f"{namespace.rstrip('/')}/{node} ({topic})"

    def _models(self) -> Iterator[tuple[str, Model | str]]:
        if self._config.model:
            yield "-p model", model_or_fault(self._config.model)
        for name in MODEL_NODES:
            if self._remotes[name].present:
                values = self._remotes[name].values()
                yield name, model_or_fault(str(values["model"])) if values else "does not answer"


def _pose(listener: TopicListener) -> PoseStream:
    newest = listener.newest
    if newest is None:
        return PoseStream(listener.stream())
    found = to_pose(newest)
    return PoseStream(
        listener.stream(),
        newest.header.frame_id,
        found.position,
        is_rotation(newest),
        found.rotation,
    )


def main() -> None:
    """Entry point.

    The exit code is 0 if no check failed, 1 if one failed, 2 for a mistake in the call, 130 if
    preflight was interrupted.
    """
    made: list[PreflightNode] = []

    def make() -> PreflightNode:
        made.append(PreflightNode(parameter_files(sys.argv[1:])))
        return made[0]

    code = run(make)
    sys.exit(code or EXIT_CODES[made[0].passed])


if __name__ == "__main__":
    main()
