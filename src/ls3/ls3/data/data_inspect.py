"""What a data set holds, in figures and in pictures. Reads one episode at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ls3_common.domain import DomainSpec
from ls3_common.errors import DataError
from ls3_common.images import coloured, newest
from ls3_models.episodes import Episode, list_episodes, read_episode

BINS = 10
CAPTION = 12  # pixels of height
BAR = 40  # characters of the longest bar


@dataclass
class DataSummary:
    """Figures over all episodes; histograms have a row per action component."""

    spec: DomainSpec
    episodes: Counter[str] = field(default_factory=Counter)  # by source
    lengths: list[int] = field(default_factory=list)
    returns: dict[str, list[float]] = field(default_factory=dict)  # by source
    steps_to_goal: list[int] = field(default_factory=list)
    succeeded: Counter[str] = field(default_factory=Counter)
    violated: Counter[str] = field(default_factory=Counter)
    success_steps: int = 0
    constraint_steps: int = 0
    empty_frames: int = 0
    outside: int = 0  # actions beyond the bounds
    histogram: np.ndarray = field(init=False)  # (action, BINS)

    def __post_init__(self) -> None:
        self.low, self.high = np.array(self.spec.action_low), np.array(self.spec.action_high)
        self.histogram = np.zeros((len(self.low), BINS), int)

    def add(self, episode: Episode) -> None:
        """Take one episode into account."""
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

    def lines(self) -> list[str]:
        """As text for a terminal."""
        steps, count = sum(self.lengths), len(self.lengths)
        found = [
            f"{count} episodes, {steps} steps, {min(self.lengths)} to {max(self.lengths)} steps "
            f"each (mean {steps / count:.1f})"
        ]
        for source, number in sorted(self.episodes.items()):
            returns = np.array(self.returns[source])
            found.append(
                f"  {source}: {number} episodes, return {returns.mean():.1f} ± {returns.std():.1f}"
                f", {self.succeeded[source]} reach the goal, {self.violated[source]} violate"
            )
        if self.steps_to_goal:
            middle = float(np.median(self.steps_to_goal))
            found.append(f"steps to the goal: median {middle:g}")
        found.append(
            f"labels: {self.success_steps / steps:.1%} of the states in the goal set, "
            f"{self.constraint_steps / steps:.1%} violate ({' or '.join(self.spec.constraints)})"
        )
        for axis, counts in enumerate(self.histogram):
            bounds = f"from {self.low[axis]:g} to {self.high[axis]:g}"
            found.append(f"action {axis}, {bounds} ({self.spec.action_unit}):")
            edges = np.linspace(self.low[axis], self.high[axis], BINS + 1)
            for edge, number in zip(edges, counts, strict=False):
                bar = "#" * round(BAR * number / max(1, counts.max()))
                found.append(f"  {edge:+9.4f} {number:6d} {bar}".rstrip())
        if self.empty_frames:
            found.append(f"warning: {self.empty_frames} frames are empty: check colours and crop")
        if self.outside:
            found.append(f"warning: {self.outside} actions lie outside the bounds")
        return found


def summarise(directory: Path, spec: DomainSpec) -> DataSummary:
    """Read a data set of a domain.

    Raises:
        DataError: there are no episodes, one is damaged, or its actions are of another size.
    """
    summary, size = DataSummary(spec), len(spec.action_low)
    for path in _paths(directory):
        episode = read_episode(path)
        if episode.actions.shape[1] != size:
            what = f"actions of {episode.actions.shape[1]} numbers, the domain has {size}"
            raise DataError(what, where=str(path), do="give its own --domain")
        summary.add(episode)
    return summary


def contact_sheet(directory: Path, rows: int, columns: int, channels: int) -> Image.Image:
    """Frames of at most `rows` episodes, a row each, from the first state to the last.

    The border tells what a state is: green in the goal set, red violating, grey neither. A frame
    has so many `channels`; of stacked frames the newest is shown.
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
    """At most `count` of the items, evenly spread, the first and the last among them."""
    every = list(items)
    places = np.linspace(0, len(every) - 1, min(count, len(every))).round().astype(int)
    return [every[place] for place in places]


def _colour(episode: Episode, index: int) -> str:
    if index and episode.constraint[index - 1]:
        return "red"
    return "green" if index and episode.success[index - 1] else "grey"
