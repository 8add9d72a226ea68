"""Episodes of a scripted operator, who records demonstrations as a person would. No ROS.

An entry of a script is one episode: a behaviour of `cable_behaviours` and a seed. Steps are
numbered by the `Pilot` of `teleop_node`. Without ROS the same entry gives the same actions.
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

HISTORY = 200
"""Number of poses that are remembered: two seconds at 100 Hz."""


@dataclasses.dataclass(frozen=True)
class ScriptEntry:
    """One episode of a script: a behaviour, one of `BEHAVIOURS`, and the seed of its draws."""

    kind: str
    seed: int


def read_script(path: Path) -> list[ScriptEntry]:
    """Read a script, a JSON list of ``{"kind": ..., "seed": ...}``.

    Raises:
        ConfigError: the file cannot be read or is not such a list.
    """
    try:
        document = json.loads(path.read_text())
        entries = [ScriptEntry(**entry) for entry in document]
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (ValueError, TypeError) as error:
        do = f'write [{{"kind": "{BEHAVIOURS[0]}", "seed": 0}}, ...]'
        raise ConfigError(f"not a script: {error}", where=str(path), do=do) from None
    for entry in entries:
        if entry.kind not in BEHAVIOURS:
            known = ", ".join(BEHAVIOURS)
            raise ConfigError(f"no behaviour '{entry.kind}'; there are: {known}", where=str(path))
        if type(entry.seed) is not int or entry.seed < 0:
            raise ConfigError(f"seed {entry.seed!r} is not a whole number from 0", where=str(path))
    return entries


class ScriptedEpisode:
    """One episode of a script: its next action, and whether it is over.

    violated: whether a constraint is violated; set by the caller.

    Args:
        entry: behaviour and seed.
        layout: positions of start, obstacle and goal.
        limit: largest displacement per axis and step, m.
        steps: number of steps of an episode without a violation.
    """

    def __init__(self, entry: ScriptEntry, layout: CableLayout, limit: float, steps: int) -> None:
        self._act = make_behaviour(entry.kind, layout, limit, np.random.default_rng(entry.seed))
        self._left = steps
        self._action: tuple[float, float] | None = None  # drawn, but not carried out yet
        self.violated = False

    @property
    def over(self) -> bool:
        """Whether the episode has no further steps."""
        return self._left == 0 or self.violated

    def next_step(self, pilot: Pilot, tool: tuple[float, float], now: float) -> TeleopStep:
        """Return the next step for a tool at `tool` (x, y), m; a refused step is repeated."""
        if self._action is None:
            x, y = self._act({"tool_xy": np.array(tool)}).tolist()
            self._action = (x, y)
        return pilot.next_step(self._action, now)

    def carried_out(self) -> None:
        """Note that the arm carried out the step, or held."""
        self._action = None
        self._left -= 1


class PoseHistory:
    """The tool's position by stamp, because a frame and its pose arrive on separate topics."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[float, float]] = OrderedDict()

    def add(self, stamp: int, tool: tuple[float, float]) -> None:
        """Note a measured position (x, y), m, with its stamp (ns)."""
        self._known[stamp] = tool
        if len(self._known) > HISTORY:
            self._known.popitem(last=False)

    def at(self, stamp: int) -> tuple[float, float] | None:
        """Return the position (x, y), m, with this stamp (ns); None if it has not arrived."""
        return self._known.get(stamp)
