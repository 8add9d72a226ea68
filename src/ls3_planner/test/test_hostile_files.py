"""Files of strangers: spoiled, cut, or made to harm. Each is read unharmed or refused in words.

Whatever is read here may be copied from anywhere: models, checkpoints, episodes, parameters, bags.
Nothing else than UserError may come of it: no other exception, no endless loop, no memory eaten
up. `make test` runs a share; more with

    source tools/env.sh
    LS3_FUZZ_CASES=2000 pytest src/ls3_planner/test/test_hostile_files.py
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvrk_cable_env.arm import ArmConfig
from dvrk_cable_env.bag_reading import Bag
from ls3_common import parameters
from ls3_common.errors import UserError
from ls3_models import resume
from ls3_models.bundle import MANIFEST, WEIGHTS, load_bundle, random_bundle, save_bundle
from ls3_models.config import LearnerConfig
from ls3_models.episodes import Episode, read_episode, write_episode
from ls3_models.learner import Learner

CASES = int(os.environ.get("LS3_FUZZ_CASES", "30"))
LONGEST = 10
"""Seconds that one file may take."""
MEMORY = 3 << 30
"""Bytes of address space that reading may add to what the process has."""
fuzz = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SMALL = LearnerConfig(
    latent_dim=2,
    beta=1e-6,
    batch_size=2,
    gamma=0.99,
    gamma_safe=0.9,
    augmentation="none",
    vae_iterations=1,
    offline_iterations=1,
    dynamics_hidden=4,
    hidden=4,
)
NUMBERS = [
    *(0, -1, 1, 3, 255, 2**31, 2**32 + 1, 2**53, 2**63, 2**64 - 1, -(2**63), 10**30),
    *(0.5, 1e308, float("inf"), float("-inf"), float("nan")),
]
HOSTILE: list[Any] = [
    *NUMBERS,
    *(None, True, "", "x", "\0", "../../etc/passwd", "1e9", [], [[]], {}, {"x": {}}, [None]),
    *([10**9] * 3, [2**31] * 3, [1, 1], [-1, -1, -1], ["a", "b", "c"], list(range(1000))),
]
INJURIES = ("cut", "flip", "over", "insert", "length", "number", "double")
hostile = st.sampled_from(HOSTILE)
TEXTS = [
    *(json.dumps(value).encode() for value in HOSTILE),
    *(
        b"9" * 5000,
        b"[" * 20000,
        b'{"a":' * 5000,
        b"*a",
        b"&a [*a]",
        b"!!python/object:os.system x",
    ),
    *(
        b"!!bool x",
        b"!!timestamp x",
        b"2026-99-99",
        b"0x",
        b"1:99:99",
        b"\xff\xfe",
        b"? x",
        b"<<: 1",
    ),
]


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """UserError is well; time and memory are limited; all else comes through."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    before = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(LONGEST)
    said: list[UserError] = []
    try:
        yield
    except UserError as error:
        said.append(error)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    # PyTorch says so in a RuntimeError
    assert not any("allocate" in str(error) for error in said), "asked for memory without end"


def _too_long(_number: int, _frame: object) -> None:
    pytest.fail(f"took longer than {LONGEST} s")


@st.composite
def spoiled(draw: st.DrawFn, data: bytes) -> bytes:
    """Up to three injuries of a file."""
    found = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.one_of(st.integers(0, 600), st.integers(0, max(1, len(data)))))
        at = min(at, max(0, len(found) - 1))
        match draw(
            st.sampled_from(["cut", "flip", "over", "insert", "length", "number", "double"])
        ):
            case "cut":
                del found[at:]
            case "flip" if found:
                found[at] ^= 1 << draw(st.integers(0, 7))
            case "over":
                new = draw(st.binary(min_size=1, max_size=16))
                found[at : at + len(new)] = new
            case "insert":
                found[at:at] = draw(st.sampled_from(TEXTS))
            case "length":
                at -= at % 8
                value = draw(st.sampled_from([0, 1, 2**31, 2**32 - 1, 2**40, 2**63, 2**64 - 1]))
                found[at : at + 8] = struct.pack("<Q", value)
            case "number":
                places = list(re.finditer(rb"-?\d+(\.\d+)?", bytes(found[:20_000])))
                if places:
                    place = draw(st.sampled_from(places))
                    found[place.start() : place.end()] = draw(st.sampled_from(TEXTS))
            case "double":
                found[at:at] = found[at : at + draw(st.integers(1, 4096))]
    return bytes(found)


