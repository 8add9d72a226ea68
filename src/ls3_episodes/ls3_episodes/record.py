"""What one episode showed: frames paired with their task state, and the episode file.

Pure: stamps are integers (ns), images are arrays.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ls3_models.episodes import Episode, write_episode

if TYPE_CHECKING:
    from ls3_interfaces.msg import ArmCommand

KEPT_FRAMES = 50


class Observation(NamedTuple):
    """One observation with what it shows of the task."""

    stamp: int  # ns
    pixels: np.ndarray  # uint8 (height, width, channel)
    success: bool
    constraint: bool


class FramePairing:
    """Pairs images with the task state of the same camera frame."""

    def __init__(self) -> None:
        self.violated = False
        """Whether any task state since this was last set to False showed a violation."""
        self._images: deque[tuple[int, np.ndarray]] = deque(maxlen=KEPT_FRAMES)
        self._states: deque[tuple[int, bool, bool]] = deque(maxlen=KEPT_FRAMES)

    def clear(self) -> None:
        """Forget the frames of another episode."""
        self._images.clear()
        self._states.clear()

    def add_image(self, stamp: int, pixels: np.ndarray) -> None:
        self._images.append((stamp, pixels))

    def add_state(self, stamp: int, success: bool, constraint: bool) -> None:
        self._states.append((stamp, success, constraint))
        self.violated = self.violated or constraint

    def first(self, after: int) -> Observation | None:
        """The oldest complete frame with a stamp of at least `after`."""
        states = {stamp: (success, constraint) for stamp, success, constraint in self._states}
        for stamp, pixels in self._images:
            if stamp >= after and stamp in states:
                return Observation(stamp, pixels, *states[stamp])
        return None

    def missing(self, after: int) -> str:
        """What a frame at or after `after` still lacks, by topic."""
        image = any(stamp >= after for stamp, _ in self._images)
        state = any(stamp >= after for stamp, *_ in self._states)
        if image and state:
            return "segmentation/mask and task_state with the same stamp"
        both = () if image else ("segmentation/mask",)
        return " or ".join((*both, *(() if state else ("task_state",)))) + " after the last motion"


class Record:
    """The running episode: s_0 by `begin`, each (a_t, s_{t+1}) by `add`."""

    def __init__(self, episode: int, seed: int) -> None:
        self.episode = episode
        self.seed = seed
        self.holds = 0
        self.dropped = 0
        self._images: list[np.ndarray] = []
        self._actions: list[np.ndarray] = []
        self._success: list[bool] = []
        self._constraint: list[bool] = []

    def begin(self, pixels: np.ndarray) -> None:
        self._images = [pixels]

    def add(self, command: ArmCommand, pixels: np.ndarray, success: bool, constraint: bool) -> None:
        """One step: the action is what was sent to the arm, not what was planned."""
        held = command.outcome == "held"
        self.holds += held
        size = len(command.sent) or len(command.requested)
        self._actions.append(
            np.zeros(size, np.float32) if held else np.asarray(command.sent, np.float32)
        )
        self._images.append(pixels)
        # as in process: a violation ends the task, and there is no success after it
        self._constraint.append(constraint or self.violated)
        self._success.append(success and not self.violated)

    @property
    def succeeded(self) -> bool:
        return any(self._success)

    @property
    def violated(self) -> bool:
        return any(self._constraint)

    @property
    def steps(self) -> int:
        """Steps until the goal was first reached, else steps taken."""
        return self._success.index(True) + 1 if self.succeeded else len(self._actions)

    @property
    def total_reward(self) -> float:
        """Sum of rewards: -1 a step, 0 where s_{t+1} is in the goal set."""
        return float(sum(self._rewards()))

    def _rewards(self) -> list[float]:
        return [0.0 if success else -1.0 for success in self._success]

    def write(self, directory: str, reason: str) -> str:
        """Write the episode file and return its path; empty when there is nothing to write."""
        if not directory or not self._actions:
            return ""
        episode = Episode(
            observations=np.stack(self._images),
            actions=np.stack(self._actions),
            rewards=np.asarray(self._rewards(), np.float32),
            constraint=np.asarray(self._constraint),
            success=np.asarray(self._success),
            source="online",
            seed=self.seed,
            attributes={"ended": reason, "holds": self.holds, "dropped": self.dropped},
        )
        path = write_episode(directory, f"episode_{self.episode:04d}_seed_{self.seed}", episode)
        return os.fspath(path)
