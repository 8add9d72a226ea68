"""Which streams a recording has, and when one counts as missing or slow."""

from __future__ import annotations

import struct

import pytest

from dvrk_cable_env.teleop.recording import (
    LATE,
    Meter,
    RecordedTopic,
    RecordingConfig,
    describe,
    header_stamp,
    streams,
)

POSES = RecordedTopic("PSM1/setpoint_cp", "geometry_msgs/msg/PoseStamped", 50.0, True, True)


def feed(meter: Meter, rate: float, until: float, stamp: int = 1) -> None:
    for i in range(int(until * rate) + 1):
        meter.receive(i / rate, stamp)


def test_every_topic_that_the_import_reads_is_recorded() -> None:
    config = RecordingConfig(arm="PSM2", console="MTML", camera="left/image_raw/compressed")
    found = {stream.topic: stream for stream in streams(config)}
    assert len(found) == len(streams(config)), "no topic twice"
    assert {
        *("task_state", "step_request", "plan", "arm_command", "motion_history", "episode_mark"),
        *("PSM2/setpoint_cp", "console/clutch", "MTML_PSM2/following", "left/camera_info"),
    } <= set(found)
    assert found["left/image_raw/compressed"].kind == "sensor_msgs/msg/CompressedImage"


def test_rates_are_measured() -> None:
    meter = Meter(POSES, 0.0)
    feed(meter, 100.0, 10.0)
    assert meter.rate(10.0) == pytest.approx(100.0, rel=0.02)
    assert meter.warning(10.0) == ""
    assert "PSM1/setpoint_cp 100 Hz" in describe([meter], 10.0)


def test_missing_slow_and_silent_streams_are_told_apart() -> None:
    meter = Meter(POSES, 0.0)
    assert meter.warning(LATE - 0.1) == "", "it may still come"
    assert "missing" in meter.warning(LATE)
    feed(meter, 20.0, 10.0)
    assert meter.warning(10.0) == "PSM1/setpoint_cp: slow, less than 50 Hz"
    assert meter.warning(10.0 + LATE + 0.1) == "PSM1/setpoint_cp: no message for 3 s"


def test_a_stream_with_stamps_of_0_is_named() -> None:
    meter = Meter(POSES, 0.0)
    feed(meter, 100.0, 5.0, stamp=0)
    assert "stamp 0" in meter.warning(5.0)
    events = Meter(RecordedTopic("arm_command", "ls3_interfaces/msg/ArmCommand"), 0.0)
    assert events.warning(60.0) == "", "an event need not come"


@pytest.mark.parametrize(
    ("kept", "horizon", "lost"),
    [
        (None, 20.0, True),
        (None, 7.0, False),  # the recorder may take DISCOVERY s to find the publisher
        (9.5, 20.0, True),
        (19.9, 20.0, False),
        (9.5, 9.5, False),  # what came later may be in the recorder's memory
        (15.0, 30.0, True),
    ],
)
def test_what_arrives_must_be_in_the_bag(kept: float | None, horizon: float, lost: bool) -> None:
    meter = Meter(POSES, 0.0)
    assert meter.lost(kept, horizon) == "", "nothing has arrived"
    feed(meter, 20.0, 20.0)
    said = "PSM1/setpoint_cp: messages arrive, but not in the recording"
    assert meter.lost(kept, horizon) == (said if lost else "")


def test_one_command_that_is_lost_is_named() -> None:
    events = Meter(RecordedTopic("arm_command", "ls3_interfaces/msg/ArmCommand"), 0.0)
    for moment in (1.0, 2.0, 3.0, 13.0):
        events.receive(moment)
    assert events.lost(3.0, 20.0)
    assert not events.lost(13.0, 20.0)


def test_the_clutch_has_the_names_that_laboratories_use() -> None:
    found = {stream.topic: stream for stream in streams(RecordingConfig(clutch="arms/pedal"))}
    clutches = {topic for topic, stream in found.items() if stream.pauses}
    assert clutches == {
        *("console/clutch", "console1/clutch", "console2/clutch", "footpedals/clutch"),
        *("arms/pedal", "MTMR_PSM1/following"),
    }
    one = streams(RecordingConfig(pedals="lab/pedals"))
    assert "lab/pedals/clutch" in {stream.topic for stream in one}


def test_the_stamp_of_serialised_messages() -> None:
    body = struct.pack("<iI", 5, 7) + b"\0" * 8
    assert header_stamp(b"\0\1\0\0" + body) == 5_000_000_007
    assert header_stamp(b"\0\0\0\0" + struct.pack(">iI", 5, 7)) == 5_000_000_007
    assert header_stamp(b"\0\1\0\0") == 0
