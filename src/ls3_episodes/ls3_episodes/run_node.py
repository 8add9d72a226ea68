"""run_node: runs episodes through the graph, reports progress, and writes figures and a video.

The exit code is 0 only if every requested episode ran.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionClient
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import Image

from ls3_common import qos, ros, topics
from ls3_common.errors import UserError
from ls3_common.images import to_array
from ls3_common.parameters import parameter
from ls3_episodes import summary
from ls3_episodes.film.film import Film, ending
from ls3_episodes.film.scene import FilmConfig
from ls3_episodes.operator_reset import DISCARDED
from ls3_episodes.presence import find_conflict
from ls3_episodes.summary import EpisodeOutcome, RunSummary
from ls3_episodes.waiting import Aborted, Waiter
from ls3_interfaces.action import RunEpisode
from ls3_interfaces.msg import ArmCommand, MotionState, Plan

REMEMBERED_FRAMES = 1000
"""Number of frames whose time of receipt is kept."""
FAULTS_TO_GIVE_UP = 2
"""Number of episodes in a row that did not run after which the run ends."""
STEPS_PER_LINE = 10
"""Steps between two lines of progress."""
FILM_TIMEOUT_S = 300.0
"""Longest wait for the end of the video, s."""
INTERRUPTED = 130
"""Exit code after SIGINT or SIGTERM, as of a shell."""
_print = functools.partial(print, flush=True)


@dataclass(frozen=True, kw_only=True)
class RunNodeConfig:
    """Parameters of run_node: its section of a domain's YAML, and what a launch file adds."""

    model: str = parameter(description="directory of the trained model", is_path=True)
    episodes: int = parameter(low=1, description="number of episodes to run")
    seed: int = parameter(0, low=0, description="seed of episode 0; episode i has seed + i")
    out: str = parameter(description="directory of summary.json and the video", is_path=True)
    video: bool = parameter(True, description="write episodes.mp4")
    max_steps: int = parameter(low=1, description="T, length of an episode", domain="horizon")
    stop_on_success: bool = parameter(True, description="end an episode at the goal")
    arm: str = parameter("PSM1", description="CRTK name of the arm, at whose tool plans are drawn")
    start_timeout: float = parameter(
        120.0, low=0.1, description="longest wait for the graph, wall time", unit="s"
    )
    answer_timeout: float = parameter(
        20.0, low=0.1, description="longest wait for the answer to a request", unit="s"
    )
    film: FilmConfig


