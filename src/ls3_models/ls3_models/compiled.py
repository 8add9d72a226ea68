"""Compiles this project's C++ sources, once for this processor, and loads them."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

from ls3_common.files import replacing

OPTIONS = (
    "-O3",
    "-march=native",
    "-std=c++17",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-Wno-psabi",
    "-pthread",
    "-shared",
    "-fPIC",
)


@cache
def library(source: Path, instead: str) -> ctypes.CDLL | None:
    """Return the compiled `source`, or None if it cannot be compiled here.

    instead: what happens without it; the log says so once.
    """
    try:
        return ctypes.CDLL(str(_compiled(source)))
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:  # no home, for one
        output = (getattr(error, "stderr", None) or "").strip() or str(error)
        reason = output.splitlines()[0]
        logging.getLogger(__name__).warning("%s: %s", instead, reason)
        return None


def _compiled(source: Path) -> Path:
    """Return the path of the library; compile it if source, compiler or processor are new.

    Raises:
        OSError, CalledProcessError: there is no compiler, or it fails.
    """
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        raise OSError("there is no C++ compiler")
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True)
    known = (source.read_text(), OPTIONS, version.stdout, processor())
    name = f"{source.stem}-{hashlib.sha256(repr(known).encode()).hexdigest()[:16]}.so"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ls3"
    if not (home / name).exists():
        with replacing(home / name) as part:
            command = [compiler, *OPTIONS, "-o", str(part), str(source)]
            subprocess.run(command, capture_output=True, text=True, check=True)
    return home / name


def processor() -> str:
    """Return what `-march=native` depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return platform.processor()
