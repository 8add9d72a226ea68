#!/usr/bin/env python3
"""Let CMake use the ros-* wheels in this Python's virtual environment.

The wheels' CMake files name the include folders of the machine that built the wheels. This script
replaces them by the folders of this Python and its numpy. Running it twice is harmless.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

BUILDER_PATH = re.compile(r"/opt/python/[^;\"\n]+")


def repair(prefix: Path, python_include: str, numpy_include: str) -> list[Path]:
    """Rewrite the CMake files under ``prefix/share``, and return those that changed."""
    changed = []
    for path in sorted(prefix.glob("share/*/cmake/*.cmake")):
        text = path.read_text()
        mended = BUILDER_PATH.sub(
            lambda found: numpy_include if "numpy" in found[0] else python_include, text
        )
        if mended != text:
            path.write_text(mended)
            changed.append(path)
    return changed


def main() -> int:
    """Run the command; return its exit code."""
    import numpy

    changed = repair(Path(sys.prefix), sysconfig.get_path("include"), numpy.get_include())
    print(f"changed {len(changed)} CMake files of the ros-* wheels to this Python's folders")
    return 0


if __name__ == "__main__":
    sys.exit(main())