class RunNode(Node):
    """Client of the action run_episode, which also follows the topics of the whole graph."""

    def __init__(self) -> None:
        super().__init__("run_node")
        self.config = config = ros.declare(self, RunNodeConfig)
        # importing PyTorch takes seconds, so only after the parameters were checked
        import torch

        from ls3_models.bundle import load_bundle

        torch.set_num_threads(1)
        bundle = load_bundle(config.model)
        self._summary = RunSummary(
            config.episodes,
            bundle.manifest.get("demonstrator_mean_steps"),
            {"model": bundle.identity, "seed": config.seed},
        )
        summary.make_directory(config.out)
        self._summary.write(config.out)  # replaces the file of an earlier run
        self._began = time.monotonic()
        self._episode = -1
        self._plan_ms: list[float] = []  # of the running episode
        self._held_for = ""  # the newest reason why a plan of the running episode had no action
        self._seen: OrderedDict[int, float] = OrderedDict()  # frame stamp (ns) -> receipt (s)
        self._film: Film | None = None
        if config.video:
            self._film = Film(
                str(Path(config.out) / "episodes.mp4"),
                config.film,
                bundle.decode,
                config.max_steps,
                bundle.frame_channels,
                self.get_logger().warning,
            )
        self._waiter = Waiter(self)
        self._client = ActionClient(self, RunEpisode, topics.RUN_EPISODE)
        for kind, topic, callback, profile in (
            (Image, topics.CAMERA_IMAGE, self._on_camera, qos.BEST_EFFORT),
            (Image, topics.MASK, self._on_mask, qos.BEST_EFFORT),
            (Plan, topics.PLAN, self._on_plan, qos.RELIABLE),
            (ArmCommand, topics.ARM_COMMAND, self._on_command, qos.RELIABLE),
            (MotionState, topics.MOTION_STATE, self._on_motion, qos.LATCHED),
            # commanded poses only: a hundred measured ones per second would cost too much time
            (PoseStamped, topics.arm(config.arm, "move_cp"), self._on_goal_pose, qos.RELIABLE),
        ):
            self.create_subscription(kind, topic, callback, profile)
        # the node has an executor only when it spins
        self._start = self.create_timer(
            0.0, self._begin, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    @property
    def complete(self) -> bool:
        """Whether every requested episode ran."""
        return self._summary.complete

    def close(self) -> None:
        """Finish the video, so that its file can be played."""
        if self._film is not None:
            self._film.close()

    def _begin(self) -> None:
        self._start.cancel()
        # a task of its own: it awaits messages, and must not block the callbacks that bring them
        self.executor.create_task(self._run)

    async def _run(self) -> None:
        config = self.config
        faults = 0
        try:
            await self._waiter.until(
                self._client.server_is_ready,
                config.start_timeout,
                f"action server {topics.RUN_EPISODE} (episode_node)",
            )
            # figures and film need every step of the first episode too; the run does not wait for
            # the camera's topic, because a compressed camera publishes no raw frames
            for topic in (topics.PLAN, topics.ARM_COMMAND):
                await self._waiter.until(
                    functools.partial(self._is_published, topic),
                    config.start_timeout,
                    f"publisher of {topic}",
                )
            for index in range(config.episodes):
                row = await self._run_episode(index)
                self._summary.add(row)
                self._summary.write(config.out)
                elapsed = time.monotonic() - self._began
                _print(summary.line(row, index + 1, self._summary, elapsed))
                # an episode that the operator discarded is not a fault of the graph
                faults = 0 if row.ran or row.reason == DISCARDED else faults + 1
                if faults == FAULTS_TO_GIVE_UP and index + 1 < config.episodes:
                    _print(f"given up after {faults} episodes in a row that did not run")
                    break
            if self._film is not None:
                self._film.finish()
                await self._waiter.until(self._film.done, FILM_TIMEOUT_S, "end of the video")
        except Aborted as reason:
            raise UserError(str(reason), where="run_node") from None
        ran, out = len(self._summary.ran), config.out
        _print(f"{ran} of {config.episodes} episodes ran; results in {out}")
        raise SystemExit(0 if self.complete else 1)

    def _is_published(self, topic: str) -> bool:
        return self.count_publishers(topic) > 0

    async def _run_episode(self, index: int) -> EpisodeOutcome:
        reason = find_conflict(self)
        if reason:
            raise Aborted(reason)
        config, began = self.config, time.monotonic()
        seed = config.seed + index
        goal = RunEpisode.Goal(
            seed=seed,
            episode=index,
            max_steps=config.max_steps,
            stop_on_success=config.stop_on_success,
        )
        self._episode, self._plan_ms, self._held_for = index, [], ""
        if self._film is not None:
            self._film.begin(
                f"episode {index + 1} of {config.episodes}, seed {seed}", self._tally()
            )
        sent = self._client.send_goal_async(goal, feedback_callback=self._progress)
        sent.add_done_callback(lambda _future: self._waiter.wake())
        # without an answer, which may be lost, the state of the episode is unknown
        answered = f"answer from {topics.RUN_EPISODE} (episode_node)"
        await self._waiter.until(sent.done, config.answer_timeout, answered)
        handle = sent.result()
        if not handle.accepted:
            raise Aborted("episode_node is running an episode for another client; stop that one")
        answer = await handle.get_result_async()
        result = answer.result
        if self._film is not None:
            self._film.end(*ending(result))
        self._episode = -1
        return EpisodeOutcome(
            episode=index,
            seed=seed,
            ran=answer.status == GoalStatus.STATUS_SUCCEEDED,
            success=result.success,
            violation=result.violation,
            steps=result.steps,
            holds=result.holds,
            dropped=result.dropped,
            reason=result.reason,
            plan_ms_median=summary.rounded(summary.median(self._plan_ms)),
            wall_s=round(time.monotonic() - began, 2),
            file=result.file,
            held_for=self._held_for,
        )

    def _tally(self) -> list[tuple[str, str]]:
        ran = self._summary.ran
        return [
            ("goals reached", f"{sum(row.success for row in ran)} of {len(ran)}"),
            ("violations", f"{sum(row.violation for row in ran)}"),
        ]

    def _progress(self, message: RunEpisode.Impl.FeedbackMessage) -> None:
        feedback = message.feedback
        if (feedback.step + 1) % STEPS_PER_LINE == 0:
            plan = "feasible" if feedback.feasible else "none feasible, arm holds"
            _print(
                f"  episode {self._episode + 1}, step {feedback.step + 1} of "
                f"{self.config.max_steps}: plan {plan}, {1000 * feedback.solve_time:.0f} ms"
            )

    def _on_camera(self, message: Image) -> None:
        self._seen[ros.nanoseconds(message.header.stamp)] = time.monotonic()
        if len(self._seen) > REMEMBERED_FRAMES:
            self._seen.popitem(last=False)
        if self._film is not None:
            with contextlib.suppress(ValueError):  # segmentation_node reports such a frame
                self._film.camera(to_array(message))

    def _on_mask(self, message: Image) -> None:
        if self._film is not None:
            with contextlib.suppress(ValueError):
                self._film.mask(to_array(message))

    def _on_plan(self, message: Plan) -> None:
        if message.episode != self._episode:
            return
        self._held_for = message.reason or self._held_for
        self._plan_ms.append(1000 * message.solve_time)
        self._summary.plan_ms.append(1000 * message.solve_time)
        if self._film is not None:
            self._film.plan(message)

    def _on_command(self, message: ArmCommand) -> None:
        received = self._seen.get(ros.nanoseconds(message.image_stamp))
        if received is not None and message.episode == self._episode:
            elapsed = time.monotonic() - received
            self._summary.frame_to_command_ms.append(1000 * elapsed)

    def _on_motion(self, message: MotionState) -> None:
        if self._film is not None:
            self._film.moving(message.moving)

    def _on_goal_pose(self, message: PoseStamped) -> None:
        if self._film is not None:
            self._film.tool(message.pose.position.x, message.pose.position.y)


def main() -> NoReturn:
    """Entry point of the process."""
    made: list[RunNode] = []

    def make() -> RunNode:
        made.append(RunNode())
        return made[0]

    code = ros.run(make)
    ros.leave(code or (0 if made[0].complete else INTERRUPTED))


if __name__ == "__main__":
    main()
