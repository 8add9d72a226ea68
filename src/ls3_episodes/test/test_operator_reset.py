"""Between episodes with an operator: a whole graph of real processes, but for the planner."""

from __future__ import annotations

import itertools
import math
import time
from pathlib import Path
from typing import Any

from goals import answered

SUCCEEDED, ABORTED = 4, 6  # action_msgs/GoalStatus
STEP, SPEED = 0.005, 0.03
CORNER = ([0.012, 0.0], [0.0, 0.012])
"""The actions of an episode; the way back is not the straight line to its start."""


class Table:
    """The graph, a planner that plays two steps, and an operator."""

    def __init__(self, bench: Any, out: Path) -> None:
        from geometry_msgs.msg import PoseStamped
        from std_msgs.msg import String

        from ls3_common import qos
        from ls3_interfaces.action import RunEpisode
        from ls3_interfaces.msg import ArmCommand, Latent, MotionState, Plan, StepRequest, TaskState

        self.bench, self.plan, self.goal = bench, Plan, RunEpisode.Goal
        self.until, self.out = bench.until, out
        node = bench.node
        self.latents = node.create_publisher(Latent, "latent", qos.RELIABLE)
        self.plans = node.create_publisher(Plan, "plan", qos.RELIABLE)
        node.create_subscription(StepRequest, "step_request", self._answer, qos.RELIABLE)
        self.moves: list[tuple[float, tuple[float, float]]] = []  # wall time, goal
        node.create_subscription(PoseStamped, "PSM1/move_cp", self._on_move, qos.RELIABLE)
        self.poses = bench.collect(PoseStamped, "PSM1/setpoint_cp")
        self.requests = bench.collect(String, "reset_request", qos.LATCHED)
        self.states = bench.collect(MotionState, "motion_state", qos.LATCHED)
        self.commands = bench.collect(ArmCommand, "arm_command")
        self.frames = bench.collect(TaskState, "task_state")
        self.episodes = bench.action_client(RunEpisode, "run_episode")
        bench.start("ls3_sim.sim_node", real_time_factor=2.0)
        bench.start("dvrk_cable_env.camera.segmentation_node")
        bench.start(
            "dvrk_cable_env.arm.arm_node",
            use_sim_time=True,
            auto_enable=True,
            motion_timeout=20.0,
            limits__max_image_age=30.0,
            limits__max_state_age=3.0,
            limits__max_clock_skew=2.0,
        )
        self.child = bench.start(
            "ls3_episodes.episode_node",
            use_sim_time=True,
            horizon=2,
            record=str(out),
            reset="operator",
            operator__step=STEP,
            operator__speed=SPEED,
            operator__timeout=4.0,
        )
        self.until(self.episodes.server_is_ready)
        self.until(lambda: self.states and self.states[-1].ready)
        self.until(lambda: self.poses and self.frames and node.count_publishers("PSM1/move_cp"))

    def _answer(self, request: Any) -> None:
        action = CORNER[request.step]
        self.plans.publish(
            self.plan(
                header=request.header,
                episode=request.episode,
                step=request.step,
                feasible=True,
                action=action,
            )
        )

    def _on_move(self, message: Any) -> None:
        self.moves.append((time.monotonic(), xy(message)))

    def call(self, name: str) -> Any:
        return self.bench.call(f"episode_node/{name}")

    def send(self, episode: int) -> Any:
        goal = self.goal(episode=episode, seed=3)
        return answered(self.episodes, goal, self.until).get_result_async()

    def asked(self, begin: str) -> str:
        """The request, once it is there."""
        self.until(lambda: self.requests and self.requests[-1].data.startswith(begin), 60)
        return str(self.requests[-1].data)

    def refuses_everybody(self) -> None:
        """The arm does not move, whoever asks for it, with a frame as fresh as can be."""
        topics = [self.plans, self.bench.publisher(self.plan, "retreat")]
        self.until(lambda: not self.states[-1].ready)
        before, tip = len(self.moves), xy(self.poses[-1])
        for number, topic in enumerate(topics * 3):
            count = len(self.frames)
            self.until(lambda count=count: len(self.frames) > count)
            plan = self.plan(episode=77, step=number, feasible=True, action=[0.01, 0.0])
            plan.header.stamp = self.frames[-1].header.stamp
            topic.publish(plan)
        self.until(lambda: sum(c.episode == 77 for c in self.commands) >= 6)
        answers = [c for c in self.commands if c.episode == 77]
        assert {c.outcome for c in answers} == {"refused"}
        assert all("stopped by the operator" in c.reason for c in answers)
        self.commands.clear()
        assert len(self.moves) == before
        assert math.dist(xy(self.poses[-1]), tip) < 1e-6


def xy(message: Any) -> tuple[float, float]:
    position = message.pose.position
    return position.x, position.y


