"""The launch file with the whole simulated graph: to its end, and stopped at any moment."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
import yaml
from ros_bench import until

from ls3.runs.domains import load_domain
from ls3_common.shared import find_shared
from ls3_launch import checks
from ls3_models.episodes import Episode, list_episodes, read_episode
from ls3_sim.registration import make_environment

LAUNCH = "cable_routing.launch.py"
PACKAGE = find_shared("models").parent
MARK = "LS3_TEST_MARK"


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory, planner_parameters: dict[str, Any]) -> Path:
    """The shipped parameters with episodes of 4 steps and plans that cost next to nothing."""
    document = yaml.safe_load(find_shared("config/cable_routing.yaml").read_text())
    planner = {name.replace("__", "."): value for name, value in planner_parameters.items()}
    document["/**/planner_node"]["ros__parameters"] = planner
    document["/**"]["ros__parameters"]["domain"]["horizon"] = 4
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


class Launch:
    """One `ros2 launch` and everything that it started."""

    def __init__(self, child: Any, mark: str, out: Path) -> None:
        self.child, self.out, self._mark = child, out, f"{MARK}={mark}".encode()

    def survivors(self) -> list[str]:
        """Command lines of what still runs, the encoder of the video included."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark in (process / "environ").read_bytes().split(b"\0"):
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found.append(f"{process.name} {command}")
            except OSError:
                continue  # it has just ended
        return [line for line in found if line.split(" ", 1)[1]]  # no zombies

    def check_files(self) -> None:
        """What lies in `out` can be read."""
        summary = self.out / "summary.json"
        if summary.exists():
            assert json.loads(summary.read_text())["requested"] >= 1
        for path in list_episodes(self.out / "episodes"):
            assert len(read_episode(path)) >= 1
        video = self.out / "episodes.mp4"
        if video.exists() and video.stat().st_size > 10_000:
            assert imageio_ffmpeg.count_frames_and_secs(str(video))[0] > 0


@pytest.fixture
def launch(
    child_of: Callable[..., Any],
    domain: int,
    config: Path,
    model: Path,
    tmp_path: Path,
) -> Iterator[Callable[..., Launch]]:
    """Start the launch file; ``name="value"`` are launch arguments."""
    started: list[Launch] = []

    def start(**arguments: str) -> Launch:
        mark = uuid.uuid4().hex
        given = {
            "config": str(config),
            "model": str(model),
            "out": str(tmp_path / "out"),
            "real_time_factor": "4.0",
            **arguments,
        }
        words = [f"{name}:={value}" for name, value in given.items()]
        child = child_of(["ros2", "launch", "ls3_planner", LAUNCH, *words], domain, **{MARK: mark})
        started.append(Launch(child, mark, tmp_path / "out"))
        return started[-1]

    yield start
    for one in started:
        one.child.stop()
        print(one.child.output)
        for line in one.survivors():
            os.kill(int(line.split()[0]), signal.SIGKILL)


def assert_same_in_process(episode: Episode) -> None:
    """The graph shows what the gymnasium environment shows for the same actions."""
    domain = load_domain("cable_routing")
    environment = make_environment(domain.spec, domain.variations)
    observation, _ = environment.reset(seed=episode.seed)
    for step, seen in enumerate(episode.observations):
        if step:
            observation, *_, info = environment.step(episode.actions[step - 1])
            assert info["success"] == episode.success[step - 1]
            assert info["constraint"] == episode.constraint[step - 1]
        # the arm's and the camera's clocks tick apart: a few pixels at the cable's edge differ
        different = np.abs(observation.astype(int) - seen).sum() / 255
        assert different < 0.15 * observation.sum() / 255
    environment.close()


def test_whole_graph_runs_episodes(launch: Callable[..., Launch]) -> None:
    graph = launch(episodes="2", seed="7")
    assert graph.child.wait(100) == 0
    assert graph.survivors() == []
    summary = json.loads((graph.out / "summary.json").read_text())
    assert (summary["episodes"], summary["complete"], summary["requested"]) == (2, True, 2)
    assert summary["plan_ms_median"] > 0
    assert summary["frame_to_command_ms_p99"] > 0
    files = list_episodes(graph.out / "episodes")
    assert [row["file"] for row in summary["rows"]] == list(map(str, files))
    for seed, file in zip((7, 8), files, strict=True):
        episode = read_episode(file)
        assert episode.seed == seed
        assert 1 <= len(episode) <= 4
        assert episode.observations.shape[1:] == (64, 64, 1)
        assert 50 < episode.observations[0].astype(bool).sum() < 1000  # there is a cable
        assert abs(episode.actions).max() > 0.001  # the arm was moved,
        assert (episode.observations[0] != episode.observations[-1]).any()  # and the cable too
        assert abs(episode.actions).max() <= 0.015 + 1e-6
        assert_same_in_process(episode)
    graph.check_files()
    # all pictures of at least one step an episode, and the last ones
    assert imageio_ffmpeg.count_frames_and_secs(str(graph.out / "episodes.mp4"))[0] >= 2 * 33


