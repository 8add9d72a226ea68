"""Ways to spoil a file, and the bounds within which it must be read or refused (test_hostile_*).

`make test` tries a share; more with

    source tools/env.sh
    LS3_FUZZ_CASES=2000 pytest src/ls3/test/test_hostile_*.py
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ls3_common.errors import UserError

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
        match draw(st.sampled_from(INJURIES)):
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