def fitting(data: bytes) -> bytes:
    """A safetensors file with the length of its header mended, so that its content is looked at."""
    end = data.find(b"}}", 8) + 2
    return struct.pack("<Q", end - 8) + data[8:] if end > 8 else data


@st.composite
def described(draw: st.DrawFn, original: dict[str, Any]) -> dict[str, Any]:
    """A description with up to three entries replaced, removed or added."""
    found = json.loads(json.dumps(original))
    for _ in range(draw(st.integers(1, 3))):
        part = found
        while True:
            key = draw(st.sampled_from([*part, "more"]))
            if not isinstance(part.get(key), dict) or draw(st.integers(0, 4)) == 0:
                break
            part = part[key]
            if not part:
                break
        if draw(st.integers(0, 4)) == 0:
            part.pop(key, None)
        else:
            part[key] = draw(hostile)
    return dict(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Path:
    save_bundle(random_bundle(config=SMALL), folder / "bundle")
    return folder / "bundle"


def rewritten(path: Path, text: str) -> bytes:
    """A model's weights with another description."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = {"description": text}
    new = json.dumps(header).encode()
    return struct.pack("<Q", len(new)) + new + data[8 + length :]


@fuzz
@given(draw=st.data())
def test_models(bundle: Path, draw: st.DataObject) -> None:
    hurt = bundle.parent / "hurt"
    shutil.copytree(bundle, hurt, dirs_exist_ok=True)
    name = draw.draw(st.sampled_from([WEIGHTS, WEIGHTS, MANIFEST]))
    data = draw.draw(spoiled((bundle / name).read_bytes()))
    (hurt / name).write_bytes(fitting(data) if draw.draw(st.booleans()) else data)
    with bounded():
        load_bundle(hurt).encode(np.zeros((1, 64, 64, 1), np.uint8))


@fuzz
@given(draw=st.data())
def test_models_whose_two_files_agree(bundle: Path, draw: st.DataObject) -> None:
    hurt = bundle.parent / "hurt"
    shutil.copytree(bundle, hurt, dirs_exist_ok=True)
    text = json.dumps(draw.draw(described(json.loads((bundle / MANIFEST).read_text()))))
    (hurt / MANIFEST).write_text(text)
    (hurt / WEIGHTS).write_bytes(rewritten(bundle / WEIGHTS, text))
    with bounded():
        load_bundle(hurt).encode(np.zeros((1, 64, 64, 1), np.uint8))


@pytest.mark.parametrize(
    "key", ["hidden", "value_members", "dynamics_hidden", "dynamics_members", "latent_dim"]
)
def test_models_that_ask_for_more_than_their_weights_are_refused(bundle: Path, key: str) -> None:
    hurt = bundle.parent / "greedy"
    shutil.copytree(bundle, hurt, dirs_exist_ok=True)
    description = json.loads((bundle / MANIFEST).read_text())
    description["learner"][key] = 1024 if key == "latent_dim" else 10**6
    (hurt / MANIFEST).write_text(json.dumps(description))
    (hurt / WEIGHTS).write_bytes(rewritten(bundle / WEIGHTS, json.dumps(description)))
    with bounded(), pytest.raises(UserError, match="by the description"):
        load_bundle(hurt)


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Path:
    identity = {"seed": 1}
    resume.save(folder, Learner(SMALL, 1, 2, seed=0), identity, done={"vae": 1})
    return folder / resume.CHECKPOINT


@fuzz
@given(draw=st.data())
def test_checkpoints(checkpoint: Path, draw: st.DataObject) -> None:
    hurt = checkpoint.parent / "resumed"
    hurt.mkdir(exist_ok=True)
    data = draw.draw(spoiled(checkpoint.read_bytes()))
    (hurt / resume.CHECKPOINT).write_bytes(fitting(data) if draw.draw(st.booleans()) else data)
    with bounded():
        resume.restore(hurt, Learner(SMALL, 1, 2, seed=0), {"seed": 1})


@pytest.fixture(scope="module")
def episode(folder: Path) -> Path:
    steps = 5
    flags = np.zeros(steps, bool)
    return write_episode(
        folder,
        "episode",
        Episode(
            np.zeros((steps + 1, 8, 8, 1), np.uint8),
            np.zeros((steps, 2), np.float32),
            np.zeros(steps, np.float32),
            flags,
            flags,
            "online",
            1,
        ),
    )


@fuzz
@given(draw=st.data())
def test_episodes(episode: Path, draw: st.DataObject) -> None:
    hurt = episode.with_name("hurt.h5")
    hurt.write_bytes(draw.draw(spoiled(episode.read_bytes())))
    with bounded():
        read_episode(hurt)


def _replace(key: str, **options: Any) -> Callable[[h5py.File], None]:
    def act(file: h5py.File) -> None:
        del file[key]
        file.create_dataset(key, **options)

    return act


def _link(key: str, link: Any) -> Callable[[h5py.File], None]:
    def act(file: h5py.File) -> None:
        del file[key]
        file[key] = link

    return act


def _attribute(key: str, value: Any) -> Callable[[h5py.File], None]:
    def act(file: h5py.File) -> None:
        file.attrs[key] = value

    return act


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((6, 8, 8, 1), np.uint8)
    layout[:] = h5py.VirtualSource("/etc/passwd", "obs", (6, 8, 8, 1))
    del file["obs"]
    file.create_virtual_dataset("obs", layout)


CRAFTED: dict[str, Callable[[h5py.File], None]] = {
    "a petabyte": _replace("obs", shape=(6, 2**25, 2**23, 1), dtype="u1", chunks=(1, 64, 64, 1)),
    "a huge number of steps": _replace("rewards", shape=(2**40,), dtype="f4", chunks=(1024,)),
    "a huge chunk": _replace(
        "obs", shape=(6, 8, 8, 1), maxshape=(None,) * 4, dtype="u1", chunks=(6, 2**14, 2**14, 1)
    ),
    "text for images": _replace("obs", data=["x"] * 6),
    "floats for images": _replace("obs", data=np.zeros((6, 8, 8, 1))),
    "records for actions": _replace("actions", data=np.zeros((5,), "f4,f4")),
    "complex actions": _replace("actions", data=np.zeros((5, 2), "c8")),
    "one action": _replace("actions", data=0.0),
    "three axes of actions": _replace("actions", data=np.zeros((5, 2, 1))),
    "not a number": _replace("actions", data=np.full((5, 2), np.nan)),
    "nothing": _replace("obs", data=h5py.Empty("u1")),
    "another file's bytes": _replace(
        "obs", shape=(6, 8, 8, 1), dtype="u1", external=[("/etc/passwd", 0, 384)]
    ),
    "another file's data": _link("obs", h5py.ExternalLink("/etc/passwd", "/obs")),
    "pieces of another file": _virtual,
    "itself": _link("obs", h5py.SoftLink("/obs")),
    "a group": _link("obs", h5py.SoftLink("/")),
    "a list for a seed": _attribute("seed", [1, 2]),
    "no number for a seed": _attribute("seed", "one"),
    "an infinite seed": _attribute("seed", float("inf")),
    "a format of two": _attribute("format", ["ls3-episode-1", "x"]),
    "a number for attributes": _attribute("attributes", 7),
    "a list of attributes": _attribute("attributes", "[1]"),
    "attributes without end": _attribute("attributes", "[" * 10_000),
}


@pytest.mark.parametrize("act", CRAFTED.values(), ids=list(CRAFTED))
def test_episodes_made_to_harm_are_refused(episode: Path, act: Callable[[h5py.File], None]) -> None:
    hurt = episode.with_name("crafted.h5")
    shutil.copy(episode, hurt)
    with h5py.File(hurt, "r+") as file:
        act(file)
    refused = []
    with bounded():
        try:
            read_episode(hurt)
        except UserError as error:
            refused.append(error)
            raise
    assert refused and str(hurt) in str(refused[0])


@pytest.mark.parametrize("size", [0, 2**64 - 16, 2**64 - 1, 2**40])
def test_episodes_in_which_hdf5_would_go_round_for_ever_are_refused(
    episode: Path, size: int
) -> None:
    data = bytearray(episode.read_bytes())
    heap = data.index(b"GCOL")
    number = 0 if size == 0 else 1
    data[heap + 16 : heap + 32] = struct.pack("<HHIQ", number, 1, 0, size)
    hurt = episode.with_name("endless.h5")
    hurt.write_bytes(data)
    with pytest.raises(UserError, match="a heap with an entry"):
        read_episode(hurt)


@fuzz
@given(draw=st.data())
def test_parameters(folder: Path, draw: st.DataObject) -> None:
    body = {**parameters.to_dict(ArmConfig()), "limits": {"max_step": 0.01}}
    text = json.dumps({"/**/arm_node": {"ros__parameters": body}}, indent=1).encode()
    path = folder / "hurt.yaml"
    path.write_bytes(draw.draw(spoiled(text)))
    with bounded():
        parameters.build(ArmConfig, parameters.read_section(path, "arm_node"), str(path))


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
            parameters.build(ArmConfig, parameters.read_section(path, "arm_node"), str(path))
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
