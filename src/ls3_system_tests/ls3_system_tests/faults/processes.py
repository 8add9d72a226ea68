"""The graph's processes, each of which can be killed, stopped, hung up and restarted."""

from __future__ import annotations

import os
import signal
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dvrk_cable_env.arm.limits import ArmLimits
from ls3_common import topics, transport
from ls3_common.errors import UserError
from ls3_common.processes import POLL_S, Child
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
    # a hold within 0.2 s requires that a silent robot is noticed in half of that time
    "max_state_age": 0.1,
    "max_silence": 0.1,
    "max_image_age": 1.0,
    # the arm starts at (-0.09, 0.005), so that a step outward meets this edge
    "workspace_low": (-0.092, -0.002),
}
"""The limits of arm_node that differ from the defaults (those of a robot)."""
ARM_PARAMETERS = {"arm": ARM, "auto_enable": True, "motion_timeout": 2.0}
TIMEOUTS = {
    "start_timeout": 15.0,
    "reset_timeout": 8.0,
    "frame_timeout": 1.5,
    "plan_timeout": 1.5,
    "motion_timeout": 3.0,
}
"""Timeouts of episode_node, short, so that an episode that a fault interrupted ends soon."""
LEASE_S = 3
"""Seconds after which DDS forgets a killed process; the default is 20. Until then there are two
nodes of the same name, and no messages of the new node are received."""


def limits() -> ArmLimits:
    """Return the limits that arm_node runs with."""
    return ArmLimits(frame=f"{ARM}_base", **LIMITS)  # type: ignore[arg-type]


def node_name(name: str) -> str:
    """Return the name of a process's node in the ROS graph."""
    if name == "injector":
        return f"/{NAME}"
    return f"/{SIM}/sim_node" if name == "sim" else f"/{name}_node"


class Processes:
    """All processes of the graph, by the names in MODULES. The output goes to `work`/NAME.log."""

    def __init__(self, work: Path, model: Path) -> None:
        """Write the parameter file into `work`; encoder and planner will use `model`."""
        self.work, self.record = work, work / "episodes"
        self._children: dict[str, Child] = {}
        work.mkdir(parents=True, exist_ok=True)
        self._config = work / "parameters.yaml"
        self._config.write_text(yaml.safe_dump(self._parameters(model)))
        self._remaps = {
            "sim": {
                "__ns": f"/{SIM}",
                **{name: f"/{name}" for name in (topics.TASK_STATE, topics.RESET_SCENE)},
                topics.arm(ARM, "state_command"): f"/{topics.arm(ARM, 'state_command')}",
            },
            "encoder": {topics.LATENT: f"{BEFORE}/{topics.LATENT}"},
            "planner": {topics.PLAN: f"{BEFORE}/{topics.PLAN}"},
        }

    def start(self, name: str) -> None:
        """Start a process, after ending what is left of its predecessor."""
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
        """Start every process."""
        for name in MODULES:
            self.start(name)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process; after SIGKILL wait until the process has ended."""
        self._children[name].signal(number)
        if number == signal.SIGKILL:
            self._children[name].end(0.0)

    def has_left(self, name: str, patience: float) -> bool:
        """Return whether a process ends within `patience` seconds."""
        deadline = time.monotonic() + patience
        while self._children[name].alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def ended(self) -> list[str]:
        """Return the names of the processes that have ended."""
        return [name for name, child in self._children.items() if not child.alive()]

    def close(self) -> None:
        """Kill all processes."""
        for child in self._children.values():
            child.end(0.0)

    def _parameters(self, model: Path) -> dict[str, Any]:
        shipped = find_shared("config/cable_routing.yaml")
        if shipped is None:
            raise UserError("config/cable_routing.yaml is not installed", do="run `make build`")
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
    return list(value) if isinstance(value, tuple) else value  # YAML has no tuples


def isolate(work: Path, domain_id: int) -> None:
    """Give this process and its children the ROS domain `domain_id` on this computer.

    This sets environment variables, and writes the Fast DDS profile that they name into `work`. The
    profile is that of a simulated graph, except that DDS forgets a killed process after LEASE_S.
    """
    namespace = "http://www.eprosima.com"
    ET.register_namespace("", namespace)
    tree = ET.parse(transport.PROFILES["udp"])  # the profile of a simulated graph
    rtps = tree.getroot().find(f".//{{{namespace}}}rtps")
    assert rtps is not None
    discovery = ET.SubElement(ET.SubElement(rtps, "builtin"), "discovery_config")
    ET.SubElement(ET.SubElement(discovery, "leaseDuration"), "sec").text = str(LEASE_S)
    announcement = ET.SubElement(discovery, "leaseAnnouncement")
    ET.SubElement(announcement, "sec").text = "1"
    for element in tree.iter():  # the elements added above have no namespace yet
        if not element.tag.startswith("{"):
            element.tag = f"{{{namespace}}}{element.tag}"
    work.mkdir(parents=True, exist_ok=True)
    path = work / "fastdds.xml"
    tree.write(path, encoding="UTF-8", xml_declaration=True)
    os.environ[transport.VARIABLE] = str(path)
    os.environ["ROS_DOMAIN_ID"] = str(domain_id)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
