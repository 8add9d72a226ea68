"""encoder_node as a process: what it publishes, and what it refuses and why."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known_frames import demonstration, foreign, save_guarded
from random_models import random_bundle
from ros_bench import Bench

from ls3_common.shared import find_shared
from ls3_models.bundle import Bundle, save_bundle

NODE = "ls3_models.encoder_node"


class Camera:
    """Shows images to an encoder_node and hears what it says."""

    def __init__(self, bench: Bench) -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        from sensor_msgs.msg import Image

        from ls3_common import qos, topics
        from ls3_interfaces.msg import Latent

        self._image = Image
        self.until = bench.until
        self.latents = bench.collect(Latent, topics.LATENT)
        self.health = bench.collect(DiagnosticArray, "/diagnostics")
        self._images = bench.node.create_publisher(Image, topics.MASK, qos.RELIABLE)

    def show(self, pixels: np.ndarray, encoding: str, seconds: int, **changes: Any) -> None:
        height, width, channels = pixels.shape
        message = self._image(height=height, width=width, step=width * channels, encoding=encoding)
        message.data = pixels.tobytes()
        for name, value in changes.items():
            setattr(message, name, value)
        message.header.stamp.sec = seconds
        message.header.frame_id = "camera"
        self._images.publish(message)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bundle]:
    path = tmp_path_factory.mktemp("model")
    return path, save_bundle(random_bundle(), path)


@pytest.fixture(scope="module")
def camera(shared_bench: Bench, bundle: tuple[Path, Bundle]) -> Camera:
    """Before a running encoder_node."""
    camera, blank = Camera(shared_bench), np.zeros((64, 64, 1), np.uint8)
    shared_bench.start(NODE, model=str(bundle[0]))

    def answered() -> bool:  # matched here may not yet be matched there
        camera.show(blank, "mono8", 0)
        time.sleep(0.1)
        return bool(camera.latents)

    camera.until(answered)
    return camera


def test_latent_is_that_of_the_image_with_its_stamp(
    camera: Camera, bundle: tuple[Path, Bundle]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 1), np.uint8)
    camera.show(pixels, "mono8", 42)
    (latent,) = camera.until(lambda: [m for m in camera.latents if m.header.stamp.sec == 42])
    mean, std = bundle[1].encode(pixels[None])
    np.testing.assert_allclose(latent.mean, mean[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(latent.std, std[0], rtol=1e-4, atol=1e-5)
    assert math.isnan(latent.score) and math.isnan(latent.start_score), "the model has no guard"
    assert latent.model == bundle[1].identity
    assert latent.header.frame_id == "camera"


def test_scores_are_those_of_the_models_guard_on_frames(bench: Bench, tmp_path: Path) -> None:
    bundle = save_guarded(random_bundle(), tmp_path)
    assert bundle.guard is not None
    frames = [*demonstration(7).observations[[0, 5]], *foreign().values()]
    bench.start(NODE, model=str(tmp_path))
    camera = Camera(bench)

    def latent_of(number: int) -> Any:
        camera.show(frames[number], "mono8", number + 1)
        time.sleep(0.1)
        return [m for m in camera.latents if m.header.stamp.sec == number + 1]

    for number, frame in enumerate(frames):
        latent = camera.until(lambda number=number: latent_of(number))[0]
        scores = bundle.guard.scores(frame[None], bundle.encode(frame[None])[0])[0]
        np.testing.assert_allclose((latent.score, latent.start_score), scores, rtol=1e-4)
        assert bool(bundle.guard.objection(scores)) == (number >= 2)
    camera.until(lambda: said(camera, "the frame is unlike the training data: score"))


def said(camera: Camera, text: str) -> bool:
    return any(text in status.message for array in camera.health for status in array.status)


@pytest.mark.parametrize(
    ("size", "encoding", "changes", "complaint"),
    [
        ((64, 64, 3), "rgb8", {}, "a frame of 3 channels, the model of 'cable_routing' takes"),
        ((32, 64, 1), "mono8", {}, "takes uint8 (64, 64, 1)"),
        ((64, 64, 2), "16UC1", {}, "encoding '16UC1'"),
        ((64, 64, 1), "mono8", {"height": 70}, "4096 bytes is not 64x70 mono8"),
    ],
)
def test_unfit_image_is_refused_with_its_reason(
    camera: Camera,
    size: tuple[int, int, int],
    encoding: str,
    changes: dict[str, Any],
    complaint: str,
) -> None:
    camera.health.clear()
    camera.show(np.zeros(size, np.uint8), encoding, 77, **changes)
    camera.until(lambda: said(camera, complaint))
    assert not [m for m in camera.latents if m.header.stamp.sec == 77]


def test_a_model_of_another_domain_ends_the_node_with_a_clear_error(
    bench: Bench, bundle: tuple[Path, Bundle]
) -> None:
    file = find_shared("config/pushing.yaml")
    words = ["--ros-args", "--params-file", str(file), "-p", f"model:={bundle[0]}"]
    by_size = bench.command(sys.executable, "-m", NODE, *words)
    by_name = bench.start(NODE, model=str(bundle[0]), trained_for="mine")
    assert by_size.wait(100) == by_name.wait(100) == 2
    assert "the model of 'cable_routing' has observation_shape" in by_size.output
    assert "this is a model of 'cable_routing', not of 'mine'" in by_name.output
    assert "Traceback" not in by_size.output + by_name.output


def test_missing_model_ends_the_node_with_a_clear_error(bench: Bench, tmp_path: Path) -> None:
    child = bench.start(NODE, model=str(tmp_path / "nowhere"))
    assert child.wait(100) == 2
    assert "nowhere: no model here" in child.output
    assert "Traceback" not in child.output
