"""The graph's processes: each can be killed, stopped, and started again."""

from __future__ import annotations

import os
import signal
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dvrk_cable_env.arm.limits import ArmLimits
from ls3_common import topics, transport
from ls3_common.errors import UserError
from ls3_common.processes import Child
from ls3_common.shared import find_shared
from ls3_system_tests.faults.injector import ARM, BEFORE, NAME, SIM
from ls3_system_tests.latency import PROFILE

MODULES = {
    "sim": "ls3_sim.sim_node",
    "segmentation": "dvrk_cable_env.camera.segmentation_node",
    "encoder": "ls3_models.encoder_node",
    "planner": "ls3_planner.planner_node",
    "arm": "dvrk_cable_env.arm.arm_node",
    "episode": "ls3_episodes.episode_node",
    "injector": "ls3_system_tests.faults.injector",
}
LIMITS = {
    # what a hold within 0.2 s takes: a robot that is not heard for half of that is lost
    "max_state_age": 0.1,
    "max_silence": 0.1,
    "max_image_age": 1.0,
    # the start is at (-0.09, 0.005): a step outward meets the edge
    "workspace_low": (-0.092, -0.002),
}
"""Limits of arm_node that differ from its defaults, which are a robot's; all else is as there."""
ARM_PARAMETERS = {"arm": ARM, "auto_enable": True, "motion_timeout": 2.0}
TIMEOUTS = {
    "start_timeout": 15.0,
    "reset_timeout": 8.0,
    "frame_timeout": 1.5,
    "plan_timeout": 1.5,
    "motion_timeout": 3.0,
}
"""Of episode_node: an episode that the faults have cut off ends soon."""
LEASE_S = 3
"""Seconds after which DDS forgets a killed process; its default is 20. Until then there are two
nodes of one name, and the new one is not heard."""


def limits() -> ArmLimits:
    """What arm_node was told, for whoever checks it."""
    return ArmLimits(frame=f"{ARM}_base", **LIMITS)  # type: ignore[arg-type]


def node_name(name: str) -> str:
    """What the ROS graph calls a process."""
    if name == "injector":
        return f"/{NAME}"
    return f"/{SIM}/sim_node" if name == "sim" else f"/{name}_node"


class Processes:
    """All of them, in a ROS domain of their own; their output goes to `work`/NAME.log."""

    def __init__(self, work: Path, model: Path) -> None:
        self.work, self.record = work, work / "episodes"
        self._children: dict[str, Child] = {}
        work.mkdir(parents=True, exist_ok=True)
        self._config = work / "parameters.yaml"
        self._config.write_text(yaml.safe_dump(self._parameters(model)))
        self._remaps = {
            "sim": {
                "__ns": f"/{SIM}",
                **{name: f"/{name}" for name in (topics.TASK_STATE, topics.RESET_SCENE)},
                **{
                    topics.arm(ARM, name): f"/{topics.arm(ARM, name)}"
                    for name in ("hold", "state_command")
                },
            },
            "encoder": {topics.LATENT: f"{BEFORE}/{topics.LATENT}"},
            "planner": {topics.PLAN: f"{BEFORE}/{topics.PLAN}"},
        }

    def start(self, name: str) -> None:
        """Start one process that does not run."""
        command = [sys.executable, "-m", MODULES[name], "--ros-args"]
        command += ["--params-file", str(self._config)]
        for old, new in self._remaps.get(name, {}).items():
            command += ["-r", f"{old}:={new}"]
        if name in ("arm", "episode"):
            command += ["-p", "use_sim_time:=true"]
        environment = {**os.environ, "LS3_LAUNCH_PID": str(os.getpid()), "OMP_NUM_THREADS": "1"}
        if name in self._children:
            self._children[name].end(0.0)
        with (self.work / f"{name}.log").open("ab") as log:
            self._children[name] = Child(command, environment=environment, output=log, errors=log)

    def start_all(self) -> None:
        for name in MODULES:
            self.start(name)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one of them; SIGKILL is seen through."""
        self._children[name].signal(number)
        if number == signal.SIGKILL:
            self._children[name].end(0.0)

    def ended(self) -> list[str]:
        """Those that do not run."""
        return [name for name, child in self._children.items() if not child.alive()]

    def close(self) -> None:
        """Kill them all."""
        for child in self._children.values():
            child.end(0.0)

    def _parameters(self, model: Path) -> dict[str, Any]:
        shipped = find_shared("config/cable_routing.yaml")
        if shipped is None:
            raise UserError("config/cable_routing.yaml is not installed")
        document = yaml.safe_load(shipped.read_text())
        changes: dict[str, Mapping[str, Any]] = {
            "encoder_node": {"model": str(model)},
            "planner_node": {"model": str(model), "realtime": PROFILE},
            "arm_node": {**ARM_PARAMETERS, "limits": {k: _plain(v) for k, v in LIMITS.items()}},
            "episode_node": {**TIMEOUTS, "record": str(self.record)},
            "sim_node": {"arm": ARM},
        }
        for node, values in changes.items():
            section = document.setdefault(f"/**/{node}", {"ros__parameters": {}})
            section["ros__parameters"].update(values)
        return document


def _plain(value: Any) -> Any:
    """As YAML has it."""
    return list(value) if isinstance(value, tuple) else value


def isolate(work: Path, domain_id: int) -> None:
    """Give this process and its children a ROS domain of their own on this computer.

    The environment's variables are set, and `work` receives the Fast DDS profile that they name: as
    of a simulated graph, but a process that was killed is forgotten after `LEASE_S`.
    """
    namespace = "http://www.eprosima.com"
    ET.register_namespace("", namespace)
    tree = ET.parse(transport.PROFILES["udp"])  # as a simulated graph is launched
    rtps = tree.getroot().find(f".//{{{namespace}}}rtps")
    assert rtps is not None
    discovery = ET.SubElement(ET.SubElement(rtps, "builtin"), "discovery_config")
    ET.SubElement(ET.SubElement(discovery, "leaseDuration"), "sec").text = str(LEASE_S)
    announcement = ET.SubElement(discovery, "leaseAnnouncement")
    ET.SubElement(announcement, "sec").text = "1"
    for element in tree.iter():  # made here without it
        if not element.tag.startswith("{"):
            element.tag = f"{{{namespace}}}{element.tag}"
    work.mkdir(parents=True, exist_ok=True)
    path = work / "fastdds.xml"
    tree.write(path, encoding="UTF-8", xml_declaration=True)
    os.environ[transport.VARIABLE] = str(path)
    os.environ["ROS_DOMAIN_ID"] = str(domain_id)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
