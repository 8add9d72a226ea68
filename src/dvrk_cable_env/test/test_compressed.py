"""Compressed pictures that are none: node and import refuse each with the same words.

The class: two copies of the same code treat a library's exception differently. Some bytes make
OpenCV raise, others make it return nothing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from dvrk_cable_env.camera.compressed import decompressed
from dvrk_cable_env.camera.segmentation import FrameError

pytestmark = pytest.mark.background

PIXELS = np.random.default_rng(0).integers(0, 255, (32, 48, 3), np.uint8)


def encoded(kind: str) -> bytearray:
    return bytearray(cv2.imencode(kind, PIXELS)[1].tobytes())


def sized_png(width: int, height: int) -> Callable[[], bytearray]:
    def make() -> bytearray:
        data = encoded(".png")
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
        return data

    return make


def absurd_jpeg() -> bytearray:
    data = encoded(".jpg")
    at = data.find(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65500, 65500)
    return data


@pytest.mark.parametrize(
    "make",
    [
        sized_png(1_000_000, 1_000_000),
        sized_png(0, 0),
        absurd_jpeg,
        lambda: encoded(".png")[:20],
        lambda: bytearray(b"cheese"),
        bytearray,
    ],
    ids=["absurd size", "no size", "absurd JPEG", "cut off", "no picture", "empty"],
)
def test_a_picture_that_cannot_be_read_is_refused(make: Callable[[], bytearray]) -> None:
    with pytest.raises(FrameError, match="OpenCV cannot read the compressed image"):
        decompressed(np.frombuffer(bytes(make()), np.uint8), "png")


def test_a_picture_is_rgb() -> None:
    found = decompressed(np.frombuffer(bytes(encoded(".png")), np.uint8), "png")
    assert np.array_equal(found, PIXELS[..., ::-1])