@pytest.mark.parametrize(
    ("number", "whole_group"),
    [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGKILL, False)],
    ids=["ctrl-c", "sigterm", "launch killed"],
)
def test_stopped_at_any_moment_everything_is_gone_within_5_s(
    launch: Callable[..., Launch], number: signal.Signals, whole_group: bool
) -> None:
    graph = launch(episodes="50")
    # from before the first node runs to the middle of the third episode or so
    moment = random.uniform(0.3, 15.0)
    print(f"stopped after {moment:.2f} s")
    time.sleep(moment)
    assert graph.child.process.poll() is None, graph.child.output
    began = time.monotonic()
    if whole_group:
        graph.child.interrupt(number)
    else:
        os.kill(graph.child.process.pid, number)
    until(lambda: not graph.survivors(), 20)
    assert time.monotonic() - began < 5.0
    graph.check_files()
    if whole_group:
        graph.child.wait(10)
        # Ctrl-C is no error, except while Python itself starts
        assert "[ERROR]" not in graph.child.output or "KeyboardInterrupt" in graph.child.output


def test_robot_without_simulation_waits_for_the_arm(launch: Callable[..., Launch]) -> None:
    graph = launch(sim="false", episodes="0")
    until(lambda: "not ready: no operating state yet" in graph.child.output, 60)
    assert "sim_node" not in graph.child.output
    assert "run_node" not in graph.child.output


def test_unknown_parameter_stops_the_launch(
    launch: Callable[..., Launch], config: Path, tmp_path: Path
) -> None:
    document = yaml.safe_load(config.read_text())
    document["/**/run_node"]["ros__parameters"]["horizont"] = 5
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(document))
    graph = launch(config=str(wrong))
    assert graph.child.wait(60) == 1
    assert "unknown key 'horizont'" in graph.child.output
    assert "ended with exit code 2" in graph.child.output
    assert "Traceback" not in graph.child.output
    assert graph.survivors() == []


def test_second_graph_in_the_domain_is_refused_before_it_starts(
    launch: Callable[..., Launch], domain: int
) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(f"\0ls3_planner.domain.{domain}")
        graph = launch()
        assert graph.child.wait(30) == 1
    assert f"ROS domain {domain} has a running LS3 graph" in graph.child.output
    assert "ROS_DOMAIN_ID" in graph.child.output
    assert "sim_node" not in graph.child.output


def test_a_measurement_that_is_stopped_leaves_no_node(
    child_of: Callable[..., Any],
    domain: int,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wait_until: Callable[..., Any],
) -> None:
    monkeypatch.chdir(tmp_path)  # where its episodes go
    mark = uuid.uuid4().hex
    words = ["measure", "--only", "ros", "--episodes", "1", "--model", str(model)]
    command = [sys.executable, "-m", "ls3.cli.cli", *words, "--out", "figures.json"]
    child = child_of(command, domain, **{MARK: mark})
    graph = Launch(child, mark, tmp_path)
    wait_until(lambda: "run_node" in child.output, 60)
    child.interrupt(signal.SIGTERM)
    assert child.wait(15) == 130
    assert graph.survivors() == []


@pytest.fixture
def description() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cable_routing", PACKAGE / "launch" / LAUNCH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_argument_that_does_not_exist_is_named(description: ModuleType) -> None:
    # as the real `ros2 launch` would pass it on; the stand-in refuses it earlier
    with pytest.raises(RuntimeError, match=r"unknown launch argument 'episode'.*episodes"):
        checks.refuse_unknown(description.ARGUMENTS, {"sim": "true", "episode": "3"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("episodes", "-1"),
        ("episodes", "2.5"),
        ("seed", "x"),
        ("updates", "-1"),
        ("real_time_factor", "0"),
        ("real_time_factor", "nan"),
        ("real_time_factor", "11"),
    ],
)
def test_argument_out_of_range_is_named(description: ModuleType, name: str, value: str) -> None:
    given = {"sim": "true", "episodes": "1", "seed": "0", "real_time_factor": "1.0"}
    given |= {"model": "m", "out": "o", "video": "true", "config": "c", "profile": "paper"}
    given |= {"arm": "PSM1", "mode": "run", "updates": "0", "learning_seed": "0"}
    given |= {"backend": "crtk", "camera": "camera/image_raw", "reset": "auto"}
    given |= {"black_box": "auto"}
    given[name] = value
    with pytest.raises(RuntimeError, match=f"{name}:={value} is not a"):
        description.start(given)


def test_every_argument_is_described(description: ModuleType) -> None:
    assert all(len(argument.description) > 10 for argument in description.ARGUMENTS)
