"""What a launch passes on of a parameter file's variations."""

from __future__ import annotations

from pathlib import Path

import pytest

from ls3_common.errors import ConfigError
from ls3_launch import launching

pytestmark = pytest.mark.background

SECTION = "/**/environment: {ros__parameters: {%s}}\n/**/other: {ros__parameters: {a: 1}}\n"


def written(path: Path, text: str) -> dict[str, str]:
    path.write_text(text)
    return {"config": str(path)}


def test_the_section_becomes_parameters_of_the_node_that_simulates(tmp_path: Path) -> None:
    given = written(tmp_path / "a.yaml", SECTION % "camera_shift: 3, domain_randomisation: true")
    (parameters,) = launching.environment(given)
    assert parameters == {
        "environment.camera_shift": 3,
        "environment.domain_randomisation": True,
    }


def test_an_arm_that_misses_its_lengths_is_given_a_tolerance(tmp_path: Path) -> None:
    facts = "environment: a, horizon: 9, action_low: [-0.01, -0.01], action_high: [0.01, 0.01], "
    facts += "action_unit: m, image_size: 64, channels: 1, constraints: [obstacle]"
    domain = f"/**: {{ros__parameters: {{domain: {{{facts}}}}}}}\n"
    for gain, tolerance in (("gain: 0.5", 0.002 + 0.5 * 0.01 * 2**0.5), ("gain: 0.0", None)):
        given = written(tmp_path / "a.yaml", domain + SECTION % gain)
        expected = {} if tolerance is None else {"goal_tolerance": pytest.approx(tolerance)}
        assert launching.goal_tolerance(given) == expected
    for other in ("delay: 1", "gain: late", "gain: -1", ""):
        assert launching.goal_tolerance(written(tmp_path / "b.yaml", SECTION % other)) == {}


def test_a_file_without_the_section_passes_nothing_on(tmp_path: Path) -> None:
    assert launching.environment(written(tmp_path / "a.yaml", SECTION % "")) == []
    other = "/**/other: {ros__parameters: {a: 1}}\n"
    assert launching.environment(written(tmp_path / "b.yaml", other)) == []


def test_a_variation_without_a_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'camera_shift' has no value"):
        launching.environment(written(tmp_path / "a.yaml", SECTION % "camera_shift:"))
