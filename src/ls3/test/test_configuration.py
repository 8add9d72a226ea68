"""`ls3 config show`: what it says of a parameter, and that no section of a node is forgotten."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from ls3.cli.commands import run
from ls3.runs import configuration
from ls3.runs.configuration import SECTIONS, find_class, read_settings
from ls3.runs.domains import load_domain
from ls3_common import parameters
from ls3_common.domain import domain_names
from ls3_common.parameters import Leaf

pytestmark = pytest.mark.background

SRC = Path(__file__).parents[3] / "src"
SET_BY_LAUNCH = {"learn_node", "operator_node", "gym_node"}
"""Nodes without a section of their own in a domain's file."""


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert run(["config", "show", *words]) == 0
    return capsys.readouterr().out


def test_one_parameter_is_shown_with_all_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "planner_node.horizon", "--domain", "reacher")
    assert text.startswith("planner_node.horizon: 3\n  H, planned steps\n")
    for words in ("[1, 50]", "none", "reacher.yaml", "--set planner_node.horizon=VALUE"):
        assert words in text


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("learner.gamma", "--set", "learner.gamma=0.5"), "set by   --set"),
        (("learner.frame_stack", "--domain", "reacher"), "set by   domain.frames"),
        (("planner_node.patience",), "set by   default"),
        (("encoder_node.model",), "set by   a launch file"),
        (("domain.horizon",), "cable_routing.yaml"),
        (("learner.frame_stack",), "change   --set domain.frames=VALUE, set:=domain.frames"),
        (("encoder_node.threads",), "change   set:=encoder_node.threads=VALUE in a launch"),
        (("environment.light",), "range    [0, 0.9]"),
        (("planner_node.search",), "range    cem, icem"),
        (("planner_node.use_safe_set",), "range    true, false"),
    ],
)
def test_what_sets_a_value_is_named(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], line: str
) -> None:
    assert line in shown(capsys, *words)


def test_a_part_of_a_name_finds_all_that_have_it(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, "delta_").splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "planner_node.delta_safe",
        "planner_node.delta_constraint",
    ]
    section = shown(capsys, "algorithm").splitlines()
    assert all(line.startswith("algorithm.") for line in section) and len(section) > 5


def test_names_that_do_not_exist_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for words, text in (
        (["delta_saef"], "did you mean 'planner_node.delta_safe'?"),
        (["--set", "learner.gama=1"], "did you mean 'gamma'?"),
        (["--set", "nowhere.gamma=1"], "no section 'nowhere'"),
        (["--domain", "nowhere"], "no domain 'nowhere'"),
    ):
        assert run(["config", "show", *words]) == 2
        assert text in capsys.readouterr().err


@pytest.mark.parametrize("name", domain_names())
def test_the_values_are_those_that_the_commands_read(name: str) -> None:
    domain = load_domain(name)
    settings, missing = read_settings(name)
    assert not missing
    values = {s.key: s.value for s in settings}
    for section, config in domain.settings(("learner", "planner_node")).items():
        for key, value in parameters.to_dict(config).items():
            found = values[f"{section}.{key}"]
            assert (list(found) if isinstance(found, tuple) else found) == value, key


def test_no_section_of_a_node_is_forgotten() -> None:
    nodes = {}
    for path in SRC.glob("*/*/**/*.py"):
        text = "" if "test" in path.parts else path.read_text()
        for cls in re.findall(r"declare\(self, (\w+)\)", text):
            names = re.findall(r'super\(\).__init__\(\s*"(\w+)"', text)
            nodes |= dict.fromkeys(names, cls)
    assert len(nodes) > 10
    for name in nodes.keys() - SET_BY_LAUNCH:
        listed = find_class(name)
        assert listed is not None
        assert nodes[name] == listed.__name__ or name == "planner_node"


def test_a_node_whose_ros_is_missing_is_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "ls3_episodes.run_node", raising=False)
    monkeypatch.setitem(sys.modules, "rclpy", None)
    monkeypatch.setitem(sys.modules, "rclpy.node", None)
    assert find_class("run_node") is None
    monkeypatch.setitem(SECTIONS, "arm_node", "rclpy.node:Node")  # type: ignore[arg-type]
    shown(capsys)
    assert run(["config", "show"]) == 0
    assert "arm_node" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("leaf", "text"),
    [
        (Leaf("a", int, 1, low=1), ">= 1"),
        (Leaf("a", float, 1.0, high=2), "<= 2"),
        (Leaf("a", float, 1.0), "number"),
        (Leaf("a", str, "", is_path=True), "path"),
        (Leaf("a", tuple[float, ...], (), low=0, high=1), "list, each [0, 1]"),
    ],
)
def test_ranges_in_words(leaf: Leaf, text: str) -> None:
    assert configuration.range_in_words(leaf) == text
