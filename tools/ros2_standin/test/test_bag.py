"""`ros2 bag record` of a live topic, ended well and ended badly, and `ros2 bag info`."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from ros2_standin.cli import main
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


def grows_to(file: Path, size: int) -> None:
    """Until a recording holds `size` bytes; a message has 1.7 kB, 50 come in a second."""
    end = time.monotonic() + 60.0
    while file.stat().st_size < size:
        assert time.monotonic() < end
        time.sleep(0.1)


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
    if storage == "mcap":
        grows_to(bag / "bag.mcap", 20_000)
    else:  # SQLite writes when it commits
        time.sleep(2.0)
    command.send(signal.SIGTERM if words == ["-a"] else signal.SIGINT)
    assert command.process.returncode == 0
    assert ("no message of '/nowhere' arrived" in command.output) == ("/nowhere" in words)
    counts = frames(bag)
    assert len(counts) >= (10 if storage == "mcap" else 1)
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
    grows_to(bag / "bag.mcap", 100_000)
    time.sleep(0.5)  # into the next second, which is lost
    command.process.kill()
    command.process.wait()
    assert not (bag / "metadata.yaml").exists()
    command = live.ros2("bag", "info", str(bag))
    assert command.end() == 0
    assert "the recorder was killed. Still readable:" in command.output
    assert counted(command.output) * 1700 > 90_000


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_info_of_a_compressed_bag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], storage: str
) -> None:
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    types = get_typestore(Stores.ROS2_KILTED)
    writer = Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin[storage.upper()])
    writer.set_compression(CompressionMode.FILE, CompressionFormat.ZSTD)
    with writer:
        writer.add_connection("/mark", "std_msgs/msg/String", typestore=types)
    assert main(["bag", "info", str(tmp_path / "bag")]) == 0
    said = capsys.readouterr().out
    assert f"Storage id:        {storage}" in said and ".zstd" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["record"], "name topics, or give --all"),
        (["record", "-o", ".", "/a"], "already exists"),
        (["info", "."], "no recording at"),
        (["info", "nowhere"], "no recording at"),
    ],
)
def test_mistakes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["bag", *words]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
