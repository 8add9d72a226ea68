"""encoder_node as a process: what it publishes, and what it refuses and why."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ls3_models.bundle import Bundle, random_bundle, save_bundle

# up to 101, whose ports are not those that Linux hands out to anyone
DOMAINS = itertools.cycle(1 + (os.getpid() + i) % 100 for i in range(100))


class Bench:
    """An encoder_node in a ROS domain of its own, and what it says."""

    def __init__(self, model: Path) -> None:
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.signals import SignalHandlerOptions
        from sensor_msgs.msg import Image

        from ls3_common import topics
        from ls3_interfaces.msg import Latent

        domain = next(DOMAINS)
        self._image = Image
        self._context = rclpy.Context()
        rclpy.init(
            context=self._context,
            domain_id=domain,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self._node = rclpy.create_node("encoder_bench", context=self._context)
        self.latents: list[Any] = []
        self.health: list[Any] = []
        self._images = self._node.create_publisher(Image, topics.MASK, 10)
        self._node.create_subscription(Latent, topics.LATENT, self.latents.append, 10)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self.health.append, 10)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        command = [sys.executable, "-m", "ls3_models.encoder_node", "--ros-args"]
        self.process = subprocess.Popen(
            [*command, "-p", f"model:={model}"],
            env={**os.environ, "ROS_DOMAIN_ID": str(domain)},
        )

    def _spin(self) -> None:
        while not self._leaving.is_set():
            self._executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self._leaving.set()
        self._thread.join(5.0)
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    def show(self, pixels: np.ndarray, encoding: str, seconds: int, **changes: Any) -> None:
        height, width, channels = pixels.shape
        message = self._image(height=height, width=width, step=width * channels, encoding=encoding)
        message.data = pixels.tobytes()
        for name, value in changes.items():
            setattr(message, name, value)
        message.header.stamp.sec = seconds
        message.header.frame_id = "camera"
        self._images.publish(message)

    def until(self, condition: Callable[[], Any], timeout: float = 100.0) -> Any:
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)
        return value


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bundle]:
    path = tmp_path_factory.mktemp("model")
    return path, save_bundle(random_bundle(), path)


@pytest.fixture(scope="module")
def bench(bundle: tuple[Path, Bundle]) -> Iterator[Bench]:
    bench = Bench(bundle[0])
    blank = np.zeros((64, 64, 1), np.uint8)

    def answered() -> bool:  # matched here may not yet be matched there
        bench.show(blank, "mono8", 0)
        time.sleep(0.1)
        return bool(bench.latents)

    try:
        bench.until(answered)
        yield bench
    finally:
        bench.close()


def test_latent_is_that_of_the_image_with_its_stamp(
    bench: Bench, bundle: tuple[Path, Bundle]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 1), np.uint8)
    bench.show(pixels, "mono8", 42)
    (latent,) = bench.until(lambda: [m for m in bench.latents if m.header.stamp.sec == 42])
    mean, std = bundle[1].encode(pixels[None])
    np.testing.assert_allclose(latent.mean, mean[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(latent.std, std[0], rtol=1e-4, atol=1e-5)
    assert latent.model == bundle[1].identity
    assert latent.header.frame_id == "camera"


@pytest.mark.parametrize(
    ("size", "encoding", "changes", "complaint"),
    [
        ((64, 64, 3), "rgb8", {}, "takes uint8 (64, 64, 1)"),
        ((32, 64, 1), "mono8", {}, "takes uint8 (64, 64, 1)"),
        ((64, 64, 2), "16UC1", {}, "encoding '16UC1'"),
        ((64, 64, 1), "mono8", {"height": 70}, "4096 bytes is not 64x70 mono8"),
    ],
)
def test_unfit_image_is_refused_with_its_reason(
    bench: Bench,
    size: tuple[int, int, int],
    encoding: str,
    changes: dict[str, Any],
    complaint: str,
) -> None:
    bench.health.clear()
    bench.show(np.zeros(size, np.uint8), encoding, 77, **changes)
    bench.until(lambda: any(complaint in s.message for a in bench.health for s in a.status))
    assert not [m for m in bench.latents if m.header.stamp.sec == 77]


def test_missing_model_ends_the_node_with_a_clear_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ls3_models.encoder_node", "--ros-args"]
    child = subprocess.run(
        [*command, "-p", f"model:={tmp_path / 'nowhere'}"],
        env={**os.environ, "ROS_DOMAIN_ID": str(next(DOMAINS))},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert child.returncode == 2
    assert "nowhere: no model here" in child.stderr
    assert "Traceback" not in child.stderr
