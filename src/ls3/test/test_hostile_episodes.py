"""Episode files of strangers, spoiled, cut, or made to harm: read unharmed or refused in words."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from injuries import bounded, fuzz, spoiled

from ls3_common.errors import UserError
from ls3_models.episodes import Episode, read_episode, write_episode

pytestmark = pytest.mark.background


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


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
