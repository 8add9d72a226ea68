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


def test_a_file_without_the_section_passes_nothing_on(tmp_path: Path) -> None:
    assert launching.environment(written(tmp_path / "a.yaml", SECTION % "")) == []
    other = "/**/other: {ros__parameters: {a: 1}}\n"
    assert launching.environment(written(tmp_path / "b.yaml", other)) == []


def test_a_variation_without_a_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'camera_shift' has no value"):
        launching.environment(written(tmp_path / "a.yaml", SECTION % "camera_shift:"))
