"""What is broken, how, and what must be seen afterwards. Pure: no ROS."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NODES = ("sim", "segmentation", "encoder", "planner", "arm", "episode")
"""The graph's processes that are killed and stopped; `sim` is camera and robot in one."""
LATEST_S, WAIT_S = 0.4, 0.7
"""Faults of one combination begin within so many seconds, the first so long after a motion at the
latest; a step takes about 0.6 s."""

NOTHING, NO_MOVE, HOLD = "nothing", "no move", "hold"
"""What a fault takes away: nothing that a step needs; what a new step needs, so that none may
begin; the arm's state or the right to move it, so that arm_node must tell it to hold."""


@dataclass(frozen=True)
class Fault:
    """One way to break the graph.

    how: kill or stop a process, inject into the messages, load a damaged model, deactivate.
    """

    name: str
    how: str
    takes: str
    node: str = ""


@dataclass(frozen=True)
class Combination:
    """Faults that begin `wait` and then `delays` seconds after the arm was seen to move."""

    index: int
    faults: tuple[Fault, ...]
    delays: tuple[float, ...]
    wait: float = 0.0

    @property
    def name(self) -> str:
        return " + ".join(fault.name for fault in self.faults)

    @property
    def killed(self) -> list[str]:
        return [fault.node for fault in self.faults if fault.how == "kill"]


def _processes() -> Iterator[Fault]:
    for how, node in itertools.product(("kill", "stop"), NODES):
        yield Fault(f"{how}_{node}", how, HOLD if node == "sim" else NO_MOVE, node)


INJECTIONS = {
    # what the camera shows
    "camera_lost": NO_MOVE,
    "camera_frozen": NO_MOVE,
    "frame_black": NO_MOVE,
    "frame_size": NO_MOVE,
    "frame_encoding": NO_MOVE,
    "frame_cut": NO_MOVE,
    "frame_past": NO_MOVE,
    "frame_future": NO_MOVE,
    "frame_no_stamp": NO_MOVE,
    "frames_swapped": NOTHING,
    "frames_doubled": NOTHING,
    # what the encoder tells
    "latent_nan": NO_MOVE,
    "latent_size": NO_MOVE,
    # what the planner wants
    "plan_late": NO_MOVE,
    "plan_infeasible": NO_MOVE,
    "plan_nan": NO_MOVE,
    "plan_size": NO_MOVE,
    "plan_long": NO_MOVE,
    "plan_repeated": NOTHING,
    "plan_outward": NOTHING,
    # what the robot says and does
    "robot_fault": HOLD,
    "robot_pause": HOLD,
    "robot_lost": HOLD,
    "robot_reconnects": HOLD,
    "robot_no_stamp": HOLD,
    "robot_past": HOLD,
    "robot_future": NO_MOVE,
    "robot_nan": NO_MOVE,
    "robot_frame": NO_MOVE,
    "robot_drops_moves": NOTHING,
}
"""Everything that the injector knows to do."""
FAULTS = (
    *_processes(),
    *(Fault(name, "inject", takes) for name, takes in INJECTIONS.items()),
    Fault("model_damaged", "model", NOTHING),
    Fault("deactivated", "deactivate", HOLD),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
CONTROL = Fault("none", "none", NOTHING)
"""What the same watching shows where nothing is broken: the arm must move."""


def singles(seed: int) -> list[Combination]:
    """Nothing, then every fault alone."""
    rng = random.Random(seed)
    return [
        Combination(i, (fault,), (0.0,), round(rng.uniform(0.0, WAIT_S), 3))
        for i, fault in enumerate((CONTROL, *FAULTS))
    ]


def combinations(count: int, seed: int, first: int) -> list[Combination]:
    """Two or three different faults each; the i-th does not depend on `count`.

    first: number of the first of them.
    """
    return [_draw(first + i, random.Random(f"{seed}/{i}")) for i in range(count)]


def _draw(index: int, rng: random.Random) -> Combination:
    while True:
        faults = rng.sample(FAULTS, rng.choice((2, 3)))
        if _possible(faults):
            delays = (0.0, *(round(rng.uniform(0.0, LATEST_S), 3) for _ in faults[1:]))
            wait = round(rng.uniform(0.0, WAIT_S), 3)
            return Combination(index, tuple(faults), delays, wait)


def _possible(faults: Sequence[Fault]) -> bool:
    """A process is not killed and stopped at once."""
    nodes = [fault.node for fault in faults if fault.node]
    return len(set(nodes)) == len(nodes)
