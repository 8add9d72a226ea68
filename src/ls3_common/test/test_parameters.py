"""Parameters: what is taken, and that each mistake is named with its place and its remedy."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls3_common.errors import ConfigError, UserError
from ls3_common.parameter_files import parse_overrides, read_section
from ls3_common.parameters import build, leaves, parameter, to_dict

pytestmark = pytest.mark.background


@dataclasses.dataclass(frozen=True)
class Limits:
    low: float = parameter(-1.0, description="lower bound", unit="m")
    high: float = parameter(1.0, description="upper bound", unit="m")

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError(f"'limits.low' {self.low} is not below 'limits.high' {self.high}")


@dataclasses.dataclass(frozen=True)
class Config:
    name: str = parameter(description="has no default")
    horizon: int = parameter(5, low=1, high=20, description="planning horizon", unit="steps")
    gain: float = parameter(0.5, low=0.0, description="gain")
    profile: str = parameter("paper", choices=("paper", "realtime"), description="cost")
    verbose: bool = parameter(False, description="talk")
    widths: tuple[int, ...] = parameter((200, 200), low=1, description="layers")
    limits: Limits = dataclasses.field(default_factory=Limits)


def test_defaults_and_values_from_nested_and_dotted_keys() -> None:
    nested = build(Config, {"name": "a", "limits": {"low": 0}}, "here")
    dotted = build(Config, {"name": "a", "limits.low": 0.0}, "here")
    assert nested == dotted
    assert nested.limits == Limits(low=0.0, high=1.0)
    assert isinstance(nested.limits.low, float)
    assert (nested.horizon, nested.widths, nested.profile) == (5, (200, 200), "paper")


def test_lists_become_tuples_and_back() -> None:
    config = build(Config, {"name": "a", "widths": [3, 4]}, "here")
    assert config.widths == (3, 4)
    flat = to_dict(config)
    assert flat["widths"] == [3, 4]
    assert flat["limits.high"] == 1.0
    assert build(Config, flat, "here") == config


@pytest.mark.parametrize(
    ("values", "fragments"),
    [
        ({"name": "a", "horizn": 3}, ["unknown key 'horizn'", "did you mean 'horizon'?"]),
        ({"name": "a", "limits": {"hihg": 3}}, ["'limits.hihg'", "'limits.high'"]),
        ({"name": "a", "limits": 3}, ["unknown key 'limits'", "limits."]),
        ({"name": "a", "zzz": 3}, ["unknown key 'zzz'", "valid keys:", "horizon", "limits.low"]),
        ({}, ["missing key 'name'", "has no default"]),
        ({"name": "a", "horizon": 0}, ["'horizon' is 0", "[1, 20]", "[steps]"]),
        ({"name": "a", "horizon": 21}, ["'horizon' is 21", "[1, 20]"]),
        ({"name": "a", "gain": -0.1}, ["'gain' is -0.1", "[0, inf]"]),
        ({"name": "a", "horizon": 2.5}, ["'horizon' must be an integer, not 2.5"]),
        ({"name": "a", "horizon": True}, ["'horizon' must be an integer, not True"]),
        ({"name": "a", "gain": "fast"}, ["'gain' must be a number, not 'fast'"]),
        ({"name": "a", "gain": None}, ["'gain' must be a number, not None"]),
        ({"name": "a", "verbose": 1}, ["'verbose' must be true or false, not 1"]),
        ({"name": 3}, ["'name' must be a text, not 3"]),
        ({"name": "a", "gain": float("nan")}, ["'gain' is nan", "finite"]),
        ({"name": "a", "gain": float("inf")}, ["'gain' is inf", "finite"]),
        ({"name": "a", "profile": "fast"}, ["'profile' is 'fast'", "paper, realtime"]),
        ({"name": "a", "widths": 3}, ["'widths' must be a list of int, not 3"]),
        ({"name": "a", "widths": "34"}, ["'widths' must be a list of int"]),
        ({"name": "a", "widths": [3, "x"]}, ["'widths' must be a list of int"]),
        ({"name": "a", "widths": [3, 0]}, ["'widths' is 0", "[1, inf]"]),
        ({"name": "a", "limits": {"low": 2}}, ["'limits.low' 2.0 is not below"]),
    ],
)
def test_each_mistake_is_named(values: dict[str, object], fragments: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        build(Config, values, "cable.yaml")
    text = str(caught.value)
    assert text.startswith("cable.yaml: ")
    for fragment in fragments:
        assert fragment in text


def test_a_section_that_was_dumped_has_nothing_of_the_middleware(tmp_path: Path) -> None:
    path = tmp_path / "dump.yaml"
    path.write_text(
        "/probe:\n  ros__parameters:\n    name: a\n    use_sim_time: true\n"
        "    start_type_description_service: true\n"
        "    qos_overrides: {/tf: {publisher: {depth: 9}}}\n"
    )
    assert read_section(path, "probe") == {"name": "a"}


@given(
    st.one_of(st.integers(), st.floats(), st.text(), st.booleans(), st.none(), st.lists(st.none()))
)
def test_any_value_is_taken_within_the_limits_or_refused(value: object) -> None:
    try:
        config = build(Config, {"name": "a", "horizon": value, "gain": value}, "here")
    except ConfigError:
        return
    assert type(config.horizon) is int
    assert type(config.gain) is float
    assert 1 <= config.horizon <= 20
    assert config.gain >= 0


def test_a_tilde_in_a_path_is_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclasses.dataclass(frozen=True)
    class Files:
        out: str = parameter(description="directory", is_path=True)
        title: str = parameter("", description="no path")

    monkeypatch.setenv("HOME", "/anna")
    assert build(Files, {"out": "~/x", "title": "~/x"}, "here") == Files(out="/anna/x", title="~/x")


def test_leaves_tell_name_unit_and_limits() -> None:
    found = {leaf.name: leaf for leaf in leaves(Config)}
    assert list(found)[-2:] == ["limits.low", "limits.high"]
    assert found["horizon"].description == "planning horizon [steps]"
    assert (found["horizon"].low, found["horizon"].high) == (1, 20)


@pytest.fixture
def parameter_file(tmp_path: Path) -> Path:
    path = tmp_path / "cable.yaml"
    path.write_text(
        """
