"""Pairs frames with their task state, and records an episode for its file.

Stamps are integers in nanoseconds; images are arrays. No ROS.
"""

from __future__ import annotations

import json
import os
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ls3_models.episodes import VARIATIONS, Episode, write_episode

if TYPE_CHECKING:
    from ls3_interfaces.msg import ArmCommand

KEPT_FRAMES = 50
"""Number of frames and task states that wait for their counterpart."""


class Observation(NamedTuple):
    """One observation with its task state.

    stamp: of the camera frame, ns. pixels: uint8 (height, width, channels). success, constraint:
    whether the frame shows a state in the goal set, or a violation.
    """

    stamp: int
    pixels: np.ndarray
    success: bool
    constraint: bool


class FramePairing:
    """Pairs images with the task state of the same camera frame, by stamp.

    violated: whether any task state showed a violation since the caller last set this to False.
    """

    def __init__(self) -> None:
        self.violated = False
        self._images: deque[tuple[int, np.ndarray]] = deque(maxlen=KEPT_FRAMES)
        self._states: deque[tuple[int, bool, bool]] = deque(maxlen=KEPT_FRAMES)

    def clear(self) -> None:
        """Forget all frames, which belong to another episode."""
        self._images.clear()
        self._states.clear()

    def add_image(self, stamp: int, pixels: np.ndarray) -> None:
        """Add an image, uint8 (height, width, channels), with its stamp (ns)."""
        self._images.append((stamp, pixels))

    def add_state(self, stamp: int, success: bool, constraint: bool) -> None:
        """Add a task state with its stamp (ns)."""
        self._states.append((stamp, success, constraint))
        self.violated = self.violated or constraint

    def first(self, after: int) -> Observation | None:
        """Return the oldest complete frame with a stamp of at least `after` (ns), if any."""
        states = {stamp: (success, constraint) for stamp, success, constraint in self._states}
        for stamp, pixels in self._images:
            if stamp >= after and stamp in states:
                return Observation(stamp, pixels, *states[stamp])
        return None

    def missing(self, after: int) -> str:
        """Describe what a complete frame at or after `after` (ns) still lacks, by topic."""
        image = any(stamp >= after for stamp, _ in self._images)
        state = any(stamp >= after for stamp, *_ in self._states)
        if image and state:
            return "segmentation/mask and task_state with the same stamp"
        both = () if image else ("segmentation/mask",)
        return " or ".join((*both, *(() if state else ("task_state",)))) + " after the last motion"


class Record:
    """The record of one episode: s_0 by `begin`, then each (a_t, s_{t+1}) by `add`.

    episode, seed: of the request. holds: number of steps in which the arm held. dropped: number of
    plans that the arm refused. attributes: further facts for the file.
    """

    def __init__(self, episode: int, seed: int) -> None:
        """Start an empty record."""
        self.episode = episode
        self.seed = seed
        self.holds = 0
        self.dropped = 0
        self.attributes: dict[str, Any] = {}
        self._images: list[np.ndarray] = []
        self._actions: list[np.ndarray] = []
        self._success: list[bool] = []
        self._constraint: list[bool] = []

    def begin(self, pixels: np.ndarray) -> None:
        """Set the observation of s_0, uint8 (height, width, channels)."""
        self._images = [pixels]

    def reset_by(self, message: str) -> None:
        """Take over what RESET_SCENE answers: a simulation says what varies in the episode."""
        try:
            varied = json.loads(message)
        except ValueError:  # words of another scene, or nothing
            return
        if isinstance(varied, dict) and varied.keys() == {"on", "drawn"}:
            self.attributes[VARIATIONS] = varied

    def add(self, command: ArmCommand, pixels: np.ndarray, success: bool, constraint: bool) -> None:
        """Add one step.

        Args:
            command: the arm's answer. The action is what was sent, not what was planned.
            pixels: the observation of s_{t+1}, uint8 (height, width, channels).
            success, constraint: of s_{t+1}. After a violation there is no success.
        """
        held = command.outcome == "held"
        self.holds += held
        size = len(command.sent) or len(command.requested)
        self._actions.append(
            np.zeros(size, np.float32) if held else np.asarray(command.sent, np.float32)
        )
        self._images.append(pixels)
        # as in the environments: a violation ends the task, so no success counts after it
        self._constraint.append(constraint or self.violated)
        self._success.append(success and not self.violated)

    @property
    def succeeded(self) -> bool:
        """Whether any step reached the goal without an earlier violation."""
        return any(self._success)

    @property
    def violated(self) -> bool:
        """Whether any step violated a constraint."""
        return any(self._constraint)

    @property
    def steps(self) -> int:
        """Number of steps to the first success, or of all steps without one."""
        return self._success.index(True) + 1 if self.succeeded else len(self._actions)

    @property
    def total_reward(self) -> float:
        """Undiscounted return: -1 for each step whose s_{t+1} is outside the goal set."""
        return float(sum(self._rewards()))

    def _rewards(self) -> list[float]:
        return [0.0 if success else -1.0 for success in self._success]

    def write(self, directory: str, reason: str) -> str:
        """Write the episode file.

        Args:
            directory: of the file; empty to write nothing.
            reason: why the episode ended.

        Returns:
            The path; empty if nothing was written.

        Raises:
            OSError: the file cannot be written.
        """
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
            attributes={
                "ended": reason,
                "holds": self.holds,
                "dropped": self.dropped,
                **self.attributes,
            },
        )
        path = write_episode(directory, f"episode_{self.episode:04d}_seed_{self.seed}", episode)
        return os.fspath(path)
