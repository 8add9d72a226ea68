"""Says in words what is wrong with the environment of a task, before anything is run with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ls3_common.domain import DomainSpec
from ls3_common.errors import UserError
from ls3_sim.behaviours import BEHAVIOURS
from ls3_sim.task_spaces import (
    AGREE,
    TaskFault,
    action_faults,
    image_faults,
    kind_of,
    raised,
    refuse,
)

STEPS = 2
"""Number of steps that are tried of each behaviour."""
LABELS = {"success": "is in the goal set", "constraint": "violates a constraint"}
"""What `info` must say of every state, and what that means."""
SEED = 0


def check_task(
    env: gymnasium.Env[Any, Any],
    domain: DomainSpec | None = None,
    *,
    kinds: Sequence[str] = BEHAVIOURS,
) -> None:
    """Refuse an environment that LS3 cannot learn in. The environment is reset and stepped.

    Args:
        env: the environment. `render` is tried too if its `render_mode` is ``rgb_array``.
        domain: facts of the task, with which images and actions must agree; None: they are not
            compared.
        kinds: behaviours that must collect data: `demonstration`, `random`, `constraint`.

    Raises:
        TaskError: something is wrong; the text says all that was found, and what to do.
    """
    images, actions = list(image_faults(env, domain)), list(action_faults(env, domain))
    shape = domain.observation_shape if domain else None
    trial = Trial(env.unwrapped, shape, sees_images=not images)
    start = trial.reset()
    if start is not None and not actions:
        trial.same_again(start)
        trial.step(np.zeros(env.action_space.shape or (), np.float32))
        trial.render()
    has_behaviours = not kinds or trial.has_behaviours(kinds)
    if start is not None and not actions and has_behaviours:
        for kind in kinds:
            if not trial.behaviour(kind):
                break  # the others most likely have the same fault
    refuse(env, [*images, *actions, *trial.faults])


class Trial:
    """Tries an environment, and keeps what is wrong with it in `faults`.

    Args:
        bare: the environment without wrappers, whose own checks would fail in other words.
        shape: (height, width, channel) of its images; None: any.
        sees_images: whether to look at the images, which need not be said to be wrong twice.
    """

    def __init__(self, bare: Any, shape: tuple[int, ...] | None, *, sees_images: bool) -> None:
        self.bare, self._shape, self._sees_images = bare, shape, sees_images
        self.faults: list[TaskFault] = []

    def reset(self, options: dict[str, Any] | None = None) -> tuple[np.ndarray, Any] | None:
        """Return picture and info of the start, or None if one of them is wrong."""
        before = len(self.faults)
        found = self._call("reset", lambda: self.bare.reset(seed=SEED, options=options))
        if len(self.faults) > before:
            return None
        if not (isinstance(found, tuple) and len(found) == 2):
            self._add(f"reset returns {kind_of(found)}", "return (observation, info)")
            return None
        self._image(found[0], "reset")
        self._labels(found[1], "reset")
        return found if len(self.faults) == before else None

    def same_again(self, start: tuple[np.ndarray, Any]) -> None:
        """Compare the start of another episode with the same seed."""
        again = self.reset()
        if again is not None and not np.array_equal(start[0], again[0]):
            self._add(
                f"two resets with seed {SEED} show two pictures",
                "call super().reset(seed=seed) first, and draw from self.np_random alone",
            )

    def step(self, action: np.ndarray) -> Mapping[str, Any] | None:
        """Take a step, and return its info, or None if something that it returns is wrong."""
        before = len(self.faults)
        found = self._call("step", lambda: self.bare.step(action))
        if len(self.faults) > before:
            return None
        if not (isinstance(found, tuple) and len(found) == 5):
            do = "return (observation, reward, terminated, truncated, info)"
            self._add(f"step returns {kind_of(found)}", do)
            return None
        image, reward, _, _, info = found
        self._image(image, "step")
        if not _is_number(reward):
            self._add(f"the reward is {reward!r}", "return 0.0 in the goal set, else -1.0")
        self._labels(info, "step")
        return info if len(self.faults) == before else None

    def render(self) -> None:
        """Try to draw, if the environment was made to."""
        before = len(self.faults)
        if self.bare.render_mode != "rgb_array":
            return
        drawn = self._call("render", self.bare.render)
        image = isinstance(drawn, np.ndarray) and drawn.dtype == np.uint8 and drawn.ndim == 3
        if len(self.faults) == before and not (image and drawn.shape[-1] == 3):
            do = "return the picture of the film, uint8 (height, width, 3)"
            self._add(f"render returns {kind_of(drawn)}", do)

    def has_behaviours(self, kinds: Sequence[str]) -> bool:
        """Whether there is a method that makes behaviours."""
        if callable(getattr(self.bare, "behaviour", None)):
            return True
        do = f"return from it a function from info to an action, for {', '.join(kinds)}"
        self._add("there is no method behaviour(kind, rng)", do)
        return False

    def behaviour(self, kind: str) -> bool:
        """Try the first steps of a behaviour, and return whether all was right."""
        before, name = len(self.faults), f"behaviour('{kind}', rng)"
        act = self._call(name, lambda: self.bare.behaviour(kind, np.random.default_rng(SEED)))
        if len(self.faults) == before and not callable(act):
            self._add(f"{name} returns {kind_of(act)}", "return a function from info to an action")
        anywhere = kind in getattr(self.bare, "random_starts", ())
        start = self.reset({"random_start": True} if anywhere else None)
        info = start[1] if start is not None else None
        for _ in range(STEPS):
            if info is None or len(self.faults) > before:
                break
            action = self._call(f"what {name} returns", partial(act, info))
            if len(self.faults) == before and self._action(f"what {name} returns", action):
                info = self.step(np.asarray(action, np.float32))
        return len(self.faults) == before

    def _action(self, name: str, action: Any) -> bool:
        space = self.bare.action_space
        try:
            values: NDArray[np.float32] = np.asarray(action, np.float32)
        except (TypeError, ValueError):
            values = np.empty(0, np.float32)
        slack = 1e-3 * (space.high - space.low)
        if values.shape != space.shape or not np.isfinite(values).all():
            self._add(f"{name} gives {action!r}", f"give {space.shape[0]} finite numbers")
        elif (values < space.low - slack).any() or (values > space.high + slack).any():
            do = "clip: np.clip(action, self.action_space.low, self.action_space.high)"
            self._add(f"{name} gives {values}, beyond the bounds of action_space", do)
        else:
            return True
        return False

    def _image(self, image: Any, where: str) -> None:
        if not self._sees_images:
            return
        picture = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3
        if not picture:
            do = f"return a NumPy array, dtype uint8, of shape {self._shape or '(64, 64, 3)'}"
            self._add(f"{where} returns {kind_of(image)} as observation, not an image", do)
        elif self._shape is not None and image.shape != self._shape:
            self._add(
                f"{where} returns an observation of shape {image.shape}, the domain {self._shape}",
                AGREE,
            )

    def _labels(self, info: Any, where: str) -> None:
        if not isinstance(info, Mapping):
            self._add(f"the info of {where} is {kind_of(info)}", "return a dictionary")
            return
        for name, means in LABELS.items():
            if name not in info:
                do = f"say whether the state {means}, after reset and after every step"
                self._add(f"info['{name}'] is missing", do)
            elif not isinstance(info[name], bool | np.bool_):
                do = f"say True or False: whether the state {means}"
                self._add(f"info['{name}'] is {info[name]!r}, neither True nor False", do)

    def _call(self, name: str, call: Callable[[], Any]) -> Any:
        """Call, and return what is returned; an error becomes a fault."""
        try:
            return call()
        except UserError:
            raise
        except Exception as error:
            self._add(f"{name} raised {raised(error)}", "correct the line that is named")
            return None

    def _add(self, what: str, do: str) -> None:
        if what not in {fault.what for fault in self.faults}:
            self.faults.append(TaskFault(what, do))


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False
