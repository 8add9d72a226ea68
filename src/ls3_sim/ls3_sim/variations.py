"""Variations: by how much the episodes of a domain differ from its nominal scene, camera and arm.

Every domain declares its variations as a dataclass, in which 0 or false means off. The section
`environment` of the domain's YAML sets them (docs/training.md). A magnitude of the form "+-" is a
half-range: each episode draws its own value, uniformly and once.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ls3_common import parameters
from ls3_common.errors import ConfigError
from ls3_common.parameters import parameter

Config = TypeVar("Config")


@dataclass(frozen=True, kw_only=True)
class Variations:
    """What any camera and any arm has. Pixels are those of an observation, whatever is drawn."""

    camera_shift: float = parameter(
        0.0,
        low=0,
        high=32,
        unit="px",
        description="shift of the picture along each axis, +-; learner.views.shift is in widths of "
        "the picture",
    )
    camera_rotation: float = parameter(
        0.0, low=0, high=180, unit="degrees", description="turn of the picture, +-"
    )
    camera_scale: float = parameter(
        0.0, low=0, high=0.5, description="change of the picture's scale, relative, +-"
    )
    noise: float = parameter(
        0.0,
        low=0,
        high=128,
        unit="grey levels",
        description="standard deviation of a pixel's noise, drawn anew for each frame",
    )
    light: float = parameter(0.0, low=0, high=0.9, description="change of brightness, relative, +-")
    colour: float = parameter(
        0.0, low=0, high=0.9, description="change of each channel's brightness, relative, +-"
    )
    occlusion: int = parameter(
        0,
        low=0,
        high=48,
        unit="px",
        description="side of a square of the picture that an instrument hides: on the cable as it "
        "lies at the start, elsewhere anywhere",
    )
    frame_loss: float = parameter(
        0.0,
        low=0,
        high=0.9,
        description="probability that a step's frame does not arrive: what was seen last is seen "
        "again",
    )
    delay: int = parameter(
        0, low=0, high=10, unit="steps", description="by how much observations are late"
    )
    gain: float = parameter(
        0.0, low=0, high=0.9, description="how far a motion misses its length, relative, +-"
    )


@dataclass(frozen=True, kw_only=True)
class CableVariations(Variations):
    """Cable routing. Obstacle and goal cannot be seen in the mask, but the task follows them."""

    start_jitter: float = parameter(
        0.0,
        low=0,
        high=0.2,
        unit="rad",
        description="standard deviation of the cable's hinge angles at reset",
    )
    start_offset: float = parameter(
        0.0,
        low=0,
        high=0.03,
        unit="m",
        description="where the tool, and with it the cable, starts, +- per axis",
    )
    obstacle_offset: float = parameter(
        0.0, low=0, high=0.02, unit="m", description="place of the obstacle, +- per axis"
    )
    goal_offset: float = parameter(
        0.0, low=0, high=0.02, unit="m", description="place of the goal, +- per axis"
    )
    friction: float = parameter(
        0.0,
        low=0,
        high=0.9,
        description="friction on the table and in the cable, relative, +-",
    )
    stiffness: float = parameter(
        0.0, low=0, high=0.9, description="stiffness of the cable, relative, +-"
    )
    domain_randomisation: bool = parameter(
        False, description="draw friction, stiffness, camera, light and colours at every reset"
    )


@dataclass(frozen=True, kw_only=True)
class NavigationVariations(Variations):
    """Navigation. The goal does not move, because the picture does not show it."""

    start_jitter: float = parameter(
        0.0,
        low=0,
        high=10,
        unit="of the window's 180 x 150",
        description="standard deviation of the start per axis",
    )
    obstacle_offset: float = parameter(
        0.0,
        low=0,
        high=10,
        unit="of the window's 180 x 150",
        description="place of the obstacle, +- per axis",
    )


@dataclass(frozen=True, kw_only=True)
class ReacherVariations(Variations):
    """The reacher. The target does not move: it lies at the end of the arm's reach as it is."""

    start_jitter: float = parameter(
        0.0,
        low=0,
        high=0.3,
        unit="rad",
        description="standard deviation of the joints' angles at reset",
    )
    obstacle_offset: float = parameter(
        0.0, low=0, high=0.02, unit="m", description="place of the obstacle, +- per axis"
    )


