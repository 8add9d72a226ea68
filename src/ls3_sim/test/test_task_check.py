"""Everything that can be wrong with an environment of one's own is said in words, with a cure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from ls3_common.domain import DomainSpec, domain_names, load_spec
from ls3_common.errors import ConfigError, UserError
from ls3_sim.registration import make_environment, make_task
from ls3_sim.task_check import check_task
from ls3_sim.task_spaces import TaskError

pytestmark = pytest.mark.background

NAME = "LS3Test/Right-v0"
KINDS = ("demonstration", "random", "constraint")
SPEC = DomainSpec(
    environment=NAME,
    horizon=5,
    action_low=(-1.0, -1.0, -0.5),
    action_high=(1.0, 1.0, 0.5),
    action_unit="m",
    image_size=64,
    channels=3,
    constraints=("edge",),
)
BLACK = np.zeros((64, 64, 3), np.uint8)
RIGHT = {"success": False, "constraint": False}


class Right(gymnasium.Env[Any, Any]):
    """An environment in order; the tests break one thing at a time."""

    metadata = {"render_modes": ["rgb_array"]}
    observation_space: Any = spaces.Box(0, 255, (64, 64, 3), np.uint8)
    action_space: Any = spaces.Box(
        np.array([-1, -1, -0.5], np.float32), np.array([1, 1, 0.5], np.float32)
    )
    image: Any = BLACK
    info: Any = RIGHT
    reward: Any = -1.0

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self.image, self.info

    def step(self, action: Any) -> Any:
        return self.image, self.reward, False, False, self.info

    def behaviour(self, kind: str, rng: np.random.Generator) -> Any:
        return lambda info: rng.uniform(-0.5, 0.5, 3)

    def render(self) -> Any:
        return self.image


def returning(value: Any) -> Callable[..., Any]:
    return lambda self, *args, **kwargs: value


def raising(error: Exception) -> Callable[..., Any]:
    def raise_it(*args: Any, **kwargs: Any) -> Any:
        raise error

    return raise_it


def acting(value: Any) -> Callable[..., Any]:
    return lambda self, kind, rng: lambda info: value


def drawing(self: Any, *, seed: int | None = None, options: Any = None) -> Any:
    return np.random.default_rng().integers(0, 255, (64, 64, 3)).astype(np.uint8), RIGHT


@pytest.fixture
def make() -> Iterator[Callable[..., gymnasium.Env[Any, Any]]]:
    """Register the environment with these parts changed, and make it."""

    def made(parts: Mapping[str, Any], **options: Any) -> gymnasium.Env[Any, Any]:
        gymnasium.register(NAME, entry_point=type("Wrong", (Right,), dict(parts)))
        return make_task(SPEC, **{"kinds": KINDS, "render_mode": "rgb_array", **options})

    yield made
    gymnasium.registry.pop(NAME, None)


def test_what_is_right_is_not_refused(make: Callable[..., Any]) -> None:
    check_task(make({}))
    make({"behaviour": None}, kinds=())  # a model is run, or learns from recordings


@pytest.mark.parametrize("name", domain_names())
def test_the_shipped_environments_are_right(name: str) -> None:
    make_task(load_spec(name), kinds=KINDS).close()


Box = spaces.Box
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"behaviour": None}, "no method behaviour(kind, rng)", "for demonstration, random"),
    (
        {"behaviour": lambda self, kind: None},
        "behaviour('demonstration', rng) raised TypeE",
        "line",
    ),
    ({"behaviour": returning(None)}, "behaviour('demonstration', rng) returns None", "function"),
    ({"behaviour": acting(np.zeros(2))}, "gives array([0., 0.])", "give 3 finite numbers"),
    ({"behaviour": acting(None)}, "gives None", "give 3 finite numbers"),
    ({"behaviour": acting([0, 0, 0.6])}, "gives [0.  0.  0.6], beyond the bounds", "np.clip"),
    ({"behaviour": acting([0, 0, np.nan])}, "nan", "finite"),
    ({"info": {"constraint": False}}, "info['success'] is missing", "in the goal set"),
    ({"info": {"success": False}}, "info['constraint'] is missing", "violates a constraint"),
    ({"info": RIGHT | {"success": "no"}}, "info['success'] is 'no', neither", "True or False"),
    ({"info": None}, "the info of reset is None", "dictionary"),
    ({"reward": None}, "the reward is None", "0.0 in the goal set"),
    ({"reward": float("nan")}, "the reward is nan", "0.0 in the goal set"),
    ({"observation_space": Box(-1, 1, (4,))}, "shape (4,) are no images", "uint8"),
    (
        {"observation_space": Box(0, 1, (64, 64, 3), np.float32)},
        "observations are float32, not uint8",
        "from 0 to 255",
    ),
    (
        {"observation_space": Box(0, 255, (96, 96, 3), np.uint8)},
        "observations of shape (96, 96, 3), the domain (64, 64, 3)",
        "image_size",
    ),
    (
        {"observation_space": spaces.Dict({"image": Box(0, 255, (64, 64, 3), np.uint8)})},
        "type Box, not Dict",
        "spaces.Box(0, 255, (64, 64, 3), np.uint8)",
    ),
    ({"image": BLACK / 255}, "an array, float64 (64, 64, 3) as observation", "dtype uint8"),
    ({"image": BLACK[:32]}, "observation of shape (32, 64, 3), the domain (64, 64", "image_size"),
    ({"image": 3}, "reset returns int as observation", "NumPy array"),
    ({"action_space": spaces.Discrete(4)}, "type Box, not Discrete", "spaces.Box"),
    ({"action_space": Box(-np.inf, np.inf, (3,))}, "have no bounds", "spaces.Box"),
    ({"action_space": Box(-1, 1, (3, 1))}, "actions of shape (3, 1)", "one-dimensional"),
    ({"action_space": Box(-1, 1, (3,))}, "the domain (-1.0, -1.0, -0.5)", "action_low"),
    ({"action_space": Box(0.5, 1, (3,))}, "zero is no action", "let actions be changes"),
    ({"action_space": None}, "type Box, not None", "spaces.Box"),
    ({"reset": lambda self, seed: (BLACK, RIGHT)}, "reset raised TypeError", "line"),
    (
        {"reset": returning(BLACK)},
        "reset returns an array, uint8 (64, 64, 3)",
        "(observation, info)",
    ),
    ({"reset": drawing}, "two resets with seed 0 show two pictures", "self.np_random"),
    ({"step": returning((BLACK, 0.0, False, RIGHT))}, "a tuple of 4", "truncated, info)"),
    ({"step": raising(KeyError("x"))}, "step raised KeyError: 'x'", "line"),
    ({"render": returning(None)}, "render returns None", "uint8 (height, width, 3)"),
    ({"__init__": lambda self: None}, "render_mode", ""),
    ({"__init__": raising(ZeroDivisionError("x"))}, "cannot be made: ZeroDivisionError: x", "line"),
]


@pytest.mark.parametrize(("parts", "what", "do"), WRONG)
def test_a_fault_is_said_in_two_lines(
    make: Callable[..., Any], parts: dict[str, Any], what: str, do: str
) -> None:
    with pytest.raises(UserError) as caught:
        make(parts)
    lines = str(caught.value).splitlines()
    said = next((i for i, line in enumerate(lines) if what in line), None)
    assert said is not None, caught.value
    assert NAME in lines[said]
    assert lines[said + 1].startswith("  -> ")
    assert do in lines[said] + lines[said + 1]
    if set(parts) & {"behaviour", "reward", "image", "render"}:
        assert len(lines) == 2  # one fault is not said twice


def test_all_faults_are_said_at_once(make: Callable[..., Any]) -> None:
    parts = {"behaviour": None, "info": {}, "action_space": spaces.Discrete(2), "image": 1}
    with pytest.raises(TaskError) as caught:
        make(parts)
    text = str(caught.value)
    for word in ("Discrete", "'success'", "'constraint'", "behaviour", "reset returns int"):
        assert word in text
    assert len(text.splitlines()) == 2 * len(caught.value.faults) == 10


def test_without_a_domain_shapes_are_free() -> None:
    env = Right()
    env.action_space = Box(-1, 1, (3,))
    check_task(env)
    env.observation_space = Box(0, 1, (64, 64, 3), np.float32)
    with pytest.raises(TaskError, match="Right: observations are float32"):
        check_task(env)


def test_an_environment_that_differs_is_refused(make: Callable[..., Any]) -> None:
    make({})
    with pytest.raises(ConfigError, match=r"shape \(64, 64, 3\), the domain \(64, 64, 6\)"):
        make_environment(replace(SPEC, frames=2))
    with pytest.raises(ConfigError, match=r"actions to \(1.0, 1.0, 0.5\), the domain"):
        make_environment(replace(SPEC, action_high=(1.0, 1.0, 0.6)))


def test_a_missing_module_is_named_with_the_cure() -> None:
    with pytest.raises(UserError, match=r"(?s)No module named 'my_task'.*PYTHONPATH"):
        make_task(replace(SPEC, environment="my_task:Mine-v0"))
