"""Runs the online episodes of Algorithm 1 through a running graph instead of an environment.

The learner is a client of the graph. It loads its models into encoder_node and planner_node while
nothing moves, requests an episode from episode_node, and reads the file that episode_node wrote.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.node import Node

from ls3.learning.algorithm import EpisodeRequest
from ls3_common import topics
from ls3_common.errors import UserError
from ls3_common.images import FrameStack
from ls3_common.progress import Interrupted
from ls3_interfaces.action import RunEpisode
from ls3_interfaces.srv import LoadModel
from ls3_models.agent import steps_of
from ls3_models.bundle import Bundle, save_bundle
from ls3_models.episodes import Episode, read_episode

MODEL_USERS = ("encoder_node", "planner_node")
"""Nodes that load the learner's models."""
MAX_ATTEMPTS = 3
"""How often an episode is requested if it does not run, e.g. because the arm is not ready."""
POLL_S = 0.05
"""Time between two checks of a condition, s."""


@runtime_checkable
class RunsInGraph(Protocol):
    """An agent whose models the nodes of a graph can use (`Method.on_robot`)."""

    def bundle(self) -> Bundle:
        """Return the present models."""


class GraphClients:
    """The clients of the graph: the action run_episode, and the services that load models."""

    def __init__(self, node: Node) -> None:
        """Make the clients on `node`, which must not spin yet.

        An executor that already spins would use an action client before it is complete.
        """
        self.log = node.get_logger()
        self.episodes = ActionClient(node, RunEpisode, topics.RUN_EPISODE)
        self.loaders = {
            name: node.create_client(LoadModel, topics.load_model(name)) for name in MODEL_USERS
        }


class GraphEpisodes:
    """Runs episodes through the graph; a `Source` for `OnlineLearning`."""

    def __init__(
        self,
        clients: GraphClients,
        models: Path,
        *,
        horizon: int,
        stop_on_success: bool,
        start_timeout_s: float = 120.0,
    ) -> None:
        """Use these clients, whose node must spin in another thread.

        Args:
            clients: clients of the graph.
            models: directory for the models of every phase.
            horizon: T, length of an episode.
            stop_on_success: whether an episode ends at the goal.
            start_timeout_s: longest wait for a node, or for the loading of a model, s.
        """
        self._clients, self._models = clients, models
        self._horizon, self._stop_on_success = horizon, stop_on_success
        self._timeout = start_timeout_s
        self._phase = -1  # phase of the models that the nodes have loaded

    def __call__(self, request: EpisodeRequest) -> Episode:
        """Run one episode.

        Raises:
            Interrupted: a person wants to stop; the running episode is cancelled.
            UserError: nodes are missing or refuse a model, or no episode runs.
            DataError: the episode's file is damaged.
        """
        if not isinstance(request.agent, RunsInGraph):
            raise UserError(
                f"no node can act as agent '{request.agent.name}' does",
                where="learn_node",
                do="learn in an environment with `ls3 learn`",
            )
        bundle = request.agent.bundle()
        if request.phase != self._phase:
            self._load(request, bundle)
            self._phase = request.phase
        reason = ""
        for _ in range(MAX_ATTEMPTS):
            result, ran = self._run(request)
            if ran:
                episode = self._read(result.file, bundle)
                for step in steps_of(episode):
                    request.on_step(step)
                return episode
            reason = result.reason
            self._clients.log.warning(f"episode {request.number} did not run: {reason}")
        raise UserError(
            f"episode {request.number} failed to run in {MAX_ATTEMPTS} attempts: {reason}",
            where="run_episode",
            do="remove the cause, then run the same command again to continue",
        )

    def _load(self, request: EpisodeRequest, bundle: Bundle) -> None:
        path = (self._models / f"phase_{request.phase:03d}").absolute()
        identity = save_bundle(bundle, path).identity
        for name, client in self._clients.loaders.items():
            self._wait(client.service_is_ready, request, f"service of {name}", self._timeout)
            future = client.call_async(LoadModel.Request(path=str(path)))
            self._wait(future.done, request, f"model loaded by {name}", self._timeout)
            response = future.result()
            if not response.ok or response.identity != identity:
                raise UserError(
                    f"{name} did not load this model: {response.message}",
                    where=str(path),
                    do="remove the cause, then run the same command again to continue",
                )

    def _run(self, request: EpisodeRequest) -> tuple[Any, bool]:
        """Return the result of run_episode, and whether the episode ran to its end."""
        self._wait(self._clients.episodes.server_is_ready, request, "episode_node", self._timeout)
        goal = RunEpisode.Goal(
            seed=request.seed,
            episode=request.number,
            max_steps=self._horizon,
            stop_on_success=self._stop_on_success,
        )
        sent = self._clients.episodes.send_goal_async(goal)
        self._wait(sent.done, request, "answer from episode_node", self._timeout)
        handle = sent.result()
        if not handle.accepted:
            raise UserError(
                "episode_node is running an episode for another client",
                where="run_episode",
                do="stop that client, then run the same command again to continue",
            )
        answer = handle.get_result_async()
        try:
            self._wait(answer.done, request, "end of the episode", float("inf"))
        except (Interrupted, UserError):
            handle.cancel_goal_async()
            raise
        return answer.result().result, answer.result().status == GoalStatus.STATUS_SUCCEEDED

    def _wait(
        self, condition: Callable[[], bool], request: EpisodeRequest, what: str, timeout_s: float
    ) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if request.stopped():
                raise Interrupted
            if time.monotonic() > deadline:
                raise UserError(
                    f"no {what} within {timeout_s:g} s",
                    where="learn_node",
                    do="see the log of that node, then run the same command again to continue",
                )
            time.sleep(POLL_S)

    def _read(self, file: str, bundle: Bundle) -> Episode:
        if not file:
            raise UserError(
                "the episode was not recorded",
                where="episode_node",
                do="set the parameter `record` of episode_node to a directory",
            )
        episode = read_episode(Path(file))
        observations = stacked(episode.observations, bundle.config.frame_stack)
        return Episode(**{**vars(episode), "observations": observations})


def stacked(frames: np.ndarray, count: int) -> np.ndarray:
    """Stack the frames of an episode as a model sees them.

    Args:
        frames: uint8 (T + 1, h, w, c), one per state.
        count: number of frames in a stack. Before the start, the first frame is repeated.

    Returns:
        uint8 (T + 1, h, w, count * c), the newest frame last.
    """
    stack = FrameStack(count)
    return np.stack([stack.add(frame) for frame in frames])
