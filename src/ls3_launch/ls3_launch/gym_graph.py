"""The graph of a domain that is a gymnasium environment. Launch files differ only by its name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launch import LaunchDescription

from ls3_common import topics
from ls3_common.domain import find_config
from ls3_common.errors import UserError
from ls3_common.model_facts import MANIFEST, OFFLINE_MODEL
from ls3_common.shared import find_shared
from ls3_launch import launching, live
from ls3_launch.arguments import run_arguments, task_arguments
from ls3_launch.launching import node, text

# In these domains the networks see the camera's images. The video shows a picture with the goal.
CAMERA_FOR_MASK = (topics.MASK, topics.CAMERA_IMAGE)
SCENE_FOR_CAMERA = (topics.CAMERA_IMAGE, topics.SCENE_IMAGE)

NODES = (
    *("encoder_node", "planner_node", "controller_node", "episode_node", "run_node"),
    live.VIEW_NODE,
)
"""The nodes that read a section of their own."""


def domain_graph(domain: str) -> LaunchDescription:
    """Describe the graph of a shipped domain: environment, models, controller and episodes."""
    arguments = run_arguments(domain)
    return launching.graph(arguments, lambda given: _start(domain, given), NODES)


def task_graph(domain: str = "", config: str = "") -> LaunchDescription:
    """Describe the graph of any task, with the same nodes.

    Args:
        domain: name of the task; empty: the launch argument `domain` names it.
        config: its parameter file; empty: the launch argument `config` names it.
    """
    arguments = task_arguments(domain, config)

    def start(given: Mapping[str, str]) -> list[Any]:
        name = domain or given["domain"]
        file = given["config"] or str(find_config(name))
        model = given["model"] or first_model(name, given)
        return _start(name, {**given, "config": file, "model": model})

    return launching.graph(arguments, start, NODES)


def first_model(domain: str, given: Mapping[str, str]) -> str:
    """Return the model with which a graph begins where no model is named.

    Raises:
        UserError: none is shipped for the domain, and `offline` names none.
    """
    offline = Path(given["offline"])
    candidates = [offline / OFFLINE_MODEL, offline] if given["offline"] else []
    for path in candidates if given["mode"] == "learn" else ():
        if (path / MANIFEST).is_file():
            return str(path)
    shipped = find_shared(f"models/{domain}")
    if shipped is None:
        raise UserError(
            f"no model is shipped for '{domain}'",
            do="give model:=RUN/model after `ls3 learn`, or with mode:=learn offline:=RUN after "
            "`ls3 train`",
        )
    return str(shipped)


def _start(domain: str, given: Mapping[str, str]) -> list[Any]:
    model = launching.model(given, domain)
    recorded = {"record": text(os.path.join(given["out"], "episodes"))}
    sees_camera = {"remappings": [CAMERA_FOR_MASK]}
    clock = {"use_sim_time": True}
    for_people = {"remappings": [CAMERA_FOR_MASK, SCENE_FOR_CAMERA]}
    driver = launching.driver(given, domain, **for_people)
    nodes = [
        node(given, "ls3_sim", "gym_node", *launching.environment(given)),
        node(given, "ls3_models", "encoder_node", model, **sees_camera),
        node(given, "ls3_planner", "planner_node", model),
        node(given, "ls3_episodes", "controller_node"),
        node(
            given,
            "ls3_episodes",
            "episode_node",
            clock,
            # the clock stands still between steps, so that waiting would be of no use
            recorded | {"settle": 0.0},
            **sees_camera,
        ),
        *driver,
    ]
    view = live.nodes(given, {"model": text(given["model"])}, **for_people)
    return [*launching.watched(nodes), *view]
