"""docs/own_task.md, word by word: from `ls3 new-task` to a model that learned in the graph."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
import yaml

import ls3
from ls3.cli.cli import main
from ls3_common.files import read_json
from ls3_models.episodes import list_episodes, read_episodes

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/own_task.md").read_text()
SMALL: dict[str, dict[str, Any]] = {
    "planner_node": {
        "horizon": 2,
        "delta_safe": 0.05,
        "delta_constraint": 1.0,
        "realtime": {"candidates": 24, "particles": 2, "elites": 4, "iterations": 2},
    },
    "learner": {
        "latent_dim": 8,
        "batch_size": 32,
        "hidden": 32,
        "learning_rate": 1e-3,
        "vae_batch_size": 16,
        "vae_iterations": 80,
        "offline_iterations": 250,
        "update_iterations": 5,
        "value_update_iterations": 5,
    },
    "algorithm": {"demonstrations": 8, "random": 2, "constraint": 3, "trajectories": 2},
}
"""What the test changes in the parameter file, to learn for seconds instead of minutes."""


def commands(heading: str) -> Iterator[str]:
    """The commands of one section of the page."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    for block in re.findall(r"```\n(.*?)```", section, re.DOTALL):
        yield from block.splitlines()


def shrink(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    for section, changes in SMALL.items():
        document[f"/**/{section}"]["ros__parameters"] |= changes
    document["/**/algorithm"]["ros__parameters"]["updates"] = 1
    document["/**"]["ros__parameters"]["domain"]["horizon"] = 20
    path.write_text(yaml.safe_dump(document))


@pytest.mark.usefixtures("one_thread")
@pytest.mark.timeout(600)
def test_the_page_word_by_word(
    child_of: Callable[..., Any],
    domain: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = []
    for line in commands("A task that runs"):
        words = shlex.split(os.path.expandvars(line.replace("$PWD", os.getcwd())))
        ran.append(" ".join(words[:2]))
        if words[0] == "cd":
            monkeypatch.chdir(words[1])
        elif words[0] == "export":
            name, _, value = words[1].partition("=")
            monkeypatch.setenv(name, value)
            monkeypatch.syspath_prepend(value.partition(":")[0])
        elif words[0] == "ls3":
            assert main(words[1:]) == 0, line
            if words[1] == "new-task":
                shrink(Path(words[2], f"{words[2]}.yaml"))
        else:
            child = child_of(words, domain)
            try:
                assert child.wait(120) == 0, child.output
            finally:
                child.stop()
    assert ran.count("ros2 launch") == 2
    assert {f"ls3 {name}" for name in ("collect", "train", "learn", "evaluate", "report")} < {*ran}
    check_what_was_written(Path.cwd())
    for script in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        subprocess.run([sys.executable, "-c", script], check=True)  # ls3.check_task


def check_what_was_written(folder: Path) -> None:
    episodes = read_episodes(folder / "data/my_task")
    assert {episode.source for episode in episodes} == {"demonstration", "random", "constraint"}
    assert {episode.actions.shape[1] for episode in episodes} == {3}
    assert read_json(folder / "out/my_task/summary.json")["episodes"] == 2
    video = folder / "out/my_task/episodes.mp4"
    assert imageio_ffmpeg.count_frames_and_secs(str(video))[0] > 10
    run = folder / "runs/my_task/through_graph/seed_0"
    assert len(list_episodes(run / "online/episodes")) == SMALL["algorithm"]["trajectories"]
    names = {path.name for path in (folder / "results").iterdir()}
    assert names == {"training_my_task_ls3.json", "training_my_task_through_graph.json"}
    page = (folder / "docs/report.html").read_text()
    assert "report_curves_my_task.png" in page and "report_decoded_my_task.png" in page
    # something was learned: V rises towards the goal of demonstrations, and so does f_G
    agent = ls3.load("my_task", folder / "runs/my_task/ls3/seed_0/model", config="my_task.yaml")
    shown = [episode for episode in episodes if episode.source == "demonstration"]
    first = agent.belief(np.stack([episode.observations[0] for episode in shown]))
    last = agent.belief(np.stack([episode.observations[-1] for episode in shown]))
    assert (last.value > first.value).mean() > 0.8
    assert (last.goal > first.goal).mean() > 0.8
