"""`ros2 bag record` of a live topic, ended well and ended badly, and `ros2 bag info`."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

TOPIC = "/robot/chatter"


def frames(bag: Path) -> list[int]:
    """The counts in the messages of a whole bag."""
    store = get_typestore(Stores.ROS2_KILTED)
    with Reader(bag) as reader:
        return [
            int(store.deserialize_cdr(data, connection.msgtype).header.frame_id)
            for connection, _, data in reader.messages()
            if connection.topic == TOPIC
        ]


def counted(output: str) -> int:
    """The number of messages that `ros2 bag info` tells of."""
    return int(re.search(rf"Topic: {TOPIC} \| .* \| Count: (\d+)", output)[1])


@pytest.mark.parametrize(
    ("words", "storage"),
    [
        ([TOPIC], "mcap"),
        (["--topics", TOPIC, "/nowhere", "-s", "sqlite3"], "sqlite3"),
        (["-a"], "mcap"),
    ],
)
def test_record_and_info(live: Any, tmp_path: Path, words: list[str], storage: str) -> None:
    bag = tmp_path / "bag"
    command = live.ros2("bag", "record", "-o", str(bag), *words)
    command.wait_for(f"Subscribed to topic '{TOPIC}'")
    time.sleep(0.5)
    command.send(signal.SIGTERM if words == ["-a"] else signal.SIGINT)
    assert command.process.returncode == 0
    assert ("no message of '/nowhere' arrived" in command.output) == ("/nowhere" in words)
    counts = frames(bag)
    assert len(counts) > 10
    assert counts == list(range(counts[0], counts[-1] + 1))  # none lost
    information = yaml.safe_load((bag / "metadata.yaml").read_text())
    information = information["rosbag2_bagfile_information"]
    assert (information["version"], information["storage_identifier"]) == (9, storage)
    topic = information["topics_with_message_count"][0]["topic_metadata"]
    assert topic["type_description_hash"].startswith("RIHS01_")
    assert topic["offered_qos_profiles"][0]["reliability"] == "reliable"
    command = live.ros2("bag", "info", str(bag))
    assert command.end() == 0
    assert counted(command.output) == len(counts)
    assert f"Storage id:        {storage}" in command.output


def test_kill_costs_at_most_the_last_second(live: Any, tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    command = live.ros2("bag", "record", "-o", str(bag), TOPIC)
    command.wait_for(f"Subscribed to topic '{TOPIC}'")
    start = time.monotonic()
    while (bag / "bag.mcap").stat().st_size < 100_000:  # 1.7 kB a message, 50 a second
        assert time.monotonic() < start + 20.0
        time.sleep(0.1)
    time.sleep(0.5)
    command.process.kill()
    command.process.wait()
    assert not (bag / "metadata.yaml").exists()
    command = live.ros2("bag", "info", str(bag))
    assert command.end() == 0
    assert "its recorder was killed. Still readable:" in command.output
    assert counted(command.output) * 1700 > 90_000


def test_mistakes(workspace: Any) -> None:
    (workspace.path / "there").mkdir()
    for words, said in (
        (["record"], "name topics, or give --all"),
        (["record", "-o", str(workspace.path / "there"), "/a"], "already exists"),
        (["info", str(workspace.path / "there")], "no recording at"),
        (["info", str(workspace.path / "nowhere")], "no recording at"),
    ):
        command = workspace.ros2("bag", *words)
        assert command.end() == 1
        assert said in command.output
        assert command.output.count("\n") == 1
