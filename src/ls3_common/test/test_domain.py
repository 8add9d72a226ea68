"""The facts of a domain: read once, handed to whoever asks, and never said twice."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from ls3_common.domain import (
    DomainSpec,
    domain_names,
    installed,
    load_spec,
    read_spec,
    taken,
)
from ls3_common.errors import ConfigError
from ls3_common.parameter_files import read_section
from ls3_common.parameters import build, parameter, to_dict

pytestmark = pytest.mark.background

FACTS: dict[str, Any] = {
    "environment": "Mine-v0",
    "horizon": 7,
    "action_low": [-1.0, -2.0, -3.0],
    "action_high": [1.0, 2.0, 2.5],
    "action_unit": "m",
    "image_size": 64,
    "channels": 2,
    "frames": 3,
    "constraints": ["edge"],
}


@dataclasses.dataclass(frozen=True)
class Config:
    steps: int = parameter(low=1, description="T", domain="horizon")
    reach: float = parameter(0.5, description="step", domain="largest_action", may_be_less=True)
    low: tuple[float, ...] = parameter(description="bounds", domain="action_low")
    gain: float = parameter(1.0, description="its own")


def write(path: Path, facts: dict[str, Any], **sections: dict[str, Any]) -> Path:
    document = {"/**": {"ros__parameters": {"domain": facts, "gain": 2.0}}} if facts else {}
    document |= {f"/**/{name}": {"ros__parameters": body} for name, body in sections.items()}
    path.write_text(yaml.safe_dump(document))
    return path


def test_facts_and_what_follows_from_them(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.yaml", FACTS, node={"low": [0.0]})
    spec = read_spec(path, {"horizon": 9})
    assert (spec.horizon, spec.joints, spec.period) == (9, (), 0.0)
    assert spec.observation_shape == (64, 64, 6)
    assert spec.largest_action == 3.0
    assert build(DomainSpec, to_dict(spec), "again") == spec
    # they are nobody's own parameters, what else stands beside them is everybody's
    assert read_section(path, "node") == {"low": [0.0], "gain": 2.0}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"action_high": [1.0]}, "3 numbers in 'action_low', 1 in 'action_high'"),
        ({"action_low": [], "action_high": []}, "0 numbers in 'action_low'"),
        ({"action_low": [1.0, -2.0, -3.0]}, "'action_low' is not below 'action_high'"),
        ({"constraints": []}, "'constraints' names none"),
        ({"joints": ["a"]}, "1 'joints' for 3 actions"),
        ({"joints": ["a", "b", "c"]}, "'joints' need an 'interface'"),
        ({"joints": ["a", "b", "c"], "interface": "effort"}, "and a 'period' above 0"),
        ({"interface": "position"}, "valid values: , effort, velocity"),
        ({"horizn": 3}, "did you mean 'horizon'?"),
        ({"channels": 0}, "'channels' is 0"),
    ],
)
def test_facts_that_cannot_be_are_named(tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    path = write(tmp_path / "mine.yaml", FACTS | changes)
    with pytest.raises(ConfigError) as caught:
        read_spec(path)
    assert text in str(caught.value) and str(path) in str(caught.value)


def test_a_file_of_before_says_where_the_facts_stand_now(tmp_path: Path) -> None:
    path = write(tmp_path / "old.yaml", {}, algorithm={"environment": "Mine-v0", "horizon": 7})
    with pytest.raises(ConfigError, match=r"no 'domain' under /\*\*(?s:.*)environment, horizon"):
        read_spec(path)


def test_a_class_takes_what_it_names() -> None:
    spec = build(DomainSpec, FACTS, "here")
    values = taken(Config, {"gain": 3.0}, spec, "node")
    assert values == {"steps": 7, "reach": 3.0, "low": [-1.0, -2.0, -3.0]}
    assert build(Config, {"gain": 3.0} | values, "node").low == (-1.0, -2.0, -3.0)
    assert "reach" not in taken(Config, {"reach": 0.25}, spec, "node")
    with pytest.raises(ConfigError, match=r"'steps' stands twice(?s:.*)domain.horizon under"):
        taken(Config, {"steps": 7}, spec, "node")
    with pytest.raises(
        ConfigError, match=r"'reach' is 3\.5, more than the domain's largest_action, 3"
    ):
        taken(Config, {"reach": 3.5}, spec, "node")
    with pytest.raises(ConfigError, match=r"missing key 'steps'(?s:.*)domain.horizon under"):
        build(Config, {"low": [0.0]}, "node")


def test_installed_domains() -> None:
    assert domain_names() == ["cable_routing", "navigation", "pushing", "reacher"]
    for name in domain_names():
        assert load_spec(name).environment.startswith("LS3/")
    assert installed("cable_routing", "largest_action")() == 0.015
    with pytest.raises(ConfigError, match=r"no domain 'cabel'(?s:.*)cable_routing"):
        load_spec("cabel")
