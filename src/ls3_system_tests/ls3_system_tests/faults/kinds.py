"""The kinds of faults, the reactions that they demand, and random combinations of them. No ROS."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NODES = ("sim", "segmentation", "encoder", "planner", "arm", "episode")
"""The graph's processes that are killed, stopped and hung up; `sim` is camera and robot in one."""
LATEST_S, WAIT_S = 0.4, 0.7
"""All faults of a combination begin within LATEST_S. The first one begins at most WAIT_S after a
motion was seen; a step takes about 0.6 s."""

NOTHING, NO_MOVE, HOLD = "nothing", "no move", "hold"
"""The reaction that a fault demands. NOTHING: a step can still be made. NO_MOVE: a new step lacks
something, so that none may begin. HOLD: the arm's state is unknown or the arm may not move, so that
arm_node must tell the arm to hold."""


@dataclass(frozen=True)
class Fault:
    """One way to break the graph.

    Attributes:
        name: a unique name.
        how: kill, stop or hang up a process, inject into messages, load a damaged model, or
            deactivate.
        demands: the reaction that must follow: NOTHING, NO_MOVE or HOLD.
        node: the process that is killed, stopped or hung up, one of NODES; else empty.
    """

    name: str
    how: str
    demands: str
    node: str = ""


@dataclass(frozen=True)
class Combination:
    """Faults that occur together.

    Attributes:
        index: the row's number in the campaign.
        faults: the faults.
        delays: when each fault begins, after `wait` (s).
        wait: the time from a motion of the arm to the beginning (s).
    """

    index: int
    faults: tuple[Fault, ...]
    delays: tuple[float, ...]
    wait: float = 0.0

    @property
    def name(self) -> str:
        """The names of the faults."""
        return " + ".join(fault.name for fault in self.faults)

    @property
    def ended(self) -> list[str]:
        """The processes that end: those that are killed or hung up."""
        return [fault.node for fault in self.faults if fault.how in ("kill", "hangup")]


def _processes() -> Iterator[Fault]:
    for how, node in itertools.product(("kill", "stop", "hangup"), NODES):
        # hung up, arm_node itself must hold before it leaves
        hold = node == "sim" or (how, node) == ("hangup", "arm")
        yield Fault(f"{how}_{node}", how, HOLD if hold else NO_MOVE, node)


INJECTIONS = {
    # camera frames
    "camera_lost": NO_MOVE,
    "camera_frozen": NO_MOVE,
    "frame_black": NO_MOVE,
    "frame_size": NO_MOVE,
    "frame_encoding": NO_MOVE,
    "frame_cut": NO_MOVE,
    "frame_colours": NO_MOVE,
    "frame_moved": NO_MOVE,
    "frame_cropped": NO_MOVE,
    "frame_past": NO_MOVE,
    "frame_future": NO_MOVE,
    "frame_no_stamp": NO_MOVE,
    "frames_swapped": NOTHING,
    "frames_doubled": NOTHING,
    # the encoder's latents
    "latent_nan": NO_MOVE,
    "latent_size": NO_MOVE,
    # the planner's plans
    "plan_late": NO_MOVE,
    "plan_infeasible": NO_MOVE,
    "plan_nan": NO_MOVE,
    "plan_size": NO_MOVE,
    "plan_long": NO_MOVE,
    "plan_repeated": NOTHING,
    "plan_outward": NOTHING,
    # the robot's messages and behaviour
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
    "robot_rejects_moves": NOTHING,
    "robot_drifts": HOLD,
    "ecm_moved": HOLD,
    "hold_unheard": NO_MOVE,
    "hold_ignored": NOTHING,
}
"""The faults that the injector can make, with the reaction that each demands."""
FAULTS = (
    *_processes(),
    *(Fault(name, "inject", demand) for name, demand in INJECTIONS.items()),
    Fault("model_damaged", "model", NOTHING),
    Fault("deactivated", "deactivate", HOLD),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
CONTROL = Fault("none", "none", NOTHING)
"""The control: the same observation without a fault, during which the arm must move."""


def singles(seed: int) -> list[Combination]:
    """Return the control without a fault, then every fault alone."""
    rng = random.Random(seed)
    return [
        Combination(i, (fault,), (0.0,), round(rng.uniform(0.0, WAIT_S), 3))
        for i, fault in enumerate((CONTROL, *FAULTS))
    ]


def combinations(count: int, seed: int, first: int) -> list[Combination]:
    """Draw `count` combinations of two or three faults; the i-th one does not depend on `count`.

    first: the index of the first combination.
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
    """Return whether no process is broken in two ways at once."""
    nodes = [fault.node for fault in faults if fault.node]
    return len(set(nodes)) == len(nodes)
