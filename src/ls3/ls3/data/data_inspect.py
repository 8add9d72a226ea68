"""Statistics and pictures of a data set. Reads one episode at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ls3.runs.coverage import Coverage
from ls3_common.domain import DomainSpec
from ls3_common.errors import DataError
from ls3_common.images import coloured, newest
from ls3_models.episodes import Episode, list_episodes, read_episode

BINS = 10
"""Number of bins of a histogram."""
CAPTION = 12
"""Height of a caption on the contact sheet, px."""
BAR = 40
"""Length of the longest bar of a histogram, characters."""


@dataclass
class DataSummary:
    """Statistics over all episodes that were added.

    spec: facts of the domain. episodes, succeeded, violated: numbers of episodes, by source.
    lengths: number of steps of each episode. returns: return of each episode, by source.
    steps_to_goal: of each successful episode. success_steps, constraint_steps: numbers of steps
    whose next state is in the goal set, or violates. empty_frames: number of all-zero observations.
    outside: number of actions beyond the bounds. histogram: counts of the actions, (A, BINS).
    """

    spec: DomainSpec
    episodes: Counter[str] = field(default_factory=Counter)
    lengths: list[int] = field(default_factory=list)
    returns: dict[str, list[float]] = field(default_factory=dict)
    steps_to_goal: list[int] = field(default_factory=list)
    succeeded: Counter[str] = field(default_factory=Counter)
    violated: Counter[str] = field(default_factory=Counter)
    success_steps: int = 0
    constraint_steps: int = 0
    empty_frames: int = 0
    outside: int = 0
    histogram: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.low, self.high = np.array(self.spec.action_low), np.array(self.spec.action_high)
        self.histogram = np.zeros((len(self.low), BINS), int)

    def add(self, episode: Episode) -> None:
        """Add one episode to the statistics."""
        source = episode.source
        self.episodes[source] += 1
        self.lengths.append(len(episode))
        self.returns.setdefault(source, []).append(float(episode.rewards.sum()))
        self.succeeded[source] += episode.succeeded
        self.violated[source] += episode.violated
        if episode.steps_to_goal is not None:
            self.steps_to_goal.append(episode.steps_to_goal)
        self.success_steps += int(episode.success.sum())
        self.constraint_steps += int(episode.constraint.sum())
        self.empty_frames += int((episode.observations.max(axis=(1, 2, 3)) == 0).sum())
        slack = 1e-6 * (self.high - self.low)
        beyond = (episode.actions < self.low - slack) | (episode.actions > self.high + slack)
        self.outside += int(beyond.any(axis=1).sum())
        for axis, (low, high) in enumerate(zip(self.low, self.high, strict=True)):
            values = episode.actions[:, axis].clip(low, high)
            self.histogram[axis] += np.histogram(values, BINS, (low, high))[0]

    def lines(self, trajectories: int) -> list[str]:
        """Return the statistics as lines of text for a terminal.

        trajectories: K, with which the number of demonstrations is compared.
        """
        steps, count = sum(self.lengths), len(self.lengths)
        text = [
            f"{count} episodes, {steps} steps, {min(self.lengths)} to {max(self.lengths)} steps "
            f"each (mean {steps / count:.1f})"
        ]
        for source, number in sorted(self.episodes.items()):
            returns = np.array(self.returns[source])
            text.append(
                f"  {source}: {number} episodes, return {returns.mean():.1f} ± {returns.std():.1f}"
                f", {self.succeeded[source]} reach the goal, {self.violated[source]} violate"
            )
        if self.steps_to_goal:
            middle = float(np.median(self.steps_to_goal))
            text.append(f"steps to the goal: median {middle:g}")
        text.append(
            f"labels: {self.success_steps / steps:.1%} of the states in the goal set, "
            f"{self.constraint_steps / steps:.1%} violate ({' or '.join(self.spec.constraints)})"
        )
        for axis, counts in enumerate(self.histogram):
            bounds = f"from {self.low[axis]:g} to {self.high[axis]:g}"
            text.append(f"action {axis}, {bounds} ({self.spec.action_unit}):")
            edges = np.linspace(self.low[axis], self.high[axis], BINS + 1)
            for edge, number in zip(edges, counts, strict=False):
                bar = "#" * round(BAR * number / max(1, counts.max()))
                text.append(f"  {edge:+9.4f} {number:6d} {bar}".rstrip())
        if self.empty_frames:
            text.append(f"warning: {self.empty_frames} frames are empty: check colours and crop")
        if self.outside:
            text.append(f"warning: {self.outside} actions lie outside the bounds")
        shown = Coverage(
            count, self.episodes["demonstration"], self.succeeded.total(), self.violated.total()
        )
        text += [f"WARNING: {doubt}" for doubt in shown.doubts(trajectories=trajectories)]
        return text


def summarise(directory: Path, spec: DomainSpec) -> DataSummary:
    """Return the statistics of all episodes in a directory.

    Raises:
        DataError: there are no episodes, one is damaged, or one has actions of another size than
            the domain.
    """
    summary, size = DataSummary(spec), len(spec.action_low)
    for path in _paths(directory):
        episode = read_episode(path)
        if episode.actions.shape[1] != size:
            what = f"actions have {episode.actions.shape[1]} components, the domain's have {size}"
            raise DataError(what, where=str(path), do="give the --domain of this data set")
        summary.add(episode)
    return summary


def contact_sheet(directory: Path, rows: int, columns: int, channels: int) -> Image.Image:
    """Draw frames of several episodes on one sheet, one episode per row.

    The border of a frame is green if the state is in the goal set, red if it violates a
    constraint, and grey otherwise. Of stacked frames the newest is shown.

    Args:
        directory: the data set.
        rows: largest number of episodes, spread evenly over the data set.
        columns: largest number of frames of each episode, from the first state to the last.
        channels: number of channels of one frame.

    Raises:
        DataError: there are no episodes, or one is damaged.
    """
    chosen = _spread(_paths(directory), rows)
    first = read_episode(chosen[0]).observations
    height, width = first.shape[1] + 2, first.shape[2] + 2
    sheet = Image.new("RGB", (columns * width, len(chosen) * (height + CAPTION)), "white")
    draw = ImageDraw.Draw(sheet)
    for row, path in enumerate(chosen):
        episode = read_episode(path)
        top = row * (height + CAPTION)
        draw.text((2, top), f"{path.stem}: {episode.source}, {len(episode)} steps", fill="black")
        for column, index in enumerate(_spread(range(len(episode.observations)), columns)):
            tile = Image.new("RGB", (width, height), _colour(episode, index))
            frame = coloured(newest(episode.observations[index], channels))
            tile.paste(Image.fromarray(np.ascontiguousarray(frame)), (1, 1))
            sheet.paste(tile, (column * width, top + CAPTION))
    return sheet


def _paths(directory: Path) -> list[Path]:
    paths = list_episodes(directory)
    if not paths:
        raise DataError("holds no episodes", where=str(directory), do="run `ls3 data import` first")
    return paths


def _spread(items: Iterable, count: int) -> list:
    """Return at most `count` of the items, evenly spread from the first to the last."""
    every = list(items)
    chosen = np.linspace(0, len(every) - 1, min(count, len(every))).round().astype(int)
    return [every[index] for index in chosen]


def _colour(episode: Episode, index: int) -> str:
    if index and episode.constraint[index - 1]:
        return "red"
    return "green" if index and episode.success[index - 1] else "grey"
