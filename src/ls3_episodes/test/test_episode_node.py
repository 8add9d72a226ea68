"""episode_node with a fake robot, and with a fake planner where the real one is not the point."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from goals import answered

from ls3_common import qos
from ls3_models.episodes import read_episode

CANCELED, ABORTED, SUCCEEDED = 5, 6, 4  # action_msgs/GoalStatus


class FakePlanner:
    """Latents and plans, at once; `silent` answers nothing."""

    def __init__(self, bench: Any) -> None:
        from ls3_interfaces.msg import Latent, Plan, StepRequest

        self.silent = False
        self.feasible = True
        self.requests: list[Any] = []
        self._plan = Plan
        self._latents = bench.node.create_publisher(Latent, "latent", qos.RELIABLE)
        self._plans = bench.node.create_publisher(Plan, "plan", qos.RELIABLE)
        bench.node.create_subscription(StepRequest, "step_request", self._answer, qos.RELIABLE)

    def _answer(self, request: Any) -> None:
        self.requests.append(request)
        if not self.silent:
            action = [0.01, -0.004] if self.feasible else [0.0, 0.0]
            self._plans.publish(
                self._plan(
                    header=request.header,
                    episode=request.episode,
                    step=request.step,
                    feasible=self.feasible,
                    action=action,
                )
            )


class Stage:
    """A running episode_node, its surroundings, and a client of its action."""

    def __init__(self, bench: Any, robot: Any, until: Any, out: Path) -> None:
        from ls3_interfaces.action import RunEpisode

        self.bench, self.robot, self.until, self.out = bench, robot, until, out
        self.planner = FakePlanner(bench)
        self.goal = RunEpisode.Goal
        self.client = bench.action_client(RunEpisode, "run_episode")
        self.child = bench.start(
            "ls3_episodes.episode_node",
            horizon=6,
            settle=0.02,
            record=str(out),
            max_refusals=2,
            start_timeout=20.0,
            reset_timeout=3.0,
            frame_timeout=1.5,
            plan_timeout=1.5,
        )
        until(self.client.server_is_ready)

    def send(self, **fields: Any) -> Any:
        """Handle of a goal."""
        goal = self.goal(**{"seed": 7, "episode": 2, "stop_on_success": True, **fields})
        return answered(self.client, goal, self.until)

    def run(self, **fields: Any) -> tuple[int, Any]:
        """Status and result of one episode."""
        return self.result(self.send(**fields))

    def result(self, handle: Any) -> tuple[int, Any]:
        future = handle.get_result_async()
        self.until(future.done)
        return future.result().status, future.result().result


@pytest.fixture
def stage(bench: Any, robot: Any, wait_until: Any, tmp_path: Path) -> Stage:
    return Stage(bench, robot, wait_until, tmp_path / "episodes")


def test_episodes_end_as_they_should_and_are_recorded(stage: Stage) -> None:
    robot = stage.robot

    robot.goal_after = 3
    status, result = stage.run()
    assert (status, result.reason, result.steps) == (SUCCEEDED, "success", 3)
    assert result.success and not result.violation
    assert result.total_reward == -2.0
    assert robot.seeds == [7]
    episode = read_episode(result.file)
    assert episode.observations.shape == (4, 64, 64, 1)
    # what was sent to the arm, not what was planned, and the frames that came of it
    np.testing.assert_allclose(episode.actions, [[0.005, -0.002]] * 3, atol=1e-7)
    assert [int(np.argmax(o[:, 30, 0])) for o in episode.observations] == [0, 1, 2, 3]
    assert episode.success.tolist() == [False, False, True]
    assert (episode.seed, episode.source) == (7, "online")

    status, result = stage.run(stop_on_success=False, episode=3)
    assert (status, result.reason, result.steps) == (SUCCEEDED, "horizon", 3)
    assert len(read_episode(result.file)) == 6

    robot.goal_after, robot.violation_after = 100, 2
    status, result = stage.run(episode=4)
    assert (status, result.reason, result.steps) == (SUCCEEDED, "violation", 2)
    assert result.violation and not result.success

    robot.violation_after = 100
    status, result = stage.run(episode=5, max_steps=2)
    assert (status, result.reason, result.steps) == (SUCCEEDED, "horizon", 2)
    assert result.total_reward == -2.0

    stage.planner.feasible = False
    status, result = stage.run(episode=6)
    assert (status, result.reason, result.holds) == (SUCCEEDED, "horizon", 6)
    assert not read_episode(result.file).actions.any()
    stage.planner.feasible = True

    # each plan was asked for with a frame at or after the end of the last motion
    stamps = [r.header.stamp.sec + r.header.stamp.nanosec * 1e-9 for r in stage.planner.requests]
    assert stamps == sorted(stamps)


def test_refused_plans_are_asked_for_again_but_not_for_ever(stage: Stage) -> None:
    stage.robot.goal_after = 2
    stage.robot.refusals = 2
    status, result = stage.run()
    assert (status, result.dropped, result.steps) == (SUCCEEDED, 2, 2)

    stage.robot.refusals = 100
    status, result = stage.run()
    assert (status, result.dropped) == (ABORTED, 3)
    assert "image older than the last motion" in result.reason


def test_what_is_missing_is_named(stage: Stage) -> None:
    robot, planner = stage.robot, stage.planner
    robot.goal_after = 1
    assert stage.run()[1].reason == "success"

    planner.silent = True
    assert stage.run()[1].reason == "no plan within 1.5 s"
    planner.silent, robot.answers = False, False
    assert stage.run()[1].reason == "no arm_command, though the plan came within 1.5 s"
    robot.answers, robot.shows_task_state = True, False
    assert stage.run()[1].reason.startswith("no task_state after the last motion")
    robot.shows_task_state, robot.shows_mask = True, False
    assert stage.run()[1].reason.startswith("no segmentation/mask after the last motion")
    robot.shows_mask, robot.reset_ok = True, False
    assert stage.run()[1].reason == "reset_scene failed: the cable is gone"
    robot.reset_ok, robot.ready = True, False
    robot.publish_state(moving=False)
    assert "ready and at rest (the arm is in FAULT)" in stage.run()[1].reason
    robot.ready, robot.violation_after = True, 0
    robot.publish_state(moving=False)
    status, result = stage.run()
    assert (status, result.reason) == (ABORTED, "the start state violates a constraint")
    assert stage.child.process.poll() is None


def test_absent_node_is_named(bench: Any, robot: Any, wait_until: Any, tmp_path: Path) -> None:
    from ls3_interfaces.action import RunEpisode

    bench.start("ls3_episodes.episode_node", horizon=6, start_timeout=1.0)
    client = bench.action_client(RunEpisode, "run_episode")
    wait_until(client.server_is_ready)
    answer = answered(client, RunEpisode.Goal(), wait_until).get_result_async()
    wait_until(answer.done)
    assert answer.result().result.reason == "no subscriber of step_request within 1 s"


def test_cancel_busy_and_interrupt(stage: Stage) -> None:
    endless = {"max_steps": 10**6}
    handle = stage.send(**endless)
    stage.until(lambda: stage.robot.motions > 2)
    assert not stage.send().accepted  # one episode at a time
    cancelled = handle.cancel_goal_async()
    stage.until(cancelled.done)
    status, result = stage.result(handle)
    assert (status, result.reason) == (CANCELED, "cancelled")
    assert len(read_episode(result.file)) >= 2

    stage.robot.motions = 0
    stage.send(**endless, episode=9)
    stage.until(lambda: stage.robot.motions > 2)
    stage.child.interrupt(signal.SIGTERM)
    assert stage.child.wait(5.0) == 0
    (file,) = stage.out.glob("episode_0009*")
    episode = read_episode(file)
    assert episode.attributes["ended"] == "interrupted"
    assert len(episode) >= 2


def test_second_stack_in_the_domain_is_refused(stage: Stage) -> None:
    from ls3_interfaces.msg import Plan

    stage.robot.goal_after = 1
    assert stage.run()[0] == SUCCEEDED
    stage.bench.publisher(Plan, "plan")
    status, result = stage.run()
    assert status == ABORTED
    assert "2 publishers of 'plan'" in result.reason
    assert "ROS_DOMAIN_ID" in result.reason
