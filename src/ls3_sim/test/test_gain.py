"""An arm that misses its lengths: in the environment, and in the graph behind arm_node."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ros_bench import Bench
from sim_listener import SimListener

from dvrk_cable_env.arm.arm import ArmConfig
from dvrk_cable_env.camera.segmentation import segment_cable
from ls3_common.images import to_array
from ls3_launch import launching
from ls3_sim.cable_env import CableEnv
from ls3_sim.variations import EpisodeDraws

VARIATIONS = {"gain": 0.3, "delay": 1}
INTO_THE_EDGE = [(-0.015, 0.003)] * 4
"""From the start, 4 cm from the edge of the workspace; motions of 1.3 of their length leave it."""
HOLD = None
ACTIONS = [*INTO_THE_EDGE, HOLD, HOLD, (0.015, 0.01), HOLD, (0.015, 0.01)]


def seeds() -> list[int]:
    """Episodes in which the arm goes about 0.7 and about 1.3 of the way."""
    rngs = map(np.random.default_rng, range(200))
    gains = [EpisodeDraws(rng).factor("gain", VARIATIONS["gain"]) for rng in rngs]
    assert min(gains) < 0.71 and max(gains) > 1.29
    return [int(np.argmin(gains)), int(np.argmax(gains))]


@pytest.mark.background
def test_the_tool_reaches_the_edge_and_does_not_leave_it() -> None:
    env = CableEnv(**VARIATIONS)
    edge = env.scene.layout.workspace_low[0]
    for seed in seeds():
        env.reset(seed=seed)
        places = [env.step(np.array((-0.012, 0.0), np.float32))[4]["tool_xy"] for _ in range(8)]
        first = abs(places[0][0] - env.scene.layout.start[0])
        assert first == pytest.approx(0.012 * env.disturbance.gain, abs=1e-3)
        assert places[-1][0] == pytest.approx(edge, abs=1e-3)
        assert min(x for x, _ in places) > edge - 1e-3
    env.close()


class Planner:
    """Sends plans to arm_node, and waits until what came of them is over."""

    def __init__(self, bench: Bench, sim: SimListener) -> None:
        from ls3_common import qos, topics
        from ls3_interfaces.msg import ArmCommand, MotionState, Plan

        self._plan, self._sim, self._step = Plan, sim, 0
        self._plans = bench.node.create_publisher(Plan, topics.PLAN, qos.RELIABLE)
        self._commands = bench.collect(ArmCommand, topics.ARM_COMMAND)
        self.motions = bench.collect(MotionState, topics.MOTION_STATE, qos.LATCHED)
        self.bench = bench

    def ready(self) -> None:
        self.bench.matched(self._plans)
        self.rest()

    def rest(self) -> None:
        self._sim.until(
            lambda: self.motions and self.motions[-1].ready and not self.motions[-1].moving
        )

    def act(self, action: Any) -> tuple[str, int]:
        """What arm_node did with an action, and a time (ns) from which frames show that."""
        self._step += 1
        plan = self._plan(step=self._step, feasible=action is not None)
        plan.action = list(action or (0.0, 0.0))
        plan.header = self._sim.images[-1].header
        self._plans.publish(plan)
        self._sim.until(lambda: self._commands and self._commands[-1].step == self._step)
        command = self._commands[-1]
        if command.outcome != "held":
            self._sim.until(lambda: self.motions[-1].step == self._step)
            self._sim.until(lambda: not self.motions[-1].moving)
        assert self.motions[-1].ready, self.motions[-1].reason
        return command.outcome, self._sim.now() + 200_000_000


def test_arm_node_takes_a_missing_arm_to_the_edge_and_a_hold_is_a_step_of_the_camera(
    bench: Bench, listener: SimListener, tmp_path: Any
) -> None:
    sim, env, planner = listener, CableEnv(**VARIATIONS), Planner(bench, listener)
    config = tmp_path / "mine.yaml"
    facts = "environment: a, horizon: 9, action_low: [-0.015], action_high: [0.015], "
    facts += "action_unit: m, image_size: 64, channels: 1, constraints: [obstacle]"
    config.write_text(
        f"/**: {{ros__parameters: {{domain: {{{facts}}}}}}}\n"
        f"/**/environment: {{ros__parameters: {VARIATIONS}}}\n"
    )
    tolerance = launching.goal_tolerance({"config": str(config)})
    assert ArmConfig().goal_tolerance == launching.GOAL_TOLERANCE
    arm = {
        "use_sim_time": True,
        "auto_enable": True,
        "motion_timeout": 20.0,
        "limits__max_image_age": 60.0,
        "limits__max_state_age": 10.0,
        "limits__max_clock_skew": 10.0,  # a busy machine delivers the clock late
        "limits__max_silence": 10.0,
        "limits__latch_timeouts": False,
        "guards__sole_commander": False,  # the listener could command the arm as well
        **tolerance,
    }
    given = {f"environment__{name}": value for name, value in VARIATIONS.items()}
    with (
        bench.start("ls3_sim.sim_node", **given),
        bench.start("dvrk_cable_env.arm.arm_node", **arm),
    ):
        sim.matched()
        planner.ready()
        for seed in seeds():
            assert sim.reset(seed=seed).ok
            observation, info = env.reset(seed=seed)
            shown, outcomes = [difference(sim, observation, sim.now() + 200_000_000)], []
            for action in ACTIONS:
                observation, *_, info = env.step(np.array(action or (0.0, 0.0), np.float32))
                outcome, after = planner.act(action)
                outcomes.append(outcome)
                shown.append(difference(sim, observation, after))
                place = sim.measured[-1].pose.position  # the arm reports where it truly is
                assert [place.x, place.y] == pytest.approx(info["tool_xy"], abs=5e-4)
            assert [o == "held" for o in outcomes] == [action is HOLD for action in ACTIONS]
            assert "clamped" in outcomes and "refused" not in outcomes
            assert max(shown) < 0.6
    env.close()


def difference(sim: SimListener, observation: np.ndarray, after: int) -> float:
    """Mean difference between the mask that is seen after a time (ns) and an observation."""
    sim.until(lambda: sim.images and nanoseconds(sim.images[-1]) >= after)
    seen = segment_cable(np.ascontiguousarray(to_array(sim.images[-1])))
    return float(np.abs(seen.astype(int) - observation[..., 0]).mean())


def nanoseconds(message: Any) -> int:
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
