"""run_node with real episodes, planner and encoder; camera and arm are fakes."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from ls3_common import qos
from ls3_models.episodes import list_episodes, read_episode


def frames_of(path: Path) -> int:
    """How many pictures a video really has."""
    return int(imageio_ffmpeg.count_frames_and_secs(str(path))[0])


@pytest.fixture
def run(
    bench: Any, robot: Any, model: Path, planner_parameters: dict[str, Any], tmp_path: Path
) -> Any:
    """Start the learned side and run_node; returns run_node's process."""

    def start(**parameters: Any) -> Any:
        bench.start("ls3_models.encoder_node", model=str(model))
        bench.start("ls3_planner.planner_node", model=str(model), **planner_parameters)
        bench.start(
            "ls3_episodes.episode_node", horizon=9, settle=0.0, record=str(tmp_path / "episodes")
        )
        settings = {"model": str(model), "out": str(tmp_path), "max_steps": 5, "seed": 40}
        return bench.start("ls3_episodes.run_node", **{**settings, **parameters})

    return start


def test_figures_video_and_exit_code(run: Any, robot: Any, tmp_path: Path) -> None:
    robot.goal_after = 3
    child = run(episodes=2)
    assert child.wait(90) == 0
    print(child.output)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["episodes"] == summary["requested"] == summary["successes"] == 2
    assert summary["complete"] is True
    assert (summary["violations"], summary["mean_steps"]) == (0, 3)
    assert summary["demonstrator_mean_steps"] == 37.0
    assert 0 < summary["plan_ms_median"] < summary["frame_to_command_ms_p99"]
    assert robot.seeds == [40, 41]
    assert [row["seed"] for row in summary["rows"]] == [40, 41]
    assert "reached the goal in 3 steps (demonstrator 37)" in child.output
    for row, file in zip(summary["rows"], list_episodes(tmp_path / "episodes"), strict=True):
        assert row["file"] == str(file)
        assert len(read_episode(file)) == 3
    # at least each plan's pictures and the last ones of each episode
    assert frames_of(tmp_path / "episodes.mp4") >= 2 * (3 * 3 + 30)


def test_episode_that_does_not_run_fails_the_run(run: Any, robot: Any, tmp_path: Path) -> None:
    robot.reset_ok = False
    child = run(episodes=5, video=False)
    assert child.wait(90) == 1
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["episodes"], summary["complete"]) == (0, False)
    assert summary["mean_steps"] is None
    assert "reset_scene failed: the cable is gone" in child.output
    assert "given up after 2 episodes" in child.output
    assert not (tmp_path / "episodes.mp4").exists()


def test_interrupt_leaves_readable_files(run: Any, robot: Any, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text('{"episodes": 99}')  # of an earlier run
    child = run(episodes=1, max_steps=10**6)
    video = tmp_path / "episodes.mp4"
    # a first fragment is in the file: drawing starts late where the processor is taken
    robot.bench.until(lambda: video.exists() and video.stat().st_size > 10_000, 60)
    child.interrupt(signal.SIGINT)
    assert child.wait(5.0) == 130
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["episodes"], summary["complete"]) == (0, False)
    assert frames_of(video) > 10
    assert [path.name for path in tmp_path.glob("*.part*")] == []


def test_a_request_that_is_not_answered_ends_the_run(
    bench: Any, robot: Any, model: Path, tmp_path: Path
) -> None:
    from rclpy.action import ActionServer, GoalResponse

    from ls3_interfaces.action import RunEpisode
    from ls3_interfaces.msg import Plan

    answer = threading.Event()

    def admit(_goal: Any) -> GoalResponse:
        answer.wait(60)
        return GoalResponse.REJECT

    bench.node.create_publisher(Plan, "plan", qos.RELIABLE)
    server = ActionServer(
        bench.node, RunEpisode, "run_episode", lambda _handle: None, goal_callback=admit
    )
    settings = {"model": str(model), "out": str(tmp_path), "max_steps": 5, "video": False}
    child = bench.start("ls3_episodes.run_node", **settings, episodes=1, answer_timeout=1.0)
    try:
        assert child.wait(60) == 2
    finally:
        answer.set()
        server.destroy()
    assert "no answer from run_episode (episode_node) within 1 s" in child.output
    assert "Traceback" not in child.output
