"""When each message of a control step was sent, and what the time went to."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any

from ls3_common.errors import UserError
from ls3_episodes.summary import percentile

Key = tuple[int, int]
"""Episode and step."""


@dataclass
class Trace:
    """When each message of a step was sent; keyed by the frame's stamp or by the step."""

    frames: dict[str, dict[int, int]] = field(default_factory=dict)
    requests: dict[Key, int] = field(default_factory=dict)
    plans: dict[Key, tuple[int, int, float]] = field(default_factory=dict)
    steps: list[dict[str, float]] = field(default_factory=list)
    """Milliseconds of every step that was seen whole, by hop."""
    strays: int = 0
    """Commands whose frame's stamp was not seen on every topic that it should have passed."""

    def frame(self, hop: str, stamp: int, sent: int) -> None:
        """A message that carries the frame's own stamp (ns): clock, camera, mask, latent."""
        self.frames.setdefault(hop, {})[stamp] = sent

    def request(self, key: Key, sent: int) -> None:
        self.requests[key] = sent

    def plan(self, key: Key, stamp: int, sent: int, solve_s: float) -> None:
        self.plans[key] = (stamp, sent, solve_s)

    def command(self, key: Key, stamp: int, sent: int, received: int) -> None:
        """The arm's answer to a plan, told after everything that led to it."""
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
            "render": camera - clock,  # the simulated camera's own, before the frame exists
            "segmentation": mask - camera,
            "encoder": latent - mask,
            "step_request": request - mask,  # at the same time as the encoder
            "planner": planned - max(latent, request) - solve,
            "arm": sent - planned,
            "receipt": received - sent,
            "solve": solve,
        }
        self.steps.append({name: value / 1e6 for name, value in spent.items()})

    def figures(self) -> dict[str, Any]:
        """Median and 99th percentile in milliseconds, in all and by hop."""
        if not self.steps:
            raise UserError("no control step was seen whole")
        result: dict[str, Any] = {"steps": len(self.steps), "strays": self.strays}
        for name in self.steps[0]:
            values = [step[name] for step in self.steps]
            label = "graph_overhead" if name == "overhead" else f"hop_{name}"
            result[f"{label}_ms_median"] = round(statistics.median(values), 2)
            result[f"{label}_ms_p99"] = round(percentile(values, 99) or 0.0, 2)
        return result
