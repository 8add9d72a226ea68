"""Parameter files and bags of strangers, spoiled or made to harm: read unharmed or refused."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from injuries import bounded, fuzz, spoiled

from dvrk_cable_env.arm.arm import ArmConfig
from dvrk_cable_env.bags.reading import Bag
from ls3_common import parameter_files, parameters
from ls3_common.errors import UserError

pytestmark = pytest.mark.background


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@fuzz
@given(draw=st.data())
def test_parameters(folder: Path, draw: st.DataObject) -> None:
    body = {**parameters.to_dict(ArmConfig()), "limits": {"max_step": 0.01}}
    text = json.dumps({"/**/arm_node": {"ros__parameters": body}}, indent=1).encode()
    path = folder / "hurt.yaml"
    path.write_bytes(draw.draw(spoiled(text)))
    with bounded():
        parameters.build(ArmConfig, parameter_files.read_section(path, "arm_node"), str(path))


@pytest.mark.parametrize(
    "text",
    [
        "/**/arm_node: &a {ros__parameters: {limits: *a}}",
        "a: &a {ros__parameters: {x: &b {y: *a}}}\n/**/arm_node: *a",
        "l0: &l0 {x: 1}\n"
        + "".join(f"l{i}: &l{i} {{a: *l{i - 1}, b: *l{i - 1}}}\n" for i in range(1, 40))
        + "/**/arm_node: {ros__parameters: *l39}",
        *(f"/**/arm_node: {{ros__parameters: {{arm: {text}}}}}" for text in (
            "!!bool x", "!!timestamp x", "!!int x", "!!float x", "!!binary x", "2026-99-99",
            "!!python/object/apply:os.system [true]", "9" * 5000, "[" * 5000,
        )),
        "/**/arm_node: {ros__parameters: {arm: \0}}",
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_parameters_made_to_harm_are_refused(folder: Path, text: str) -> None:
    path = folder / "crafted.yaml"
    path.write_text(text)
    refused = []
    with bounded():
        try:
            parameters.build(ArmConfig, parameter_files.read_section(path, "arm_node"), str(path))
        except UserError as error:
            refused.append(error)
            raise
    assert refused


@pytest.fixture(scope="module", params=["mcap", "sqlite3"])
def bag(folder: Path, request: pytest.FixtureRequest) -> Path:
    from recorded import Recording

    path = folder / f"bag_{request.param}"
    with Recording(path, storage=request.param) as recording:
        for step in range(3):
            recording.mark("start")
            recording.frame(np.zeros((8, 8, 3), np.uint8), success=False, constraint=False)
            recording.command(0, step, 1, np.zeros(2))
            recording.setpoint(np.zeros(2))
            recording.wait(10)
    return path


@fuzz
@given(draw=st.data())
def test_bags(bag: Path, draw: st.DataObject) -> None:
    hurt = bag.with_name("hurt_bag")
    shutil.rmtree(hurt, ignore_errors=True)
    shutil.copytree(bag, hurt)
    name = draw.draw(st.sampled_from(sorted(path.name for path in bag.iterdir())))
    (hurt / name).write_bytes(draw.draw(spoiled((bag / name).read_bytes())))
    with bounded():
        found = Bag(hurt)
        for raw in found.messages(set(found.topics)):
            with contextlib.suppress(ValueError):  # `decode` says so, and the import counts it
                found.decode(raw)


def test_a_definition_that_cannot_be_parsed_costs_the_topics_messages_only(bag: Path) -> None:
    hurt = bag.with_name("undefined_bag")
    shutil.rmtree(hurt, ignore_errors=True)
    shutil.copytree(bag, hurt)
    for path in hurt.iterdir():
        path.write_bytes(
            path.read_bytes().replace(b"std_msgs/Header header", b"?td_msgs/Header header")
        )
    found = Bag(hurt)
    said = []
    for raw in found.messages(set(found.topics)):
        try:
            found.decode(raw)
        except ValueError as error:
            said.append(str(error))
    assert said
    assert all(text.startswith("no definition of ") for text in said)
