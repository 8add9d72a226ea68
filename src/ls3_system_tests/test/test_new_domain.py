"""A domain of one's own through the graph: the nodes take all that they need from its file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
import sliders
from random_models import random_bundle

from ls3.learning.through_graph import stacked
from ls3.runs.domains import load_domain
from ls3_common import topics
from ls3_models.bundle import save_bundle
from ls3_models.episodes import list_episodes, read_episode
from ls3_sim.registration import make_environment

SUPPORT = Path(sliders.__file__).parent
SEES_CAMERA = ("-r", f"{topics.MASK}:={topics.CAMERA_IMAGE}")
SEES_SCENE = ("-r", f"{topics.CAMERA_IMAGE}:={topics.SCENE_IMAGE}")
SHORT = {"action_low": [-0.01, -0.01, -0.005], "action_high": [0.02, 0.01, 0.01]}
"""Too short to reach goal or constraint within T, whatever is planned."""
SIM_TIME = ("-p", "use_sim_time:=true")


@pytest.fixture
def node(child_of: Callable[..., Any], domain: int, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start a node with the domain's file; `words` are further arguments for ROS."""
    config = sliders.write_config(tmp_path / "mine.yaml", **SHORT)
    started: list[Any] = []

    def start(module: str, *words: str) -> Any:
        command = [sys.executable, "-m", module, "--ros-args", "--params-file", str(config), *words]
        # what registers the environment is found as any module is
        path = ":".join([str(SUPPORT), *filter(None, sys.path)])
        started.append(child_of(command, domain, PYTHONPATH=path))
        return started[-1]

    yield start
    for child in started:
        child.stop()
        print(child.output)


def test_three_actions_and_stacked_grey_frames(node: Callable[..., Any], tmp_path: Path) -> None:
    loaded = load_domain(sliders.NAME, tmp_path / "mine.yaml")
    spec = loaded.data_spec
    bundle = random_bundle(
        domain=spec.domain,
        observation_shape=spec.observation_shape,
        action_low=spec.action_low,
        action_high=spec.action_high,
        config=loaded.learner,
    )
    save_bundle(bundle, tmp_path / "model")
    model, out = ("-p", f"model:={tmp_path / 'model'}"), tmp_path / "out"
    node("ls3_sim.gym_node")
    node("ls3_models.encoder_node", *model, *SEES_CAMERA)
    node("ls3_planner.planner_node", *model)
    node("ls3_episodes.controller_node")
    record = ("-p", f"record:={out / 'episodes'}", "-p", "settle:=0.0")
    node("ls3_episodes.episode_node", *record, *SEES_CAMERA, *SIM_TIME)
    settings = ("-p", "episodes:=1", "-p", "seed:=5", "-p", f"out:={out}")
    runner = node("ls3_episodes.run_node", *model, *settings, *SEES_CAMERA, *SEES_SCENE)
    assert runner.wait(100) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["complete"] and summary["holds"] == summary["dropped"] == 0
    (file,) = list_episodes(out / "episodes")
    episode = read_episode(file)
    assert episode.actions.shape == (sliders.T, 3)
    env = make_environment(loaded.spec)
    observation, _ = env.reset(seed=5)
    expected = [observation, *(env.step(action)[0] for action in episode.actions)]
    frames = stacked(episode.observations, loaded.spec.frames)
    assert np.array_equal(frames, np.stack(expected))
    assert imageio_ffmpeg.count_frames_and_secs(str(out / "episodes.mp4"))[0] > 10


def test_a_node_is_told_what_the_file_lacks(node: Callable[..., Any], tmp_path: Path) -> None:
    gym = node("ls3_sim.gym_node", "-p", "joints:=['a', 'b', 'c']")
    assert gym.wait(60) == 2
    assert "unknown key 'joints'" in gym.output and "domain.joints" in gym.output
    sliders.write_config(tmp_path / "mine.yaml", joints=["one"], interface="position")
    controller = node("ls3_episodes.controller_node")
    assert controller.wait(60) == 2
    assert "'interface' is 'position'" in controller.output
    assert "Traceback" not in gym.output + controller.output
