"""Episodes of a scripted operator: what a person does who records demonstrations. Pure: no ROS.

An entry of a script is one episode: a behaviour of `cable_behaviours` and the seed of its draws.
Steps are ordered and numbered as `teleop_node` does it, by the same `Pilot`; in process the same
entry gives the same actions.
"""

from __future__ import annotations

import dataclasses
import json
from collections import OrderedDict
from pathlib import Path

import numpy as np

from dvrk_cable_env.teleop.teleop import Pilot, TeleopStep
from ls3_common.errors import ConfigError
from ls3_sim.behaviours import BEHAVIOURS
from ls3_sim.cable_behaviours import make_behaviour
from ls3_sim.cable_scene import CableLayout

KEPT = 200
"""Poses that are remembered: two seconds of them at 100 Hz."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One episode of a script."""

    kind: str
    seed: int


def read_script(path: Path) -> list[Entry]:
    """A script: JSON, a list of ``{"kind": ..., "seed": ...}``.

    Raises:
        ConfigError: no such file, or something else is in it.
    """
    try:
        document = json.loads(path.read_text())
        entries = [Entry(**entry) for entry in document]
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (ValueError, TypeError) as error:
        do = f'[{{"kind": "{BEHAVIOURS[0]}", "seed": 0}}, ...]'
        raise ConfigError(f"not a script: {error}", where=str(path), do=do) from None
    for entry in entries:
        if entry.kind not in BEHAVIOURS:
            known = ", ".join(BEHAVIOURS)
            raise ConfigError(f"no behaviour '{entry.kind}', there are: {known}", where=str(path))
        if type(entry.seed) is not int or entry.seed < 0:
            raise ConfigError(f"seed {entry.seed!r} is no whole number from 0", where=str(path))
    return entries


class Performance:
    """One episode from its start mark on: which action is next, and whether it is over.

    Args:
        limit: longest step per axis (m).
        steps: of an episode that violates nothing.
    """

    def __init__(self, entry: Entry, layout: CableLayout, limit: float, steps: int) -> None:
        self._act = make_behaviour(entry.kind, layout, limit, np.random.default_rng(entry.seed))
        self._left = steps
        self._drawn: tuple[float, float] | None = None  # not carried out yet
        self.violated = False

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self._left == 0 or self.violated

    def order(self, pilot: Pilot, tool: tuple[float, float], now: float) -> TeleopStep:
        """The next step from where the tool is (m); one that was refused is ordered again."""
        if self._drawn is None:
            x, y = self._act({"tool_xy": np.array(tool)}).tolist()
            self._drawn = (x, y)
        return pilot.next_step(self._drawn, now)

    def carried_out(self) -> None:
        """The arm has taken the step, or held."""
        self._drawn = None
        self._left -= 1


class Poses:
    """Where the tool was at which stamp: frame and pose of one moment come by separate topics."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[float, float]] = OrderedDict()

    def add(self, stamp: int, tool: tuple[float, float]) -> None:
        """A measured position (m) at `stamp` (ns)."""
        self._known[stamp] = tool
        if len(self._known) > KEPT:
            self._known.popitem(last=False)

    def at(self, stamp: int) -> tuple[float, float] | None:
        """That of the frame with this stamp; None while it has not come."""
        return self._known.get(stamp)
