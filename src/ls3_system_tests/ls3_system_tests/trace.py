"""The times at which a control step's messages were sent, and the time spent at each hop."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any

from ls3_common.errors import UserError
from ls3_episodes.summary import percentile

Key = tuple[int, int]
"""Number of the episode, and of the step in the episode."""


@dataclass
class Trace:
    """The times at which the messages of all steps were sent.

    `sent` and `received` are wall times (ns). `stamp` is the stamp of the step's camera frame (ns
    of the graph's clock), which its clock, camera, mask, latent and plan messages share.
    """

    frames: dict[str, dict[int, int]] = field(default_factory=dict)
    """Hop, frame's stamp: when sent."""
    requests: dict[Key, int] = field(default_factory=dict)
    plans: dict[Key, tuple[int, int, float]] = field(default_factory=dict)
    """Frame's stamp, when sent, and the solver's time (s)."""
    steps: list[dict[str, float]] = field(default_factory=list)
    """Milliseconds by hop, of every step all of whose messages were seen."""
    strays: int = 0
    """Commands some of whose earlier messages were not seen."""

    def frame(self, hop: str, stamp: int, sent: int) -> None:
        """Note a message of `hop`: clock, camera, mask or latent."""
        self.frames.setdefault(hop, {})[stamp] = sent

    def request(self, key: Key, sent: int) -> None:
        """Note the request for a step."""
        self.requests[key] = sent

    def plan(self, key: Key, stamp: int, sent: int, solve_s: float) -> None:
        """Note the plan of a step, made of the frame of `stamp` in `solve_s` seconds."""
        self.plans[key] = (stamp, sent, solve_s)

    def command(self, key: Key, stamp: int, sent: int, received: int) -> None:
        """Add up a step at the arm's answer. All earlier messages of the step were noted before."""
        hops = ("clock", "camera", "mask", "latent")
        times = [self.frames[hop][stamp] for hop in hops if stamp in self.frames.get(hop, {})]
        request, plan = self.requests.get(key), self.plans.get(key)
        if len(times) != len(hops) or request is None or plan is None or plan[0] != stamp:
            self.strays += 1
            return
        clock, camera, mask, latent = times
        _, planned, solve_s = plan
        solve = round(solve_s * 1e9)
        spent = {
            "overhead": received - camera - solve,
            "render": camera - clock,  # the simulated camera's own time, not in the overhead
            "segmentation": mask - camera,
            "encoder": latent - mask,
            "step_request": request - mask,  # in parallel with the encoder
            "planner": planned - max(latent, request) - solve,
            "arm": sent - planned,
            "receipt": received - sent,
            "solve": solve,
        }
        self.steps.append({name: value / 1e6 for name, value in spent.items()})

    def figures(self) -> dict[str, Any]:
        """Return the median and the 99th percentile (ms) of the overhead and of each hop.

        Raises:
            UserError: no step is complete.
        """
        if not self.steps:
            raise UserError("no control step was seen completely")
        result: dict[str, Any] = {"steps": len(self.steps), "strays": self.strays}
        for name in self.steps[0]:
            values = [step[name] for step in self.steps]
            label = "graph_overhead" if name == "overhead" else f"hop_{name}"
            result[f"{label}_ms_median"] = round(statistics.median(values), 2)
            result[f"{label}_ms_p99"] = round(percentile(values, 99) or 0.0, 2)
        return result
