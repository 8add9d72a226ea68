"""What the scripted operator does, without ROS."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dvrk_cable_env.teleop.teleop import MotionStatus, Pilot
from ls3_common.domain import load_spec
from ls3_common.errors import ConfigError
from ls3_sim.cable_env import CableEnv
from ls3_sim.cable_scene import CableLayout
from ls3_sim.scripted import HISTORY, PoseHistory, ScriptedEpisode, ScriptEntry, read_script

pytestmark = pytest.mark.background

STEPS = 12
LIMIT = load_spec("cable_routing").largest_action


def drive(episode: ScriptedEpisode, env: CableEnv, refuse: int = -1) -> list[tuple[float, float]]:
    """The arm of an environment takes each order, the one of step `refuse` only when repeated."""
    pilot, clock, sent = Pilot(settle=0.1), 1, []
    pilot.receive_mark("start demonstration")
    refused = False
    while not episode.over:
        clock += 10**9
        pilot.receive_motion(MotionStatus(False, True, "", 1, 1, len(sent) - 1))
        pilot.receive_frame(clock, clock / 1e9)
        x, y = env.scene.tool
        order = episode.next_step(pilot, (float(x), float(y)), clock / 1e9)
        assert (order.episode, order.step) == (1, len(sent))
        if order.step == refuse and not refused:
            refused = True
            assert pilot.receive_command(1, order.step, "refused", clock, clock / 1e9)
            continue
        assert pilot.receive_command(1, order.step, "sent", clock, clock / 1e9)
        *_, info = env.step(np.array(order.action, np.float32))
        episode.violated |= info["constraint"]
        episode.carried_out()
        sent.append(order.action)
    return sent


@pytest.mark.parametrize("refuse", [-1, 4])
def test_the_actions_are_those_of_the_behaviour_in_process(refuse: int) -> None:
    env = CableEnv()
    _, info = env.reset(seed=7)
    act = env.behaviour("random", np.random.default_rng(7))
    expected = []
    for _ in range(STEPS):
        expected.append(act(info))
        *_, info = env.step(expected[-1])
    env.reset(seed=7)
    episode = ScriptedEpisode(ScriptEntry("random", 7), CableLayout(), LIMIT, STEPS)
    sent = drive(episode, env, refuse)
    env.close()
    assert np.array_equal(np.array(sent, np.float32), np.array(expected))


def test_a_violation_ends_it() -> None:
    episode = ScriptedEpisode(ScriptEntry("constraint", 1), CableLayout(), LIMIT, STEPS)
    assert not episode.over
    episode.violated = True
    assert episode.over


def test_poses_are_those_of_their_moment_and_not_kept_for_ever() -> None:
    poses = PoseHistory()
    for stamp in range(HISTORY + 1):
        poses.add(stamp, (float(stamp), 0.0))
    assert poses.at(HISTORY) == (HISTORY, 0.0)
    assert poses.at(HISTORY + 1) is None
    assert poses.at(0) is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[", "not a script"),
        ('[{"kind": "demonstration"}]', "missing 1 required positional argument: 'seed'"),
        ('[{"kind": "dance", "seed": 1}]', "no behaviour 'dance'"),
        ('[{"kind": "random", "seed": -1}]', "seed -1 is not a whole number"),
        ('[{"kind": "random", "seed": 1.5}]', "seed 1.5 is not a whole number"),
    ],
)
def test_scripts_that_are_none(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "script.json").write_text(text)
    with pytest.raises(ConfigError, match=r"script\.json") as caught:
        read_script(tmp_path / "script.json")
    assert what in caught.value.what


def test_a_script(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps([{"kind": "random", "seed": 4}]))
    assert read_script(path) == [ScriptEntry("random", 4)]
    with pytest.raises(ConfigError, match="cannot be read"):
        read_script(tmp_path / "none.json")