def test_the_arm_goes_back_waits_held_and_goes_on_when_a_person_says_so(
    bench: Any, tmp_path: Path
) -> None:
    table = Table(bench, tmp_path)

    # before the first episode: asked, held, and armed by ~/continue alone
    assert not table.call("continue").success
    result = table.send(1)
    text = table.asked("Episode 1 is to begin. The arm is held and disarmed.")
    assert "ros2 service call /episode_node/continue std_srvs/srv/Trigger" in text
    table.until(lambda: text in table.child.output, 10)  # for who has a terminal only
    table.refuses_everybody()
    assert not table.moves
    assert not table.call("discard").success  # there is no episode yet
    start = xy(table.poses[-1])
    assert table.call("continue").success

    # after it: back the way that it came, in short slow steps
    text = table.asked("Episode 1 ended: horizon.")
    assert "Bring the tip" not in text and "did not go back" not in text
    assert math.dist(xy(table.poses[-1]), start) < 0.0015
    out, back = table.moves[:2], table.moves[2:]
    corner = out[0][1]
    assert math.dist(out[1][1], start) > 0.012
    assert len(back) >= 5
    points = [out[1], *back]
    for (_, here), (_, there) in itertools.pairwise(points):
        assert math.dist(here, there) <= STEP + 1e-6
        assert abs(there[0] - corner[0]) < 0.002 or abs(there[1] - corner[1]) < 0.002
    # times are those of receipt: of single steps they say little
    length = sum(math.dist(a, b) for (_, a), (_, b) in itertools.pairwise(back))
    assert back[-1][0] - back[0][0] > 0.7 * length / SPEED
    table.refuses_everybody()

    # thrown away
    (file,) = tmp_path.glob("*.h5")
    assert table.call("discard").success
    assert not result.done()
    table.refuses_everybody()
    assert table.call("continue").success
    table.until(result.done)
    answer = result.result()
    assert (answer.status, answer.result.file) == (ABORTED, "")
    assert answer.result.reason == "discarded by the operator"
    assert not file.exists()
    assert [path.name for path in tmp_path.iterdir()] == [f"{file.name}.discarded"]

    # the next begins at once, and stays as it is where nobody answers, the arm held
    result = table.send(2)
    table.asked("Episode 2 ended: horizon.")
    table.until(result.done, 20)
    answer = result.result()
    assert (answer.status, answer.result.reason) == (SUCCEEDED, "horizon")
    assert Path(answer.result.file).exists()
    table.until(lambda: "no ~/continue by the operator within 4 s" in table.child.output, 10)
    table.refuses_everybody()
    assert not table.call("continue").success  # too late
    table.send(3)
    table.asked("Episode 3 is to begin.")


def test_the_arm_stays_where_it_is_when_the_way_that_it_came_is_not_known(
    bench: Any, robot: Any
) -> None:
    from geometry_msgs.msg import PoseStamped
    from std_msgs.msg import String
    from std_srvs.srv import Trigger

    from ls3_common import qos
    from ls3_interfaces.action import RunEpisode
    from ls3_interfaces.msg import Latent, Plan, StepRequest

    node, tip, called, unseen = bench.node, [0.0], [], [""]

    def tell() -> None:
        pose = PoseStamped()
        pose.header.stamp = bench.stamp()
        pose.pose.position.x = tip[0]
        poses.publish(pose)

    def serve(name: str) -> None:
        def answer(_request: Any, response: Any) -> Any:
            called.append(name)
            response.success = name == "arm" or not unseen[0]
            response.message = unseen[0]
            return response

        node.create_service(Trigger, f"arm_node/{name}", answer)

    def plan(request: Any) -> None:
        fields = {"episode": request.episode, "step": request.step, "action": [0.0, 0.0]}
        plans.publish(Plan(header=request.header, feasible=True, **fields))

    poses = node.create_publisher(PoseStamped, "PSM1/setpoint_cp", qos.RELIABLE)
    plans, _ = (
        node.create_publisher(Plan, "plan", qos.RELIABLE),
        node.create_publisher(Latent, "latent", qos.RELIABLE),
    )
    node.create_subscription(StepRequest, "step_request", plan, qos.RELIABLE)
    requests = bench.collect(String, "reset_request", qos.LATCHED)
    back = bench.collect(Plan, "retreat")
    for name in ("stop", "arm"):
        serve(name)
    node.create_timer(0.02, tell)
    client = bench.action_client(RunEpisode, "run_episode")
    bench.start("ls3_episodes.episode_node", horizon=1, settle=0.02, reset="operator")
    bench.until(client.server_is_ready)

    def asked(begin: str) -> str:
        bench.until(lambda: requests and requests[-1].data.startswith(begin), 20)
        return str(requests[-1].data)

    def confirmed() -> Any:
        return bench.call("episode_node/continue")

    sent = client.send_goal_async(RunEpisode.Goal(episode=4))
    asked("Episode 4 is to begin.")
    assert called == ["stop"]
    assert "The arm is held and disarmed." in requests[-1].data
    unseen[0] = "NOT STOPPED: the arm still moves"  # of the next stop
    assert confirmed().success
    bench.until(lambda: robot.seeds)
    bench.until(lambda: called == ["stop", "arm"])
    bench.until(lambda: robot.motions >= 0 and robot.plans)
    tip[0] = 0.05  # somebody put the arm elsewhere, or its poses were lost for a while
    text = asked("Episode 4 ended: horizon.")
    assert "Bring the tip to (0.0, 0.0) mm." in text
    assert "disarmed, but NOBODY SAW THE ARM STOP: NOT STOPPED: the arm still moves." in text
    assert "held" not in text
    answer = confirmed()
    assert (answer.success, answer.message) == (False, "bring the tip to (0.0, 0.0) mm first")
    assert called == ["stop", "arm", "stop"]
    tip[0] = 0.001
    bench.until(lambda: confirmed().success)
    bench.until(lambda: called == ["stop", "arm", "stop", "arm"])
    result = sent.result().get_result_async()
    bench.until(result.done)
    assert result.result().status == SUCCEEDED
    assert not back