/**:
  ros__parameters: {gain: 1e-3}
/**/planner_node:
  ros__parameters: {horizon: 7, limits: {low: -2}}
/other_node:
  ros__parameters: {horizon: 9}
/empty_node: {}
"""
    )
    return path


def test_section_is_merged_with_that_of_all_nodes(parameter_file: Path) -> None:
    values = read_section(parameter_file, "planner_node")
    assert values == {"gain": 0.001, "horizon": 7, "limits.low": -2}


def test_section_that_is_not_there(parameter_file: Path) -> None:
    with pytest.raises(ConfigError, match=r"no section 'planer_node'(?s:.*)planner_node"):
        read_section(parameter_file, "planer_node")
    with pytest.raises(ConfigError, match="'/empty_node' has no ros__parameters"):
        read_section(parameter_file, "empty_node")


def test_file_that_is_not_there_names_its_neighbours(parameter_file: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file(?s:.*)cable\.yaml"):
        read_section(parameter_file.with_name("cabel.yaml"), "planner_node")


@pytest.mark.parametrize("content", [b"a: [1", b"\xff\xfe\x00", b"", b"- 1", b"3"])
def test_file_that_is_no_parameter_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"bad\.yaml: not "):
        read_section(path, "planner_node")


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_section(tmp_path, "planner_node")


def test_yaml_cannot_run_code(tmp_path: Path) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text("/**: {ros__parameters: {a: !!python/object/apply:os.getcwd []}}")
    with pytest.raises(ConfigError, match="not valid YAML"):
        read_section(path, "planner_node")


def test_overrides() -> None:
    given_texts = [
        "planner_node.horizon=3",
        "planner_node.limits.low=-0.5",
        "a.b=[1, 2]",
        "a.c=1e-3",
    ]
    assert parse_overrides(given_texts) == {
        "planner_node": {"horizon": 3, "limits.low": -0.5},
        "a": {"b": [1, 2], "c": 0.001},
    }


@pytest.mark.parametrize("text", ["horizon=3", "planner_node.horizon", ".a=1", "a.=1", "a.b=[1"])
def test_override_that_is_none(text: str) -> None:
    with pytest.raises(ConfigError, match=r"no override|no value"):
        parse_overrides([text])


def test_user_error_has_place_and_remedy() -> None:
    error = UserError("what", where="where", do="do this")
    assert str(error) == "where: what\n  -> do this"
    assert error.exit_code == 2
