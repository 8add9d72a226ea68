"""The black box: its memory, its bags on the disk, and the node beside a real arm_node."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crtk_rig import FakeCrtkArm, Rig

from dvrk_cable_env.bags.reading import Bag
from dvrk_cable_env.black_box import bags
from dvrk_cable_env.black_box.bags import NAME, bag_name, delete_oldest, write_bag
from dvrk_cable_env.black_box.memory import Kept, Memory

STRING = {"/said": "std_msgs/msg/String"}
SECOND = 10**9


def said(received: int, text: bytes = b"x", topic: str = "/said") -> Kept:
    """A serialised std_msgs/String."""
    return Kept(
        topic, received, b"\0\1\0\0" + len(text + b"\0").to_bytes(4, "little") + text + b"\0"
    )


def test_the_last_seconds_are_kept_and_what_was_in_force_before() -> None:
    memory = Memory(60.0, 10**6)
    for second in range(0, 200, 10):
        memory.add(said(second * SECOND))
    memory.add(said(5 * SECOND, topic="/latched"))
    found = [(m.topic, m.received // SECOND) for m in memory.messages(200 * SECOND)]
    assert found == [("/latched", 5), *(("/said", second) for second in range(140, 200, 10))]
    # a camera that fell silent: its last frame says since when
    assert [m.received // SECOND for m in memory.messages(900 * SECOND)] == [5, 190]


def test_beyond_its_memory_the_largest_topic_loses_its_oldest() -> None:
    memory = Memory(60.0, 10_000)
    for number in range(100):
        memory.add(Kept("/camera", number, bytes(900)))
        memory.add(Kept("/pose", number, bytes(20)))
        assert memory.size <= 10_000
    found = memory.messages(100)
    assert sum(m.topic == "/pose" for m in found) == 100
    assert [m.received for m in found if m.topic == "/camera"] == list(range(92, 100))


def test_one_message_that_is_larger_than_the_memory_is_dropped() -> None:
    memory = Memory(60.0, 100)
    memory.add(Kept("/camera", 1, bytes(200)))
    assert memory.size == 0
    assert memory.messages(2) == []


def test_a_bag_can_be_read_and_is_named_by_time_and_reason(tmp_path: Path) -> None:
    name = bag_name("during a motion: the arm is in FAULT; remove the cause", 1e9)
    assert NAME.fullmatch(name)
    assert name.endswith("_during_a_motion_the_arm_is_in_fault_remove_the_cause")
    paths = [write_bag(tmp_path, name, [said(7, b"a"), said(9, b"b")], STRING) for _ in range(2)]
    assert [path.name for path in paths] == [name, f"{name}_2"]
    bag = Bag(paths[1])
    assert not bag.cut
    assert [(r.log, bag.decode(r).data) for r in bag.messages({"/said"})] == [(7, "a"), (9, "b")]
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, f"{name}_2"]


def test_of_a_bag_that_cannot_be_written_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ValueError, match="nowhere/msg/Thing"):
        write_bag(tmp_path, bag_name("x", 0), [said(1)], {"/said": "nowhere/msg/Thing"})
    monkeypatch.setattr(bags.Writer, "write", full)
    with pytest.raises(OSError, match="No space left"):
        write_bag(tmp_path, bag_name("x", 0), [said(1)], STRING)
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_bags_are_deleted_and_nothing_else(tmp_path: Path) -> None:
    kept = [
        write_bag(tmp_path, bag_name("latched", day * 86400.0), [said(1, bytes(4000))], STRING)
        for day in range(1, 6)
    ]
    (tmp_path / "my_recording").mkdir()
    (tmp_path / "my_recording" / "large.mcap").write_bytes(bytes(10**6))
    size = sum(file.stat().st_size for file in kept[0].iterdir())
    assert delete_oldest(tmp_path, int(2.5 * size)) == kept[:3]
    assert delete_oldest(tmp_path, 1) == [kept[3]], "the newest stays, whatever its size"
    assert sorted(path.name for path in tmp_path.iterdir()) == [kept[4].name, "my_recording"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "black_box"


@pytest.fixture
def box(bench: Any, folder: Path) -> Iterator[Any]:
    with bench.start(
        "dvrk_cable_env.black_box.black_box_node", out=str(folder), after=0.5
    ) as child:
        yield child


def kept_in(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*") if NAME.fullmatch(p.name))


def test_a_latch_is_kept_and_neither_a_hold_nor_an_operator_s_stop(
    bench: Any, arm: FakeCrtkArm, rig: Rig, box: Any, folder: Path
) -> None:
    bench.until(lambda: bench.node.count_subscribers("/motion_state") >= 2)
    bench.until(lambda: bench.node.count_subscribers("/PSM1/setpoint_cp") >= 2)
    time.sleep(1.0)
    held = "the frame is unlike the training data: score 3.10, limit 1.40"
    assert rig.plan(0.0, 0.0, feasible=False, reason=held).outcome == "held"
    bench.until(lambda: rig.states[-1].reason == held)
    time.sleep(1.5)
    assert not kept_in(folder), "the arm is ready"
    assert bench.call("/arm_node/stop").success
    time.sleep(1.5)
    assert not kept_in(folder)
    rig.rearm()
    arm.become(state="FAULT")
    (path,) = bench.until(lambda: kept_in(folder))
    bench.until(lambda: "kept '" in box.output)
    assert "fault" in path.name
    bag = Bag(path)
    found = {raw.topic: bag.decode(raw) for raw in bag.messages(set(bag.topics))}
    assert found["/PSM1/operating_state"].state == "FAULT"
    assert not found["/motion_state"].ready
    assert found["/PSM1/setpoint_cp"].header.frame_id == "PSM1_base"


def test_a_bag_is_kept_when_asked_for_and_a_disk_that_refuses_is_named(
    bench: Any, rig: Rig, box: Any, folder: Path
) -> None:
    assert bench.call("/black_box/keep").success
    (path,) = bench.until(lambda: kept_in(folder))
    assert path.name.endswith("asked_by_the_operator")
    for file in path.iterdir():
        file.unlink()
    path.rmdir()
    folder.rmdir()
    folder.touch()  # no directory any more
    bench.until(lambda: bench.call("/black_box/keep").success)
    bench.until(lambda: "no bag of 'asked by the operator'" in box.output)
    assert "Traceback" not in box.output
    assert box.runs
