"""Online episodes of Algorithm 1 through a running graph instead of an environment.

The learner is a client: it loads its models into encoder and planner while nothing moves, asks
episode_node for an episode, and reads the file that this wrote.
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

from ls3.learning.algorithm import Ask
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
ATTEMPTS = 3
"""Episodes in a row that may fail to run, an arm that was not ready for instance."""
POLL_S = 0.05


@runtime_checkable
class RunsInGraph(Protocol):
    """An agent whose models the nodes of a graph can act with (`Method.on_robot`)."""

    def bundle(self) -> Bundle:
        """The present models."""


class GraphClients:
    """What asks the graph. To be made before the node spins: rclpy's executor looks at an action
    client that is still being made.
    """

    def __init__(self, node: Node) -> None:
        self.log = node.get_logger()
        self.episodes = ActionClient(node, RunEpisode, topics.RUN_EPISODE)
        self.loaders = {
            name: node.create_client(LoadModel, topics.load_model(name)) for name in MODEL_USERS
        }


class GraphEpisodes:
    """A source of episodes; the clients' callbacks must run in another thread.

    Args:
        models: directory for the models of every phase.
        horizon: T.
        start_timeout_s: until all nodes are there, and for loading a model.
    """

    def __init__(
        self,
        clients: GraphClients,
        models: Path,
        *,
        horizon: int,
        stop_on_success: bool,
        start_timeout_s: float = 120.0,
    ) -> None:
        self._clients, self._models = clients, models
        self._horizon, self._stop_on_success = horizon, stop_on_success
        self._timeout = start_timeout_s
        self._phase = -1  # whose models the nodes have

    def __call__(self, ask: Ask) -> Episode:
        """Run one episode.

        Raises:
            Interrupted: a person wants to stop; the episode under way is cancelled.
            UserError: nodes are missing or refuse a model, or no episode runs.
        """
        if not isinstance(ask.agent, RunsInGraph):
            raise UserError(f"no node acts as agent '{ask.agent.name}' does", where="learn_node")
        bundle = ask.agent.bundle()
        if ask.phase != self._phase:
            self._load(ask, bundle)
            self._phase = ask.phase
        reason = ""
        for _ in range(ATTEMPTS):
            result, ran = self._run(ask)
            if ran:
                episode = self._read(result.file, bundle)
                for step in steps_of(episode):
                    ask.observed(step)
                return episode
            reason = result.reason
            self._clients.log.warning(f"episode {ask.number} did not run: {reason}")
        raise UserError(
            f"episode {ask.number} did not run {ATTEMPTS} times: {reason}",
            where="run_episode",
            do="mend that; the same command goes on from there",
        )

    def _load(self, ask: Ask, bundle: Bundle) -> None:
        path = (self._models / f"phase_{ask.phase:03d}").absolute()
        identity = save_bundle(bundle, path).identity
        for name, client in self._clients.loaders.items():
            self._wait(client.service_is_ready, ask, f"service of {name}", self._timeout)
            future = client.call_async(LoadModel.Request(path=str(path)))
            self._wait(future.done, ask, f"{name} to load a model", self._timeout)
            response = future.result()
            if not response.ok or response.identity != identity:
                raise UserError(f"{name} did not load it: {response.message}", where=str(path))

    def _run(self, ask: Ask) -> tuple[Any, bool]:
        """The result, and whether the episode ran to its end."""
        self._wait(self._clients.episodes.server_is_ready, ask, "episode_node", self._timeout)
        goal = RunEpisode.Goal(
            seed=ask.seed,
            episode=ask.number,
            max_steps=self._horizon,
            stop_on_success=self._stop_on_success,
        )
        sent = self._clients.episodes.send_goal_async(goal)
        self._wait(sent.done, ask, "an answer of episode_node", self._timeout)
        handle = sent.result()
        if not handle.accepted:
            raise UserError("episode_node runs an episode for someone else", where="run_episode")
        answer = handle.get_result_async()
        try:
            self._wait(answer.done, ask, "the end of the episode", float("inf"))
        except (Interrupted, UserError):
            handle.cancel_goal_async()
            raise
        return answer.result().result, answer.result().status == GoalStatus.STATUS_SUCCEEDED

    def _wait(self, condition: Callable[[], bool], ask: Ask, what: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if ask.stopped():
                raise Interrupted
            if time.monotonic() > deadline:
                raise UserError(f"waited {timeout_s:g} s for {what}", where="learn_node")
            time.sleep(POLL_S)

    def _read(self, file: str, bundle: Bundle) -> Episode:
        if not file:
            raise UserError(
                "the episode was not recorded", where="episode_node", do="set its `record`"
            )
        episode = read_episode(Path(file))
        observations = stacked(episode.observations, bundle.config.frame_stack)
        return Episode(**{**vars(episode), "observations": observations})


def stacked(frames: np.ndarray, count: int) -> np.ndarray:
    """Stack frames as a model sees them.

    Args:
        frames: uint8 (T + 1, h, w, c), one per state.
        count: frames in a stack; the first frame is repeated before the start.

    Returns:
        uint8 (T + 1, h, w, count * c), the newest frame last.
    """
    stack = FrameStack(count)
    return np.stack([stack.add(frame) for frame in frames])
