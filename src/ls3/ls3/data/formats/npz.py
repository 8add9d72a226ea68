"""NumPy's archives, one episode a file: `np.savez(FILE, observations=..., actions=..., ...)`.

Arrays: `observations` uint8 (T + 1, h, w, c), or T without the last; `actions` (T, A); `success`
and `constraint` (T,) of the states after each action, and `source`, a text: these three may be
missing. Others are not read.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dvrk_cable_env.bags.reading import sample
from dvrk_cable_env.bags.segments import Segment
from ls3.data.arrays import UNREADABLE, ArrayRecording, GivenEpisode, files_in
from ls3.data.recording import Recording
from ls3.data.registry import DataFormat, ImportOptions
from ls3_common.errors import DataError
from ls3_models.hdf5 import MAX_BYTES

LABELS = ("success", "constraint")


def _find(path: Path, _options: ImportOptions) -> Sequence[Path]:
    return files_in(path, ".npz")


def _open(path: Path, options: ImportOptions) -> Recording:
    try:
        with zipfile.ZipFile(path) as archive:
            too_large = [one.filename for one in archive.infolist() if one.file_size > MAX_BYTES]
        if too_large:
            raise ValueError(f"{too_large[0]} is larger than {MAX_BYTES >> 20} MiB")
        with np.load(path, allow_pickle=False) as file:
            missing = {"observations", "actions"} - set(file.files)
            if missing:
                raise DataError(
                    f"no array '{min(missing)}' among {', '.join(sorted(file.files)) or 'none'}",
                    where=str(path),
                    do="docs/own_data.md names the arrays",
                )
            source = str(file["source"]) if "source" in file.files else ""
    except UNREADABLE as error:
        raise DataError(f"no archive of NumPy ({error})", where=str(path)) from None
    digest = hashlib.sha256()
    sample(digest, path)
    segments = [Segment(0, source=source)]
    return ArrayRecording(
        path.stem,
        digest.hexdigest()[:12],
        segments,
        lambda _segment: _read(path),
        options.task,
        options.rules.crop,
    )


def _read(path: Path) -> GivenEpisode:
    with np.load(path, allow_pickle=False) as file:
        found = {name: file[name] for name in LABELS if name in file.files}
        return GivenEpisode(
            file["observations"],
            file["actions"],
            found.get("success"),
            found.get("constraint"),
            ", ".join(found),
        )


FORMAT = DataFormat(
    "NumPy's archives (.npz), an episode a file", find=_find, open=_open, any_task=lambda _: True
)
