"""What can be wrong with an environment, and whether its declared images and actions are right."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from ls3_common.domain import DomainSpec
from ls3_common.errors import ConfigError, UserError

AGREE = "make the pictures so, or correct the task's file: image_size, channels, frames"
PICTURE = "return a picture, a NumPy array of numbers from 0 to 255, dtype uint8, and declare "


@dataclass(frozen=True)
class TaskFault:
    """One thing that is wrong with an environment, and what to do about it."""

    what: str
    do: str


class TaskError(ConfigError):
    """All that was found wrong with an environment, two lines for each fault."""

    def __init__(self, environment: str, faults: Sequence[TaskFault]) -> None:
        """Compose the text of at least one fault; `environment` is the gymnasium id."""
        first = faults[0]
        super().__init__(first.what, where=environment, do=first.do)
        self.faults = tuple(faults)
        lines = [str(UserError(fault.what, where=environment, do=fault.do)) for fault in faults]
        self.args = ("\n".join(lines),)


def refuse(env: gymnasium.Env[Any, Any], faults: Sequence[TaskFault]) -> None:
    """Raise a `TaskError` if there are faults."""
    if faults:
        name = env.spec.id if env.spec is not None else type(env.unwrapped).__name__
        raise TaskError(name, faults)


def raised(error: Exception) -> str:
    """Return an error of a user's code as words: the error, and the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) or not frames:  # a SyntaxError itself names file and line
        return f"{type(error).__name__}: {error}"
    return f"{type(error).__name__}: {error} ({frames[-1].filename}, line {frames[-1].lineno})"


def image_faults(
    env: gymnasium.Env[Any, Any], domain: DomainSpec | None = None
) -> Iterator[TaskFault]:
    """Yield what is wrong with the declared images."""
    space: Any = getattr(env, "observation_space", None)
    wanted = domain.observation_shape if domain else (64, 64, 3)
    do = f"observation_space = spaces.Box(0, 255, {wanted}, np.uint8)"
    if not isinstance(space, spaces.Box):
        yield TaskFault(
            f"observations must be of type Box, not {kind_of(space)}: LS3 sees images", do
        )
        return
    if len(space.shape) != 3:
        what = f"observations of shape {space.shape} are no images (height, width, channel)"
        yield TaskFault(what, PICTURE + do)
    elif domain and space.shape != wanted:
        yield TaskFault(f"observations of shape {space.shape}, the domain {wanted}", AGREE)
    if space.dtype != np.uint8:
        yield TaskFault(f"observations are {space.dtype}, not uint8", PICTURE + do)


def action_faults(
    env: gymnasium.Env[Any, Any], domain: DomainSpec | None = None
) -> Iterator[TaskFault]:
    """Yield what is wrong with the declared actions; bounds are compared as float32."""
    space: Any = getattr(env, "action_space", None)
    do = "action_space = spaces.Box(low, high, dtype=np.float32), one-dimensional and with bounds"
    if not isinstance(space, spaces.Box):
        yield TaskFault(
            f"actions must be of type Box, not {kind_of(space)}: LS3 plans real numbers", do
        )
        return
    if len(space.shape) != 1:
        yield TaskFault(f"actions of shape {space.shape}, not one-dimensional", do)
    elif not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
        yield TaskFault(f"actions from {space.low} to {space.high} have no bounds", do)
    else:
        bounds = [tuple(map(float, bound)) for bound in (space.low, space.high)]
        wanted = (
            [_float32(b) for b in (domain.action_low, domain.action_high)] if domain else bounds
        )
        for word, name, found, given in zip(
            ("from", "to"), ("action_low", "action_high"), bounds, wanted, strict=True
        ):
            if found != given:
                yield TaskFault(
                    f"actions {word} {found}, the domain {given}",
                    f"make the bounds of action_space so, or correct the task's file: {name}",
                )
        if not ((space.low <= 0).all() and (space.high >= 0).all()):
            yield TaskFault(
                f"zero is no action: the bounds are {bounds[0]} and {bounds[1]}",
                "LS3 holds still by zeros where no plan is safe: let actions be changes",
            )


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    if value is None:
        return "None"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    if isinstance(value, np.ndarray):
        return f"an array, {value.dtype} {value.shape}"
    return type(value).__name__


def _float32(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(np.float32(value)) for value in values)
