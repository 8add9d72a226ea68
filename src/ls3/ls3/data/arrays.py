"""Episodes that are given as arrays: checks them, and fits their pictures to the task's.

Formats without a robot's topics (`npz`, `robomimic`, bags of other tasks) end here.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dvrk_cable_env.bags.episodes import BagEpisode
from dvrk_cable_env.bags.segments import Segment
from ls3_common.domain import DomainSpec
from ls3_common.errors import DataError
from ls3_common.images import FrameStack, coloured

TOLERANCE = 0.01
"""Share of an action's range by which rounding may exceed the bounds."""
STEP_NS = 10**9
"""Nominal time between two states, ns, where nothing says the true one."""
UNREADABLE = (
    *(OSError, KeyError, ValueError, TypeError, RuntimeError, IndexError, EOFError),
    *(AttributeError, OverflowError, NotImplementedError, zipfile.BadZipFile),
)
"""What damaged files make readers of arrays raise."""
NO_LABEL = "nothing says which states {what}: name them in --labels"


@dataclass(frozen=True)
class GivenEpisode:
    """One episode as its file has it.

    frames: what the camera showed, uint8 (N, h, w, c), of s_0..s_T, or of s_0..s_{T-1}: then the
    last action is left out. actions: (T, A). success, constraint: whether s_{t+1} is in the goal
    set, or violates a constraint, (T,); None: the file does not say. labels_from: where it says.
    """

    frames: np.ndarray
    actions: np.ndarray
    success: np.ndarray | None = None
    constraint: np.ndarray | None = None
    labels_from: str = ""


class Unfit(ValueError):
    """Why an episode cannot be imported; the text is for people."""


class ArrayRecording:
    """A file of episodes as arrays, as `Recording` wants it.

    Args:
        name: of the recording.
        digest: fingerprint of the file.
        segments: the episodes, with their sources.
        read: reads one of them.
        spec: facts of the task.
        crop: (left, top, width, height) of the part of each picture to use, px; empty: all.
    """

    cut = ""

    def __init__(
        self,
        name: str,
        digest: str,
        segments: Sequence[Segment],
        read: Callable[[Segment], GivenEpisode],
        spec: DomainSpec,
        crop: Sequence[int],
    ) -> None:
        self.name, self.digest, self.segments = name, digest, segments
        self.drops: Counter[str] = Counter()
        self._read, self._spec, self._crop = read, spec, crop

    def episodes(self, segments: Sequence[Segment]) -> Iterator[BagEpisode]:
        """Yield the episode of each of these segments, or the fault that prevents it."""
        for segment in segments:
            try:
                yield made(segment, self._read(segment), self._spec, self._crop)
            except Unfit as fault:
                yield BagEpisode(segment, str(fault))
            except DataError as error:
                yield BagEpisode(segment, error.what)
            except UNREADABLE as error:
                yield BagEpisode(segment, f"damaged ({' '.join(str(error).split())})")


def made(
    segment: Segment, given: GivenEpisode, spec: DomainSpec, crop: Sequence[int]
) -> BagEpisode:
    """Make the importer's episode of arrays.

    Raises:
        Unfit: numbers, types or sizes contradict each other or the task.
    """
    actions = np.asarray(given.actions, np.float32)
    if actions.ndim != 2 or given.frames.ndim != 4:
        raise Unfit(f"actions {actions.shape} and pictures {given.frames.shape}")
    if given.frames.dtype != np.uint8:
        raise Unfit(f"pictures are {given.frames.dtype}, not uint8 from 0 to 255")
    steps = min(len(actions), len(given.frames) - 1)
    if steps < 1 or not len(actions) <= len(given.frames) <= len(actions) + 1:
        raise Unfit(f"{len(given.frames)} pictures for {len(actions)} actions")
    actions = actions[:steps]
    check_actions(actions, spec)
    found = BagEpisode(segment, actions=actions, actions_from="actions")
    found.observations = observations(given.frames[: steps + 1], spec, crop)
    found.success, found.constraint = (
        _labels(labels, len(given.actions), steps) for labels in (given.success, given.constraint)
    )
    found.labels_from = given.labels_from
    for labels, what in ((given.success, "reach the goal"), (given.constraint, "violate")):
        if labels is None:
            found.notes.append(NO_LABEL.format(what=what))
    found.stamps = [STEP_NS * (index + 1) for index in range(steps + 1)]
    return found


