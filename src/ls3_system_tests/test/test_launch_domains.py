"""`ros2 launch ls3_sim <domain>.launch.py`: what the graph records is what the environment does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import imageio_ffmpeg
import numpy as np
import pytest
import yaml
from random_models import random_bundle

from ls3.runs.domains import load_domain
from ls3_common.shared import find_shared
from ls3_models.bundle import save_bundle
from ls3_models.episodes import Episode, list_episodes, read_episode
from ls3_sim.registration import make_environment

CONFIG = find_shared("config")
STEPS = 5
VARIATIONS: dict[str, dict[str, Any]] = {
    "navigation": {"camera_shift": 3, "noise": 5, "start_jitter": 2},
    "pushing": {"light": 0.3, "gain": 0.3, "start_jitter": 0.01},
    "reacher": {"occlusion": 10, "frame_loss": 0.4, "delay": 1},
}
"""By the domain's name, the section `environment` of its file."""


def small(domain: str, planner: dict[str, Any], path: Path) -> Path:
    """The shipped parameters with short episodes and plans that cost next to nothing."""
    document = yaml.safe_load((CONFIG / f"{domain}.yaml").read_text())
    document["/**/planner_node"]["ros__parameters"] = planner
    document["/**"]["ros__parameters"]["domain"]["horizon"] = STEPS
    document["/**/environment"]["ros__parameters"] = VARIATIONS[domain]
    path.write_text(yaml.safe_dump(document))
    return path


def replayed(env: gymnasium.Env, episode: Episode) -> list[np.ndarray]:
    """The newest frames that the same actions give in process."""
    observation, _ = env.reset(seed=episode.seed)
    frames = [observation]
    for action in episode.actions:
        frames.append(env.step(action)[0])
    return [frame[..., -3:] for frame in frames]


@pytest.mark.parametrize("domain_name", VARIATIONS)
def test_graph_does_what_the_environment_does(
    domain_name: str,
    child_of: Callable[..., Any],
    domain: int,
    planner_parameters: dict[str, Any],
    tmp_path: Path,
) -> None:
    loaded = load_domain(domain_name)
    env, spec = make_environment(loaded.spec, VARIATIONS[domain_name]).unwrapped, loaded.data_spec
    bundle = random_bundle(
        domain=domain_name,
        observation_shape=spec.observation_shape,
        action_low=spec.action_low,
        action_high=spec.action_high,
        config=loaded.learner,
    )
    save_bundle(bundle, tmp_path / "model")
    planner = {name.replace("__", "."): value for name, value in planner_parameters.items()}
    config = small(domain_name, planner, tmp_path / "small.yaml")
    words = [f"model:={tmp_path / 'model'}", f"config:={config}", f"out:={tmp_path / 'out'}"]
    launch = f"{domain_name}.launch.py"
    child = child_of(["ros2", "launch", "ls3_sim", launch, "episodes:=2", *words], domain)
    try:
        code = child.wait(120)
    finally:
        child.stop()
    assert code == 0, child.output
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["episodes"], summary["complete"]) == (2, True)
    assert summary["variations"] == VARIATIONS[domain_name]
    files = list_episodes(tmp_path / "out" / "episodes")
    assert len(files) == 2
    for file in files:
        episode = read_episode(file)
        assert len(episode) == STEPS
        for recorded, expected in zip(episode.observations, replayed(env, episode), strict=True):
            assert np.array_equal(recorded, expected)
        assert episode.attributes["variations"] == env.varied
        assert env.varied["on"] == VARIATIONS[domain_name]
    env.close()
    assert imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "out" / "episodes.mp4"))[0] > 10
