"""HDF5 files in robomimic's layout: ``data/demo_0`` with `actions` and pictures in `obs`.

Follows robomimic's documentation ("Dataset Structure"), and uses nothing of robomimic. The last
state comes from `next_obs`, if that is there. Labels are `success` and `constraint` of the group,
which are ours; else the goal is reached where the reward is above 0, or else where the
demonstration is done.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dvrk_cable_env.bags.reading import sample
from dvrk_cable_env.bags.segments import Segment
from ls3.data.arrays import UNREADABLE, ArrayRecording, GivenEpisode, files_in
from ls3.data.recording import Recording
from ls3.data.registry import DataFormat, ImportOptions
from ls3_common.errors import DataError
from ls3_models.hdf5 import opened_on_disk, read_array

ENDINGS = (".hdf5", ".h5")
DATA = "data"


def _find(path: Path, _options: ImportOptions) -> Sequence[Path]:
    return [one for one in files_in(path, *ENDINGS) if _has_demonstrations(one)]


def _has_demonstrations(path: Path) -> bool:
    try:
        with opened_on_disk(path) as file:
            return any("actions" in group for group in file.get(DATA, {}).values())
    except UNREADABLE:
        return False


def _open(path: Path, options: ImportOptions) -> Recording:
    try:
        with opened_on_disk(path) as file:
            names = sorted((n for n in file[DATA] if "actions" in file[DATA][n]), key=_number)
            camera = _camera(file[DATA][names[0]], options.rules.names.camera, path)
            sources = [str(file[DATA][name].attrs.get("source", "")) for name in names]
    except UNREADABLE as error:
        raise DataError(f"no data set of robomimic ({error})", where=str(path)) from None
    digest = hashlib.sha256(camera.encode())
    sample(digest, path)
    segments = [Segment(index, source=source) for index, source in enumerate(sources)]

    def read(segment: Segment) -> GivenEpisode:
        with opened_on_disk(path) as file:
            return _read(file[DATA][names[segment.index]], camera)

    short = digest.hexdigest()[:12]
    return ArrayRecording(path.stem, short, segments, read, options.task, options.rules.crop)


def _read(group: Any, camera: str) -> GivenEpisode:
    actions = read_array(group, "actions", 2)
    frames = read_array(group, f"obs/{camera}", 4)
    if len(frames) == len(actions) and f"next_obs/{camera}" in group:
        frames = np.concatenate([frames, read_array(group, f"next_obs/{camera}", 4)[-1:]])
    success, origin = None, ""
    for name in ("success", "rewards", "dones"):
        if name in group:
            success, origin = read_array(group, name, 1) > 0, name
            break
    constraint = read_array(group, "constraint", 1) > 0 if "constraint" in group else None
    return GivenEpisode(frames, actions, success, constraint, origin)


def _camera(group: Any, wanted: str, path: Path) -> str:
    """The name of the pictures among the observations, or the only one if none is wanted."""
    found = [
        name
        for name, data in group["obs"].items()
        if getattr(data, "ndim", 0) == 4 and data.dtype == np.uint8
    ]
    chosen = [name for name in found if name == wanted] if wanted else found
    if len(chosen) != 1:
        what = f"pictures {', '.join(found)} in obs" if found else "no pictures in obs"
        do = (
            "choose with --camera" if found else "extract them by robomimic's dataset_states_to_obs"
        )
        raise DataError(what, where=str(path), do=do)
    return chosen[0]


def _number(name: str) -> tuple[int, str]:
    match = re.search(r"\d+$", name)
    return (int(match[0]) if match else -1), name


FORMAT = DataFormat(
    "HDF5 files of robomimic", find=_find, open=_open, any_task=lambda _options: True
)
