"""gym_node as a process: one step per command, time that stands still, and what it refuses."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest
import short_lived

from ls3_common.parameter_files import read_facts
from ls3_common.shared import find_shared

FACTS = read_facts(find_shared("config/navigation.yaml"))
SETTINGS: dict[str, Any] = {f"domain__{name}": value for name, value in FACTS.items()}
OTHERS = "others"
"""Key of parameters that are no facts of the domain."""
PERIOD_NS, LEAP_NS = 100_000_000, 1_000_000_000


class Sim:
    """A gym_node and what it says of its joints."""

    def __init__(self, bench: Any, settings: dict[str, Any] = SETTINGS) -> None:
        from sensor_msgs.msg import JointState
        from std_msgs.msg import Float64MultiArray

        from ls3_common import ros, topics
        from ls3_interfaces.srv import ResetScene

        self._bench, self._ros, self._kind = bench, ros, Float64MultiArray
        self._request = ResetScene.Request
        self._joints = bench.collect(JointState, topics.JOINT_STATES)
        bench.start("ls3_sim.gym_node", **settings)
        self._commands = bench.publisher(Float64MultiArray, topics.controller("velocity"))
        self._client = bench.node.create_client(ResetScene, topics.RESET_SCENE)

    def now(self) -> tuple[int, list[float]]:
        """Stamp (ns) and positions of the next joint states; the newest is said again and again."""
        count = len(self._joints)
        self._bench.until(lambda: len(self._joints) > count + 1)
        newest = self._joints[-1]
        return self._ros.nanoseconds(newest.header.stamp), list(newest.position)

    def send(self, *command: float) -> None:
        self._commands.publish(self._kind(data=command))

    def reset(self, seed: int) -> Any:
        return self._bench.ask(self._client, self._request(seed=seed))


def test_one_step_per_command_and_none_for_a_bad_one(bench: Any) -> None:
    sim = Sim(bench)
    began, start = sim.now()
    assert start == [30.0, 75.0]
    for bad in ((1.0,), (1.0, 1.0, 1.0), (math.nan, 0.0), (0.0, math.inf)):
        sim.send(*bad)
    assert sim.now() == (began, start)
    sim.send(2.0, -1.0)
    bench.until(lambda: sim.now()[0] > began)
    stamp, place = sim.now()
    assert stamp == began + PERIOD_NS
    assert place == pytest.approx([32.0, 74.0], abs=0.8)
    sim.send(1000.0, 0.0)  # the environment's own bound, whoever forgot his
    bench.until(lambda: sim.now()[0] > stamp)
    assert sim.now()[1][0] - place[0] < 4.0


def test_reset_leaps_in_time_and_says_when_the_scene_stood(bench: Any) -> None:
    sim = Sim(bench)
    began, _ = sim.now()
    refused = sim.reset(-1)
    assert not refused.ok
    assert "negative" in refused.message
    assert sim.now()[0] == began
    sim.send(3.0, 0.0)
    bench.until(lambda: sim.now()[0] > began)
    moved, _ = sim.now()
    answer = sim.reset(7)
    assert answer.ok
    stands = answer.stamp.sec * 10**9 + answer.stamp.nanosec
    assert stands == moved + LEAP_NS
    bench.until(lambda: sim.now()[0] >= stands)
    assert sim.now() == (stands, [30.0, 75.0])


def test_an_environment_is_not_stepped_beyond_its_end(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = [str(Path(short_lived.__file__).parent), *filter(None, sys.path)]
    monkeypatch.setenv("PYTHONPATH", ":".join(path))
    sim = Sim(bench, {f"domain__{name}": value for name, value in short_lived.FACTS.items()})
    stamp, places = sim.now()[0], []
    for _ in range(short_lived.STEPS + 1):
        before = stamp
        sim.send(0.5, 0.0)
        bench.until(lambda before=before: sim.now()[0] > before)
        stamp, place = sim.now()
        places.append(place)
    assert places == [[0.5, 0.0], [1.0, 0.0], [1.0, 0.0]]  # time goes on, the scene stays
    answer = sim.reset(1)
    bench.until(lambda: sim.now()[0] > stamp)
    assert answer.ok and sim.now()[1] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"environment": "LS3/Nothing-v0"}, "LS3/Reacher-v0"),
        ({"joints": ["one"]}, "1 'joints' for 2 actions"),
        ({"interface": "position"}, "effort, velocity"),
        ({"period": 0.0}, "period"),
        ({OTHERS: {"environment__brightness": 1.0}}, "variations: camera_shift, camera_rotation"),
        ({OTHERS: {"environment__camera_shift": 99.0}}, "'camera_shift' is 99.0, outside [0, 32]"),
    ],
)
def test_what_it_cannot_run_with_is_said_without_a_traceback(
    bench: Any, changes: dict[str, Any], text: str
) -> None:
    others = changes.pop(OTHERS, {})
    facts = {f"domain__{key}": value for key, value in changes.items()}
    child = bench.start("ls3_sim.gym_node", **SETTINGS | facts | others)
    assert child.wait(60) == 2
    assert text in child.output
    assert "Traceback" not in child.output
