"""Sessions of jhu-dvrk/data_collection, the recorder of videos and topics of many dVRK labs.

A session is a directory ``YYYYMMDD_HHMMSS[_STAGE]`` with ``index.json``, a bag of the chosen
topics, and for each camera a video and a side-car with the stamps of its frames. Video and bag are
in the system's clock. A session is one episode. With the tags of the recorder's `video_tag`, each
tagged stage is an episode; with marks in the bag, each start mark begins one. A recorder that was
killed wrote no ``index.json``: then the directory's files are taken as they are.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dvrk_cable_env.bags.reading import Bag
from dvrk_cable_env.bags.records import MARKS, Mark
from dvrk_cable_env.bags.segments import find_segments
from dvrk_cable_env.bags.video import RecordedVideo
from ls3.data.data_import import SOURCES
from ls3.data.recording import BagRecording, Recording
from ls3.data.registry import DataFormat, ImportOptions
from ls3_common.errors import DataError
from ls3_common.files import read_json

INDEX = "index.json"
AGAIN = "copy the session again"
NAME = re.compile(r"\d{8}_\d{6}(?:_(?P<stage>.+))?")
"""Name of a session's directory."""


def _find(path: Path, options: ImportOptions) -> Sequence[Path]:
    """The sessions at `path`, which is a session or the recorder's directory of sessions."""
    if not path.is_dir():
        return []
    found = [path] if _is_session(path) else sorted(filter(_is_session, path.iterdir()))
    return [
        one
        for one in found
        if not options.stages or any(one.glob("*_tags.json")) or _stage(one) in options.stages
    ]


def _is_session(path: Path) -> bool:
    if not path.is_dir():
        return False
    without_index = any(path.glob("rosbag_*")) and any(path.glob("*.mp4"))
    return without_index or "videos" in _index(path)


def _index(path: Path) -> dict[str, Any]:
    """The content of a session's index; empty if there is none, or if it is no session's."""
    try:
        return read_json(path / INDEX) if (path / INDEX).is_file() else {}
    except DataError:
        return {}


def _stage(session: Path) -> str:
    match = NAME.fullmatch(session.resolve().name)
    return (match and match["stage"]) or ""


def _open(path: Path, options: ImportOptions) -> Recording:
    index = _index(path)
    bag = _bag(path, index)
    video = _video(path, index, options)
    found = BagRecording(bag, options.rules, [video], name=path.resolve().name)
    marks = _tag_marks(video, options) or found.streams.marks
    if marks:
        found.streams.marks = marks
        found.segments = find_segments(found.streams, bag.cut)
    stage = _stage(path)  # one with the name of a source says of which kind the episode is
    for segment in found.segments:
        segment.source = segment.source or (stage if stage in SOURCES else "")
    return found


def _bag(path: Path, index: dict[str, Any]) -> Bag:
    entry = index.get("rosbag")
    names = [str(entry.get("name"))] if isinstance(entry, dict) else []
    bags = [path / Path(name).name for name in names] or sorted(path.glob("rosbag_*"))
    if not bags:
        do = 'name the topics in "ros_topics" of the recorder\'s configuration'
        raise DataError("the session has no bag: no topic was recorded", where=str(path), do=do)
    return Bag(bags[0])


def _video(path: Path, index: dict[str, Any], options: ImportOptions) -> RecordedVideo:
    """The video of the chosen camera."""
    wanted = options.rules.names.camera
    entries = index.get("videos")
    names = [str(one.get("file")) for one in entries] if isinstance(entries, list) else []
    files = [path / Path(name).name for name in names] or sorted(path.glob("*.mp4"))
    cameras = {_camera(path, file): file for file in files}
    if wanted and wanted not in cameras:
        raise DataError(f"no video of a camera '{wanted}', but of {_listed(cameras)}")
    if len(cameras) != 1 and not wanted:
        what = f"several cameras ({_listed(cameras)})" if cameras else "no video"
        raise DataError(f"{what}: choose with --camera" if cameras else what)
    file = cameras[wanted or next(iter(cameras))]
    sidecar = file.with_suffix(".json")
    if not sidecar.is_file():
        raise DataError(f"{file.name} has no side-car {sidecar.name} with the stamps of its frames")
    stamps = read_json(sidecar, do=AGAIN).get("timestamps_ns")
    if not isinstance(stamps, list) or not all(type(one) is int and one > 0 for one in stamps):
        raise DataError(f"{sidecar.name} holds no list 'timestamps_ns' of nanoseconds")
    if not stamps:
        raise DataError(f"{sidecar.name} holds no stamp of any frame")
    if any(a >= b for a, b in itertools.pairwise(stamps)):
        # a source that knows no position of its first frame gives stamps of two clocks
        raise DataError(f"the stamps in {sidecar.name} are not in order: they are of two clocks")
    half = ("first" if options.eye == "left" else "second") if options.stereo else ""
    return RecordedVideo(sidecar, file, tuple(stamps), tuple(stamps), half)


def _camera(session: Path, file: Path) -> str:
    """The camera's name, which the video's name begins with."""
    stage = re.escape(_stage(session))
    return re.sub(rf"_\d{{6}}_\d{{6}}(?:_{stage})?$" if stage else r"_\d{6}_\d{6}$", "", file.stem)


def _listed(names: Sequence[str] | dict[str, Path]) -> str:
    return ", ".join(names) or "none"


def _tag_marks(video: RecordedVideo, options: ImportOptions) -> list[Mark]:
    """The tags of `video_tag` as marks: the stages as start and stop, tags by the words of marks.

    Tags count frames of the video.
    """
    path = video.file.with_name(f"{video.file.stem}_tags.json")
    if not path.is_file():
        return []
    document = read_json(path, do=AGAIN)
    last = len(video.logs) - 1
    found: list[Mark] = []
    try:
        for stage in document.get("stages", []):
            name, begin, end = str(stage["name"]), int(stage["start"]), int(stage["end"])
            if options.stages and name.replace(" ", "_") not in options.stages:
                continue
            if not 0 <= begin <= end <= last:
                raise ValueError(f"stage '{name}' is from frame {begin} to {end} of {last + 1}")
            rest = name if name in SOURCES else ""
            found.append(Mark(video.logs[begin], "start", rest))
            found.append(Mark(video.logs[end], "stop", ""))
        for word, frames in document.get("tags", {}).items():
            if word in MARKS:
                found += [Mark(video.logs[int(frame)], word, "") for frame in frames]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"damaged tags in {path.name}: {error}") from None
    # a stop at the frame of the next start comes first
    return sorted(found, key=lambda mark: (mark.log, mark.word != "stop"))


FORMAT = DataFormat("sessions of jhu-dvrk/data_collection", find=_find, open=_open)
