"""The bags of the black box: written as a whole or not at all, and bounded on the disk. No ROS."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from dvrk_cable_env.bags.reading import installed_definition
from dvrk_cable_env.black_box.memory import Kept

NAME = re.compile(r"\d{8}_\d{6}_[a-z0-9_]+")
"""The name of a bag: local time and reason. No other directory is ever deleted."""
UNFINISHED = ".unfinished"
REASON_LENGTH = 60


def bag_name(reason: str, seconds: float) -> str:
    """Return the name of the bag of a latch at `seconds` (wall time, s) for this reason."""
    words = re.sub(r"[^a-z0-9]+", "_", reason.lower()).strip("_")[:REASON_LENGTH].strip("_")
    return f"{time.strftime('%Y%m%d_%H%M%S', time.localtime(seconds))}_{words or 'no_reason'}"


def write_bag(folder: Path, name: str, messages: Sequence[Kept], kinds: Mapping[str, str]) -> Path:
    """Write messages as an MCAP bag, which appears in `folder` when it is complete.

    Args:
        folder: directory of the bags; made if it is missing.
        name: of the bag; a number is appended if there is one of this name.
        messages: in the order of their times.
        kinds: type of each topic, by full name.

    Raises:
        OSError: the bag cannot be written; nothing of it stays.
        ValueError: a type is not installed.
    """
    unfinished = folder / UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        store = get_typestore(Stores.ROS2_KILTED)
        with Writer(unfinished / name, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            connections = {}
            for message in messages:
                if message.topic not in connections:
                    kind = kinds[message.topic]
                    if kind not in store.fielddefs:
                        text = installed_definition(kind)
                        found = get_types_from_msg(text, kind)
                        store.register({n: f for n, f in found.items() if n not in store.fielddefs})
                    connections[message.topic] = writer.add_connection(
                        message.topic, kind, typestore=store
                    )
                writer.write(connections[message.topic], message.received, message.data)
        path, number = folder / name, 1
        while path.exists():
            number += 1
            path = folder / f"{name}_{number}"
        os.rename(unfinished / name, path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return path


def delete_oldest(folder: Path, most: int) -> list[Path]:
    """Delete the oldest bags until all take at most `most` bytes; the newest bag always stays.

    Returns:
        What was deleted.
    """
    bags = sorted(path for path in folder.iterdir() if path.is_dir() and NAME.fullmatch(path.name))
    sizes = {bag: sum(f.stat().st_size for f in bag.iterdir() if f.is_file()) for bag in bags}
    deleted: list[Path] = []
    while bags[1:] and sum(sizes[bag] for bag in bags) > most:
        deleted.append(bags.pop(0))
        shutil.rmtree(deleted[-1])
    return deleted
