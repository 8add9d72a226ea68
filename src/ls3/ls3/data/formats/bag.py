"""Bags of ROS 2 (MCAP or sqlite3), and videos that the dVRK's recorder wrote beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dvrk_cable_env.bags.reading import Bag
from ls3.data.recording import BagRecording, Recording
from ls3.data.registry import DataFormat, ImportOptions
from ls3.data.task_bag import TaskBag


def _find(path: Path, _options: ImportOptions) -> Sequence[Path]:
    return [path]


def _open(path: Path, options: ImportOptions) -> Recording:
    if options.rules.action_topic:
        return TaskBag(Bag(path), options.rules, options.task)
    return BagRecording(Bag(path), options.rules, options.videos, options.video_fault)


FORMAT = DataFormat(
    "bags of ros2 bag record, with --video of dvrk_data, or with --action-topic of any task",
    find=_find,
    open=_open,
    any_task=lambda options: bool(options.rules.action_topic),
)
