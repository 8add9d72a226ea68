"""Bags as they should not be: each episode has its verdict, the rest is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recorded import IMAGE, STEP_MS, Recording, header, make, record_episode, simulation
from test_data_import import data_import, make_bag, reasons, rows, verdicts

from ls3.cli.commands import run
from ls3_models.episodes import list_episodes, read_episode

pytestmark = pytest.mark.background

SETPOINTS = ["--actions", "setpoints", "--period", str(STEP_MS / 1000)]
IMAGE_FAULT = "topic '/camera/image_raw' is std_msgs/msg/String, expected sensor_msgs/msg/Image"


@pytest.mark.parametrize("metadata", [True, False], ids=["file alone", "recorder killed"])
def test_truncated_mcap(tmp_path: Path, out: Path, metadata: bool) -> None:
    truth = make_bag(tmp_path / "bag", steps=20)
    file = tmp_path / "bag" / "bag.mcap"
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 3 // 4])
    if not metadata:
        (tmp_path / "bag" / "metadata.yaml").unlink()
    assert data_import(tmp_path / "bag", out) == 0
    assert verdicts(out) == ["imported", "rejected"]
    assert "the recording ends within the episode (bag.mcap: cut off or damaged" in reasons(out)[1]
    (path,) = list_episodes(out)
    assert np.array_equal(read_episode(path).observations, truth[0].observations)
    assert np.array_equal(read_episode(path).actions, truth[0].actions)


def test_damage_inside_an_mcap_that_has_an_end(tmp_path: Path, out: Path) -> None:
    make_bag(tmp_path / "bag", steps=20)
    file = tmp_path / "bag" / "bag.mcap"
    content = bytearray(file.read_bytes())
    middle = len(content) * 3 // 4
    content[middle : middle + 200_000] = bytes(200_000)
    file.write_bytes(content)
    assert data_import(tmp_path / "bag", out) == 0
    assert verdicts(out)[0] == "imported"
    assert verdicts(out)[1] == "rejected"


def test_a_bag_that_cannot_be_opened_is_not_called_damaged(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_bag(tmp_path / "bag", steps=2)
    file = tmp_path / "bag" / "bag.mcap"
    file.unlink()
    file.symlink_to("/proc/self/mem")  # an input/output error, whoever reads
    assert run(["data", "import", str(tmp_path / "bag"), "--out", str(out)]) == 2
    said = capsys.readouterr().out
    assert "bag: rejected: cannot be read: Input/output error" in said and "damaged" not in said


def test_nothing_readable(tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "bag.mcap").write_bytes(b"no bag")
    assert data_import(tmp_path / "bag", out) == 2
    assert "bag: rejected: nothing can be read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ({"camera/image_raw"}, "no topic 'camera/image_raw'"),
        ({"motion_state"}, "arm_command without motion_state: no topic 'motion_state'"),
        ({"arm_command", "PSM1/setpoint_cp"}, "no topic 'arm_command'; no setpoint_cp"),
    ],
)
def test_missing_topics(tmp_path: Path, out: Path, missing: set[str], reason: str) -> None:
    make_bag(tmp_path / "bag", steps=3, without=frozenset(missing))
    assert data_import(tmp_path / "bag", out) == 2
    assert verdicts(out) == ["rejected", "rejected"]
    assert all(found.startswith(reason) for found in reasons(out))


def test_missing_commands_are_made_up_for_by_setpoints(tmp_path: Path, out: Path) -> None:
    make_bag(tmp_path / "bag", steps=3, without=frozenset({"arm_command", "motion_state"}))
    assert data_import(tmp_path / "bag", out, "--period", str(STEP_MS / 1000)) == 0
    assert {row["actions_from"] for row in rows(out)} == {"setpoints"}
    assert [row["steps"] for row in rows(out)] == [3, 3]


def test_wrong_type(tmp_path: Path, out: Path) -> None:
    def spoil(recording: Recording, _number: int, _step: int) -> None:
        recording.without = frozenset()
        recording.send("camera/image_raw", make("std_msgs/msg/String", data="cheese"))
        recording.without = frozenset({"camera/image_raw"})

    make_bag(tmp_path / "bag", 3, without=frozenset({"camera/image_raw"}), spoil=spoil)
    assert data_import(tmp_path / "bag", out) == 2
    assert verdicts(out) == ["rejected", "rejected"]
    assert all(found.startswith(IMAGE_FAULT) for found in reasons(out))


@pytest.mark.parametrize(
    ("words", "seconds", "reason"),
    [
        ([], -30, "clock jumped back"),
        (SETPOINTS, -30, "clock jumped back"),
        (
            SETPOINTS,
            30,
            "clock jumped forward",
        ),  # with commands, the arm has only been at rest for longer
    ],
)
def test_clock_jumps(
    tmp_path: Path, out: Path, words: list[str], seconds: int, reason: str
) -> None:
    def spoil(recording: Recording, number: int, step: int) -> None:
        if (number, step) == (1, 3):
            recording.robot += seconds * 10**9
            recording.offset -= seconds * 10**9

    truth = make_bag(tmp_path / "bag", steps=6, spoil=spoil)
    assert data_import(tmp_path / "bag", out, *words) == 0
    assert verdicts(out) == ["imported", "rejected"]
    assert reason in reasons(out)[1]
    (path,) = list_episodes(out)
    assert np.array_equal(read_episode(path).observations, truth[0].observations)


def test_clock_that_begins_anew_between_two_episodes(tmp_path: Path, out: Path) -> None:
    """As where a simulation is started again while the recorder runs on."""
    truth = []
    with simulation() as env, Recording(tmp_path / "bag") as recording:
        for number, kind in enumerate(("demonstration", "random")):
            truth.append(record_episode(recording, env, kind, number, number, 5))
            recording.offset += recording.robot  # a second later, and back to the first second
            recording.robot = 10**9
    assert data_import(tmp_path / "bag", out) == 0
    assert verdicts(out) == ["imported", "imported"]
    for path, expected in zip(list_episodes(out), truth, strict=True):
        found = read_episode(path)
        assert np.array_equal(found.observations, expected.observations)
        assert np.array_equal(found.success, expected.success)


def test_two_arms(tmp_path: Path, out: Path) -> None:
    def spoil(recording: Recording, _number: int, _step: int) -> None:
        recording.setpoint(np.array([0.5, 0.5]), arm="PSM2")

    make_bag(tmp_path / "bag", steps=3, without=frozenset({"arm_command"}), spoil=spoil)
    assert data_import(tmp_path / "bag", out, *SETPOINTS) == 2
    assert reasons(out) == ["several arms (PSM1, PSM2): choose with --arm"] * 2
    assert data_import(tmp_path / "bag", out, *SETPOINTS, "--arm", "PSM1") == 0
    assert verdicts(out) == ["imported", "imported"]
    assert np.abs(read_episode(list_episodes(out)[0]).actions).max() <= 0.015 + 1e-6


def test_two_cameras(tmp_path: Path, out: Path) -> None:
    def spoil(recording: Recording, _number: int, _step: int) -> None:
        size = {"height": 2, "width": 2, "step": 6, "encoding": "rgb8"}
        image = make(IMAGE, data=np.zeros(12, np.uint8), header=header(recording.robot), **size)
        recording.send("left/camera/image_raw", image)

    truth = make_bag(tmp_path / "bag", steps=3, camera="right/camera/image_raw", spoil=spoil)
    assert data_import(tmp_path / "bag", out) == 2
    assert all("several topics 'camera/image_raw'" in reason for reason in reasons(out))
    assert data_import(tmp_path / "bag", out, "--camera", "/right/camera/image_raw") == 0
    for path, expected in zip(list_episodes(out), truth, strict=True):
        assert np.array_equal(read_episode(path).observations, expected.observations)


def test_commands_of_two_arms(tmp_path: Path, out: Path) -> None:
    def spoil(recording: Recording, number: int, step: int) -> None:
        recording.arm = "PSM2" if (number, step) == (1, 2) else "PSM1"

    make_bag(tmp_path / "bag", steps=4, spoil=spoil)
    assert data_import(tmp_path / "bag", out) == 0
    assert verdicts(out) == ["imported", "rejected"]
    assert reasons(out)[1] == "commands of more than one arm or frame: PSM1_base, PSM2_base"


def test_episodes_of_no_length(tmp_path: Path, out: Path) -> None:
    def spoil(recording: Recording, number: int, step: int) -> None:
        if (number, step) == (1, 0):  # a start too many, stopped at once
            recording.mark("stop")
            recording.wait(1)
            recording.mark("start")
            recording.wait(1)
            recording.frame_again()

    make_bag(tmp_path / "bag", steps=3, spoil=spoil)
    assert data_import(tmp_path / "bag", out) == 0
    assert verdicts(out) == ["imported", "rejected", "imported"]
    assert reasons(out)[1].startswith("no steps")


def test_camera_of_another_size(tmp_path: Path, out: Path) -> None:
    sizes: list[Any] = []

    def picture(pixels: np.ndarray) -> np.ndarray:
        return pixels if not sizes else pixels[:100]

    def spoil(_recording: Recording, number: int, _step: int) -> None:
        sizes.extend([number] * number)  # from the second episode on

    make_bag(tmp_path / "bag", steps=3, picture=picture, spoil=spoil)
    assert data_import(tmp_path / "bag", out) == 0
    assert verdicts(out) == ["imported", "rejected"]
    fault = "shape is (100, 128, 3), expected (128, 128, 3) (height, width, RGB)"
    assert list(rows(out)[1]["drops"]) == [fault]


def test_camera_of_another_rate(tmp_path: Path, out: Path) -> None:
    """Twice as many frames change nothing; frames that come too rarely are named."""

    def busy(recording: Recording, _number: int, _step: int) -> None:
        recording.wait(1)
        recording.frame_again()

    truth = make_bag(tmp_path / "busy", steps=3, spoil=busy)
    assert data_import(tmp_path / "busy", out) == 0
    for path, expected in zip(list_episodes(out), truth, strict=True):
        assert np.array_equal(read_episode(path).observations, expected.observations)

    def idle(recording: Recording, number: int, step: int) -> None:
        recording.without = frozenset({"camera/image_raw"} if (number, step) > (1, 0) else ())

    make_bag(tmp_path / "idle", steps=6, spoil=idle)
    assert data_import(tmp_path / "idle", tmp_path / "out2") == 0
    assert verdicts(tmp_path / "out2") == ["imported", "rejected"]
    assert "frames are missing" in reasons(tmp_path / "out2")[1]


def test_motion_out_of_the_plane(tmp_path: Path, out: Path) -> None:
    def spoil(recording: Recording, number: int, step: int) -> None:
        if (number, step) == (1, 1):
            recording.wait(1)
            recording.setpoint(np.zeros(2), z=-0.10)

    make_bag(tmp_path / "bag", steps=3, spoil=spoil)
    assert data_import(tmp_path / "bag", out, *SETPOINTS) == 0
    assert verdicts(out) == ["imported", "rejected"]
    assert "the tip left its plane by" in reasons(out)[1]


def test_steps_that_no_policy_makes(tmp_path: Path, out: Path) -> None:
    make_bag(tmp_path / "bag", steps=4)
    assert data_import(tmp_path / "bag", out, "--actions", "setpoints", "--period", "0.9") == 2
    assert verdicts(out) == ["rejected", "rejected"]
    assert all("the policy at most 15 mm: a shorter --period" in why for why in reasons(out))


def test_invalid_and_late_setpoints_are_dropped(tmp_path: Path, out: Path) -> None:
    def spoil(recording: Recording, _number: int, step: int) -> None:
        robot, offset = recording.robot, recording.offset
        for stamp in (0, robot - 20_000_000):
            recording.robot, recording.offset = stamp, offset + robot - stamp
            recording.setpoint(np.array([1.0, 1.0]))
        recording.robot, recording.offset = robot, offset

    truth = make_bag(tmp_path / "bag", steps=3, spoil=spoil)
    assert data_import(tmp_path / "bag", out, *SETPOINTS) == 0
    for path, expected in zip(list_episodes(out), truth, strict=True):
        assert np.allclose(read_episode(path).actions, expected.actions, rtol=0, atol=1e-7)
