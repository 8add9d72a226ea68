"""What has reached the disk of a bag that is being written, in each layout of MCAP."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcap.writer import CompressionType, Writer

from dvrk_cable_env.bags.growing import GrowingBag

pytestmark = pytest.mark.background

LAYOUTS = {
    "messages": {"use_chunking": False},
    "chunks": {"chunk_size": 1000, "compression": CompressionType.NONE},
    "compressed chunks": {"chunk_size": 1000, "compression": CompressionType.ZSTD},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_newest_message_of_each_topic_is_known_while_the_bag_grows(
    tmp_path: Path, layout: str
) -> None:
    bag = GrowingBag(tmp_path / "bag")
    bag.look()
    assert (bag.newest, bag.size) == ({}, 0), "there is no bag yet"
    (tmp_path / "bag").mkdir()
    for split in range(2):
        with (tmp_path / "bag" / f"bag_{split}.mcap").open("wb") as file:
            writer = Writer(file, **LAYOUTS[layout])
            writer.start()
            frames = writer.register_channel("/frames", "cdr", 0)
            marks = writer.register_channel("/marks", "cdr", 0)
            first = 1000 * split
            writer.add_message(marks, first + 1, b"mark", first + 1)
            for log in range(first + 2, first + 50):
                writer.add_message(frames, log, bytes(300), log)
            file.flush()
            bag.look()
            assert first + 40 < bag.newest["/frames"] < first + 50
            assert bag.newest["/marks"] == first + 1
            writer.finish()
        bag.look()
        assert bag.newest == {"/frames": first + 49, "/marks": first + 1}
    assert bag.size == sum(file.stat().st_size for file in (tmp_path / "bag").iterdir())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_topic_may_be_found_long_before_its_first_message(tmp_path: Path, layout: str) -> None:
    bag = GrowingBag(tmp_path)
    with (tmp_path / "bag.mcap").open("wb") as file:
        writer = Writer(file, **LAYOUTS[layout])
        writer.start()
        frames = writer.register_channel("/frames", "cdr", 0)
        for log in range(1, 20):
            if log == 10:
                marks = writer.register_channel("/marks", "cdr", 0)
            writer.add_message(frames, log, bytes(300), log)
            file.flush()
            bag.look()
        writer.add_message(marks, 20, b"mark", 20)
        writer.finish()
    bag.look()
    assert bag.newest == {"/frames": 19, "/marks": 20}


def test_a_record_of_which_a_part_is_written_is_read_later(tmp_path: Path) -> None:
    whole, file = tmp_path / "whole.mcap", tmp_path / "bag" / "bag.mcap"
    file.parent.mkdir()
    with whole.open("wb") as stream:
        writer = Writer(stream, use_chunking=False)
        writer.start()
        channel = writer.register_channel("/frames", "cdr", 0)
        for log in (1, 2, 3):
            writer.add_message(channel, log, bytes(300), log)
        writer.finish()
    content, bag, seen = whole.read_bytes(), GrowingBag(file.parent), []
    for length in range(0, len(content) + 1, 50):
        file.write_bytes(content[:length])
        bag.look()
        seen.append(bag.newest.get("/frames", 0))
    assert seen == sorted(seen) and set(seen) == {0, 1, 2, 3}
