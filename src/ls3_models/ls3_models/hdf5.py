"""Reads untrusted HDF5 files, with bounded memory and time, and without access to other files.

Files are written from memory: HDF5 itself may crash the process if the disk fills up.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from ls3_common.files import write_bytes

MAX_BYTES = 1 << 30
"""Largest array. 1,000 steps of nine channels of 128 x 128 pixels take a seventh of this."""
DAMAGED = (
    *(OSError, KeyError, ValueError, TypeError),
    *(RuntimeError, OverflowError, AttributeError),
)
"""The exceptions that h5py raises if the content is damaged."""


@contextmanager
def replaced(path: Path) -> Iterator[h5py.File]:
    """Give the caller an empty HDF5 file, which replaces the file at `path` when the block ends.

    The file is made in memory. Where HDF5 writes to a disk that fills up while a file is closed, it
    raises errors that are not the system's, and may end the process later by a segmentation fault.

    Raises:
        OSError: the file cannot be written; the old one is still there.
    """
    with h5py.File(path.name, "w", driver="core", backing_store=False) as file:
        yield file
        file.flush()
        content = file.id.get_file_image()
    write_bytes(path, content)


@contextmanager
def opened(content: bytes) -> Iterator[h5py.File]:
    """Open an HDF5 file during the block, given its bytes.

    The caller reads the bytes, so that an error of the system cannot be mistaken for damage.

    Raises:
        DAMAGED: the bytes are not an HDF5 file, or a file that cannot be read safely.
    """
    _check_heaps(content)
    with h5py.File(h5py.h5f.open_file_image(content), "r") as file:
        yield file


@contextmanager
def opened_on_disk(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file that may be larger than the memory, of another program, during the block.

    Raises:
        DAMAGED: there is no such file, or it is not HDF5, or cannot be read safely.
    """
    with path.open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as content:
        _check_heaps(content)
    with h5py.File(path, "r") as file:
        yield file


def read_array(file: h5py.Group, key: str, axes: int, kinds: str = "fiub") -> np.ndarray:
    """Read a data set, after its type and size were checked.

    Args:
        file: the open file, or a group in it.
        key: the data set's name.
        axes: the number of axes that the array must have.
        kinds: numpy's letters of the kinds of numbers that are accepted; "u" accepts only uint8.

    Raises:
        ValueError: the data set is missing, has another type or number of axes, is larger than
            MAX_BYTES, or lies in another file.
    """
    link = file.get(key, getlink=True)
    data = file[key] if isinstance(link, h5py.HardLink) else None
    if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
        raise ValueError(f"'{key}' is not a data set of this file")
    if data.shape is None or data.ndim != axes or data.dtype.kind not in kinds:
        raise ValueError(f"'{key}' is {data.dtype} {data.shape}")
    if kinds == "u" and data.dtype != np.uint8:
        raise ValueError(f"'{key}' is {data.dtype}, not uint8")
    chunk = math.prod(data.chunks) if data.chunks else 0  # h5py unpacks whole chunks
    if max(data.size, chunk) * data.dtype.itemsize > MAX_BYTES:
        raise ValueError(f"'{key}' of shape {data.shape} is larger than {MAX_BYTES >> 20} MiB")
    return np.asarray(data[...])


def _check_heaps(data: bytes | mmap.mmap) -> None:
    """Refuse heaps (where HDF5 stores texts) that would make the library loop for ever.

    The library steps from one entry to the next by the entry's size, even if the size is 0, and no
    signal interrupts that loop. Layout: HDF5 file format specification, III.E, global heap.

    Raises:
        ValueError: an entry has size 0, or exceeds its heap.
    """
    begin = data.find(b"GCOL\1")
    while begin >= 0:
        end = begin + int.from_bytes(data[begin + 8 : begin + 16], "little")
        entry = begin + 16
        if not entry <= end <= len(data):
            raise ValueError("a heap that exceeds the file")
        while end - entry >= 16:
            size = int.from_bytes(data[entry + 8 : entry + 16], "little")
            if data[entry : entry + 2] != b"\0\0":  # the size of free space includes its header
                size = 16 + (size + 7) // 8 * 8
            if not 16 <= size <= end - entry:
                raise ValueError("a heap with an entry whose size is 0 or too large")
            entry += size
        begin = data.find(b"GCOL\1", begin + 1)
