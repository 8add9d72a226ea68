"""Reading HDF5 files of strangers: bounded in memory and time, and from no other file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import h5py
import numpy as np

MAX_BYTES = 1 << 30
"""Of one array; 1,000 steps of nine channels of 128 x 128 pixels are a seventh of it."""
DAMAGED = (
    *(OSError, KeyError, ValueError, TypeError),
    *(RuntimeError, OverflowError, AttributeError),
)
"""What h5py raises of damaged content."""


@contextmanager
def opened(content: bytes) -> Iterator[h5py.File]:
    """A file from its bytes, so that no error of the system can be mistaken for damage.

    Raises:
        DAMAGED: the bytes are no HDF5 file, or one that cannot be read safely.
    """
    _check_heaps(content)
    with h5py.File(h5py.h5f.open_file_image(content), "r") as file:
        yield file


def read_array(file: h5py.File, key: str, axes: int, kinds: str = "fiub") -> np.ndarray:
    """A data set of this very file, once it is known what reading it costs.

    Args:
        axes: how many the array has.
        kinds: numpy's letters for the kinds of numbers that are accepted; "u" means uint8.

    Raises:
        ValueError: it has other axes or types, is too large, or lies in another file.
    """
    link = file.get(key, getlink=True)
    data = file[key] if isinstance(link, h5py.HardLink) else None
    if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
        raise ValueError(f"'{key}' is no data set of this file")
    if data.shape is None or data.ndim != axes or data.dtype.kind not in kinds:
        raise ValueError(f"'{key}' is {data.dtype} {data.shape}")
    if kinds == "u" and data.dtype != np.uint8:
        raise ValueError(f"'{key}' is {data.dtype}, not uint8")
    chunk = math.prod(data.chunks) if data.chunks else 0  # unpacked whole, whatever is read of it
    if max(data.size, chunk) * data.dtype.itemsize > MAX_BYTES:
        raise ValueError(f"'{key}' of shape {data.shape} is larger than {MAX_BYTES >> 20} MiB")
    return np.asarray(data[...])


def _check_heaps(data: bytes) -> None:
    """Refuse heaps of texts in which HDF5 would go round for ever.

    The library steps from one entry to the next by the size that it reads, 0 included, and no
    signal of Python's gets in. Layout: HDF5 file format specification, III.E, global heap.

    Raises:
        ValueError: an entry has no size, or leaves its heap.
    """
    begin = data.find(b"GCOL\1")
    while begin >= 0:
        end = begin + int.from_bytes(data[begin + 8 : begin + 16], "little")
        entry = begin + 16
        if not entry <= end <= len(data):
            raise ValueError("a heap that leaves the file")
        while end - entry >= 16:
            size = int.from_bytes(data[entry + 8 : entry + 16], "little")
            if data[entry : entry + 2] != b"\0\0":  # number 0 is free space, its head included
                size = 16 + (size + 7) // 8 * 8
            if not 16 <= size <= end - entry:
                raise ValueError("a heap with an entry of no or of too large a size")
            entry += size
        begin = data.find(b"GCOL\1", begin + 1)