def check_actions(actions: np.ndarray, spec: DomainSpec) -> None:
    """Refuse actions (T, A) that the task does not have.

    Raises:
        Unfit: they are of another size, not finite, or beyond the bounds.
    """
    low, high = np.array(spec.action_low), np.array(spec.action_high)
    if actions.shape[1] != len(low):
        raise Unfit(f"actions of {actions.shape[1]} numbers, the task has {len(low)}")
    if not np.isfinite(actions).all():
        raise Unfit("an action is not finite")
    slack = TOLERANCE * (high - low)
    beyond = (actions < low - slack) | (actions > high + slack)
    if beyond.any():
        step, part = np.argwhere(beyond)[0]
        raise Unfit(
            f"number {part} of action {step} is {actions[step, part]:.3g} {spec.action_unit}, the "
            f"task allows {low[part]:g} to {high[part]:g}"
        )


def observations(frames: Iterable[np.ndarray], spec: DomainSpec, crop: Sequence[int]) -> np.ndarray:
    """Return frames as the networks see them, uint8 (N, size, size, channels x frames).

    Frames that are stacks already, of the task's size, are taken as they are.
    """
    given = list(frames)
    if not len(crop) and all(frame.shape == spec.observation_shape for frame in given):
        return np.stack(given)
    return stacked([fitted(frame, spec, crop) for frame in given], spec)


def stacked(frames: Iterable[np.ndarray], spec: DomainSpec) -> np.ndarray:
    """Return single frames of the task's size as observations, with the earlier ones stacked."""
    stack = FrameStack(spec.frames)
    return np.stack([stack.add(frame) for frame in frames])


def fitted(frame: np.ndarray, spec: DomainSpec, crop: Sequence[int]) -> np.ndarray:
    """Return a frame, uint8 (h, w, c), in the task's size and channels.

    Raises:
        Unfit: the crop lies outside the frame, the rest is no square, or the channels do not fit.
    """
    if len(crop):
        left, top, width, height = crop
        if left + width > frame.shape[1] or top + height > frame.shape[0]:
            size = f"{frame.shape[1]} x {frame.shape[0]}"
            raise Unfit(f"the crop reaches beyond the picture of {size} px")
        frame = frame[top : top + height, left : left + width]
    if frame.shape[0] != frame.shape[1]:
        size = f"{frame.shape[1]} x {frame.shape[0]}"
        raise Unfit(f"pictures of {size} px are no square: --crop LEFT TOP WIDTH HEIGHT")
    channels = frame.shape[2]
    if spec.channels == 1 and channels == 3:
        frame = np.asarray(Image.fromarray(frame).convert("L"))[:, :, None]
    elif spec.channels == 3 and channels == 1:
        frame = coloured(frame)
    elif channels != spec.channels:
        raise Unfit(f"pictures of {channels} channels, the task has {spec.channels}")
    side = spec.image_size
    if len(frame) == side:
        return frame
    planes = [
        np.asarray(Image.fromarray(frame[:, :, index]).resize((side, side), Image.Resampling.BOX))
        for index in range(frame.shape[2])
    ]
    return np.stack(planes, axis=-1)


def _labels(given: np.ndarray | None, count: int, steps: int) -> np.ndarray:
    """Return labels of the first `steps` of `count` actions; none: no state has the label."""
    if given is None:
        return np.zeros(steps, bool)
    if given.shape != (count,):
        raise Unfit(f"labels {given.shape} for {count} actions")
    return np.asarray(given[:steps]).astype(bool)


def files_in(path: Path, *endings: str) -> list[Path]:
    """Return the file at `path`, or the files in that folder, with one of these endings."""
    if path.is_file():
        return [path] if path.suffix in endings else []
    return sorted(one for one in path.glob("*") if one.suffix in endings and one.is_file())
