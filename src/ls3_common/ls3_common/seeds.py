"""Seeds of random numbers that are the same on every machine."""

from __future__ import annotations

import zlib


def seed_of(*parts: object) -> int:
    """Return the seed that belongs to these parts, such as a base seed, a source and an index."""
    return zlib.crc32("/".join(map(str, parts)).encode())
