"""Models and checkpoints of strangers, spoiled or cut: read unharmed or refused in words.

Nothing else than UserError may come of it: no other exception, no endless loop, no memory eaten up.
"""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from injuries import bounded, described, fitting, fuzz, spoiled
from random_models import random_bundle

from ls3_common.errors import UserError
from ls3_models import resume
from ls3_models.bundle import MANIFEST, WEIGHTS, load_bundle, save_bundle
from ls3_models.config import LearnerConfig
from ls3_models.learner import Learner

pytestmark = pytest.mark.background

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
