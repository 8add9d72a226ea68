"""A bundle on disk is the bundle that was saved, and anything else is refused by name."""

import json

import numpy as np
import pytest
from random_models import random_bundle

from ls3_common.errors import DataError
from ls3_models.bundle import MANIFEST, WEIGHTS, load_bundle, save_bundle

pytestmark = pytest.mark.background


@pytest.fixture
def saved(tmp_path):
    save_bundle(random_bundle(), tmp_path, command="test", demonstrator_mean_steps=33.0)
    return tmp_path


def test_save_and_load(saved):
    bundle, before = load_bundle(saved), random_bundle()
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 1), np.uint8)
    for now, then in zip(bundle.encode(images), before.encode(images), strict=True):
        np.testing.assert_allclose(now, then, atol=2e-3)  # float16 on disk
    assert bundle.decode(np.zeros((2, 32))).shape == (2, 64, 64, 1)
    assert bundle.manifest["demonstrator_mean_steps"] == 33.0
    assert len(bundle.identity) == 12


def test_missing(tmp_path):
    with pytest.raises(DataError, match="no model here"):
        load_bundle(tmp_path / "nowhere")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_truncated_weights(saved, share):
    content = (saved / WEIGHTS).read_bytes()
    (saved / WEIGHTS).write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError):
        load_bundle(saved)


def test_truncated_manifest(saved):
    (saved / MANIFEST).write_text((saved / MANIFEST).read_text()[:-30])
    with pytest.raises(DataError, match="damaged model"):
        load_bundle(saved)


def test_files_of_two_models(saved):
    manifest = json.loads((saved / MANIFEST).read_text())
    manifest["domain"] = "reacher"
    (saved / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="differ in domain"):
        load_bundle(saved)


def test_weights_that_are_not_finite(tmp_path):
    bundle = random_bundle()
    bundle.models.heads.value.biases[0].fill_(float("nan"))
    with pytest.raises(DataError, match="not finite"):
        save_bundle(bundle, tmp_path)


def test_images_of_another_shape(saved):
    with pytest.raises(DataError, match=r"uint8 \(64, 64, 1\)"):
        load_bundle(saved).encode(np.zeros((1, 64, 64, 3), np.uint8))