@dataclass(frozen=True, kw_only=True)
class PushingVariations(Variations):
    """Sequential pushing. The goal does not move, because the picture does not show it."""

    start_jitter: float = parameter(
        0.0,
        low=0,
        high=0.02,
        unit="m",
        description="standard deviation of the blocks' and the effector's places at reset",
    )
    friction: float = parameter(
        0.0, low=0, high=0.9, description="friction of all surfaces, relative, +-"
    )
    missed_block: float = parameter(
        0.0,
        low=0,
        high=1,
        description="probability that a demonstration leaves one block at the goal's edge and "
        "comes back for it in the end",
    )


def refuse_unknown(names: Collection[str], known: Collection[str], where: str) -> None:
    """Refuse names of variations that a domain does not have.

    Raises:
        ConfigError: a name is unknown; the text lists all variations of the domain.
    """
    for name in names:
        if name not in known:
            do = f"variations: {', '.join(known) or 'none'}"
            raise ConfigError(f"there is no variation '{name}'", where=where, do=do)


def checked(cls: type[Config], values: Mapping[str, Any], where: str) -> Config:
    """Make the dataclass of a domain's variations from values by name; the others are off.

    Raises:
        ConfigError: a name is unknown, or a value has a wrong type or is out of range.
    """
    refuse_unknown(values, list(parameters.defaults(cls)), where)
    return parameters.build(cls, values, where)


def switched_on(config: Any) -> dict[str, Any]:
    """Return the variations that are on, by name, of a dataclass of variations."""
    off = parameters.defaults(type(config))
    return {name: value for name, value in parameters.to_dict(config).items() if value != off[name]}


class EpisodeDraws:
    """The random draws of one episode's variations.

    Each variation has a stream of its own, so that its draws are the same whatever else is on, and
    grow with its magnitude. Nothing is taken from the parent's stream, so that everything that was
    drawn from it before there were variations stays as it was.

    drawn: what was drawn so far, by the variation's name, as JSON can hold it. What is drawn anew
    for each frame is not in it.
    """

    def __init__(self, parent: np.random.Generator) -> None:
        """Begin an episode. parent: the environment's generator, whose seed decides all draws."""
        self._parent = parent
        self._key: int | None = None
        self.drawn: dict[str, Any] = {}

    def stream(self, name: str) -> np.random.Generator:
        """Return the generator of a variation, at its beginning."""
        if self._key is None:
            self._key = int(self._parent.spawn(1)[0].integers(2**63))
        return np.random.default_rng([self._key, zlib.crc32(name.encode())])

    def within(self, name: str, half_range: float, count: int = 1) -> NDArray[np.float64]:
        """Draw (count,) numbers of a variation from +-half_range; zeros if it is off."""
        if not half_range:
            return np.zeros(count)
        found = self.stream(name).uniform(-half_range, half_range, count)
        self.note(name, found if count > 1 else found[0])
        return found

    def factor(self, name: str, half_range: float) -> float:
        """Draw a factor from 1 +- half_range; exactly 1 if the variation is off."""
        factor = 1.0 + float(self.within(name, half_range)[0])
        if half_range:
            self.note(name, factor)
        return factor

    def note(self, name: str, value: Any) -> None:
        """Note what a variation has drawn: a number, an array, or a mapping of such."""
        self.drawn[name] = _noted(value)


def _noted(value: Any) -> Any:
    """The value as JSON can hold it, numbers to six digits."""
    if isinstance(value, Mapping):
        return {key: _noted(item) for key, item in value.items()}
    if np.ndim(value):
        return [_noted(item) for item in value]
    return float(f"{value:.6g}")
