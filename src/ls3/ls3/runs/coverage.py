"""Whether offline data show what the models are to learn: the goal, violations, demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ls3_common.errors import DataError
from ls3_models.episodes import Episode


@dataclass(frozen=True)
class Coverage:
    """Numbers of episodes.

    episodes: all. demonstrations: those of the demonstrator. reached: those that reach the goal
    without a violation before it. violated: those that violate a constraint at any time.
    """

    episodes: int = 0
    demonstrations: int = 0
    reached: int = 0
    violated: int = 0

    def __add__(self, other: Coverage) -> Coverage:
        return Coverage(
            self.episodes + other.episodes,
            self.demonstrations + other.demonstrations,
            self.reached + other.reached,
            self.violated + other.violated,
        )

    def check(self, where: str, *, trajectories: int, use_constraint: bool = True) -> list[str]:
        """Refuse data without the goal, and return warnings for what else is missing.

        Args:
            where: the data set's directory, for the error text.
            trajectories: K, the number of episodes between two updates.
            use_constraint: whether plans must satisfy the constraint, eq. (6).

        Raises:
            DataError: no episode reaches the goal.
        """
        if not self.reached:
            raise DataError(
                f"none of the {self.episodes} episodes reaches the goal: f_G, the safe set and V "
                "would learn nothing, and no plan would be feasible",
                where=where,
                do="add demonstrations that succeed, or name the successes in --labels of "
                "`ls3 data import`",
            )
        return self.doubts(trajectories=trajectories, use_constraint=use_constraint)

    def doubts(self, *, trajectories: int, use_constraint: bool = True) -> list[str]:
        """Return a line for each thing that the models cannot learn; arguments as in `check`."""
        found = []
        if not self.reached:
            found.append("no episode reaches the goal: there is no safe set to learn")
        if use_constraint and not self.violated:
            found.append(
                "no episode violates a constraint: f_C learns nothing, and delta_C means nothing. "
                "Add episodes that violate (source constraint), or switch the constraint off: "
                "planner_node.use_constraint=false"
            )
        if self.demonstrations < trajectories:
            found.append(
                f"{self.demonstrations} demonstrations, fewer than K = {trajectories} episodes of "
                "an update: the safe set begins with little"
            )
        return found


def coverage(episodes: Sequence[Episode]) -> Coverage:
    """Count what episodes show."""
    return Coverage(
        len(episodes),
        sum(episode.source == "demonstration" for episode in episodes),
        sum(episode.succeeded for episode in episodes),
        sum(episode.violated for episode in episodes),
    )


def online_coverage(curve: Sequence[dict[str, Any]]) -> Coverage:
    """Count what the episodes of a learning curve have shown."""
    reached = sum(bool(row["success"]) for row in curve)
    return Coverage(len(curve), 0, reached, sum(bool(row["violation"]) for row in curve))
