"""What the picture shows of an episode, from the messages of the graph. No ROS, no thread."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ls3_common.parameters import parameter
from ls3_episodes.film import view
from ls3_episodes.film.view import FilmFrame, Step

if TYPE_CHECKING:
    from ls3_interfaces.msg import Plan


@dataclass(frozen=True)
class FilmConfig:
    """Headline, and the part of the table in the camera's image. The camera looks straight down."""

    title: str = parameter("LS3", description="headline of the picture")
    width: float = parameter(
        0.0,
        low=0.0,
        description="width of the table that the camera image shows; 0: draw no plan",
        unit="m",
    )
    centre: tuple[float, ...] = parameter(
        (0.0, 0.0), description="table point (x, y) at the image's centre", unit="m"
    )


class EpisodeScene:
    """Keeps the contents of the picture up to date.

    Attributes:
        shown: the picture's contents, without the imagined image.
        latent: imagined latent (d,) to decode into the picture; None to show none.
    """

    def __init__(self, config: FilmConfig, horizon: int) -> None:
        """Start with an empty picture.

        Args:
            config: headline and scale.
            horizon: T, length of an episode.
        """
        self._config = config
        self._tool: tuple[float, float] | None = None
        self._notes: list[tuple[str, str]] = []
        self.shown = FilmFrame(title=config.title, horizon=horizon, maps_plan=config.width > 0)
        self.latent: np.ndarray | None = None

    def begin(self, episode: str, notes: list[tuple[str, str]]) -> None:
        """Begin an episode with this caption; `notes` are constant (name, value) lines."""
        self._notes = notes
        self.latent = None
        self._tool = None  # the reset may have moved the arm
        self.set(
            episode=episode,
            step=0,
            history=(),
            path=(),
            imagined=None,
            notes=notes,
            status="RESET",
            reason="",
            colour=view.FAINT,
        )

    def tool(self, x: float, y: float) -> None:
        """Set the position (x, y) from which the next plan moves the tool, m."""
        self._tool = (x, y)

    def plan(self, plan: Plan) -> None:
        """Show a new plan, or why there is none."""
        # the plan of a solver that failed contains only a zero action
        steps = np.asarray(plan.action_sequence, float).reshape(-1, max(len(plan.action), 1))
        horizon = len(steps)
        latents = np.asarray(plan.imagined, np.float32).reshape(max(horizon, 1), -1)
        self.latent = latents[-1] if plan.feasible and latents.size else None
        planned = Step(plan.feasible, plan.safe_probability, plan.constraint_probability)
        by_hand = plan.feasible and math.isnan(plan.value)  # of a person, who estimates nothing
        status = "STEP BY HAND" if by_hand else "FEASIBLE PLAN"
        self.set(
            step=plan.step + 1,
            history=(*self.shown.history, planned),
            path=self._path(steps) if plan.feasible else (),
            imagined=None,
            lookahead=horizon,
            status=status if plan.feasible else "NO PLAN: ARM HOLDS",
            colour=view.GREEN if plan.feasible else view.AMBER,
            reason=plan.reason,
            notes=[
                (
                    "value of the plan",
                    f"{plan.value:.1f}" if plan.feasible and not by_hand else "-",
                ),
                ("safe set level", "-" if by_hand else f"{plan.delta_safe:.2f}"),
                ("planned in", f"{1000 * plan.solve_time:.0f} ms"),
                *self._notes,
            ],
        )

    def end(self, status: str, colour: str) -> None:
        """Show the end of an episode with this status text and colour."""
        self.set(status=status, colour=colour, path=(), reason="")

    def set(self, **changes: Any) -> None:
        """Change fields of `shown`."""
        self.shown = dataclasses.replace(self.shown, **changes)

    def _path(self, steps: np.ndarray) -> list[tuple[float, float]]:
        """Planned positions of the tool as fractions of the image; steps: (horizon, 2), m."""
        if self._tool is None or not self._config.width or steps.shape[1:] != (2,):
            return []
        if not np.isfinite(steps).all():
            return []  # arm_node refuses such a plan
        points = np.cumsum([self._tool, *steps], axis=0) - self._config.centre
        return [(0.5 + x / self._config.width, 0.5 - y / self._config.width) for x, y in points]
