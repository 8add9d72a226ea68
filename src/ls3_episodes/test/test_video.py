from __future__ import annotations

import dataclasses
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from ls3_episodes.film import view
from ls3_episodes.film.film import Film
from ls3_episodes.film.scene import FilmConfig
from ls3_episodes.film.video import VideoError, VideoWriter, to_gif
from ls3_episodes.film.view import FilmFrame, Step

SIZE = (64, 48)


def frames_of(path: Path) -> int:
    return int(imageio_ffmpeg.count_frames_and_secs(str(path))[0])


def picture(level: int) -> np.ndarray:
    return np.full((SIZE[1], SIZE[0], 3), level, np.uint8)


def test_video_and_gif(tmp_path: Path) -> None:
    video = VideoWriter(tmp_path / "new" / "a.mp4", SIZE, 20)
    for level in range(0, 200, 10):
        video.write(picture(level))
    video.close()
    assert frames_of(video.path) == 20
    reader = imageio_ffmpeg.read_frames(str(video.path))
    meta = next(reader)
    assert (meta["codec"], meta["size"]) == ("h264", SIZE)
    assert "yuv420p" in meta["pix_fmt"]
    shown = [int(np.frombuffer(frame, np.uint8).mean()) for frame in reader]
    assert np.allclose(shown, range(0, 200, 10), atol=6)
    to_gif(video.path, tmp_path / "a.gif", width=32, fps=5)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.size == (32, 24)
        assert gif.n_frames == 5


def test_video_of_a_killed_process_can_be_played(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, time, numpy as np\n"
        "from ls3_episodes.film.video import VideoWriter\n"
        "video = VideoWriter(sys.argv[1], (64, 48), 20)\n"
        "for _ in range(100): video.write(np.zeros((48, 64, 3), np.uint8))\n"
        "video._process.stdin.flush()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "a.mp4"
    child = subprocess.Popen(
        [sys.executable, "-c", code, os.fspath(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.wait(30) == -signal.SIGKILL
    assert frames_of(path) >= 40


def test_video_without_a_picture_leaves_no_file(tmp_path: Path) -> None:
    video = VideoWriter(tmp_path / "a.mp4", SIZE, 20)
    video.close()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_at_the_end_costs_no_more_than_seeking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file in fragments can be played; the second copy, which can be seeked, does not fit."""
    video = VideoWriter(tmp_path / "a.mp4", SIZE, 20)
    for number in range(3):
        video.write(picture(number))

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VideoError, match=r"No space left on device: .*a\.mp4"):
        video.close()
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_encoder_that_dies_is_reported(tmp_path: Path) -> None:
    video = VideoWriter(tmp_path / "a.mp4", SIZE, 20)
    video._process.kill()
    video._process.wait()
    with pytest.raises(VideoError, match="the encoder ended"):
        video.write(np.zeros((1000, *picture(0).shape), np.uint8))  # more than a pipe holds
    with pytest.raises(VideoError):
        video.close()


def scene(**changes: Any) -> FilmFrame:
    mask = np.zeros((64, 64, 1), np.uint8)
    mask[20:30] = 255
    full = FilmFrame(
        title="title",
        episode="episode 1 of 2",
        step=2,
        horizon=4,
        status="FEASIBLE PLAN",
        colour=view.GREEN,
        camera=np.full((128, 128, 3), 120, np.uint8),
        mask=mask,
        imagined=mask,
        lookahead=5,
        path=[(0.2, 0.2), (0.5, 0.5)],
        history=[Step(True, 0.9, 0.1), Step(False, 0.0, 1.0)],
        notes=[("planned in", "400 ms")],
    )
    return dataclasses.replace(full, **changes)


def box(drawn: np.ndarray, place: tuple[int, int, int]) -> np.ndarray:
    x, y, side = place
    return drawn[y : y + side, x : x + side]


def test_picture_shows_what_it_is_given() -> None:
    drawn = view.draw(scene())
    assert drawn.shape == (720, 1280, 3)
    assert drawn.dtype == np.uint8
    camera = box(drawn, view.CAMERA_BOX)
    # the path from (0.2, 0.2) to (0.5, 0.5) of the image, and nothing off it
    middle = round(0.35 * view.CAMERA_BOX[2])
    assert np.abs(camera[middle, middle] - np.array([0xFF, 0xD5, 0x4A])).max() < 8
    assert (camera[-100:] == 120).all()
    mask = box(drawn, view.MASK_BOX)
    stripe = round(25 / 64 * view.MASK_BOX[2])
    assert mask[stripe].min() > 200
    assert mask[-20:].max() == 0


def test_a_hold_shows_its_reason_and_how_close_a_plan_came() -> None:
    plain = view.draw(scene(history=[Step(False, float("nan"), float("nan"))]))
    held = view.draw(scene(history=[Step(False, 0.31, 0.05)], reason="no plan, (5) fails"))
    differs = (plain != held).any(axis=(1, 2)).nonzero()[0]
    assert differs[0] > 170 and (differs > 690).any()
    assert ((differs > 200) & (differs < 220)).any(), "the bar of P(5)"


@pytest.mark.parametrize(
    "changes",
    [
        {"camera": None},
        {"mask": None, "imagined": None},
        {"path": ()},
        {"history": ()},
        {"history": [Step(True, 1.5, 0.0)] * 100},
        {"horizon": 0},
        {"history": [Step(False, float("nan"), float("nan"))]},
        {"mask": np.zeros((64, 64, 3), np.uint8)},
    ],
)
def test_picture_without_some_of_it(changes: dict[str, Any]) -> None:
    assert view.draw(scene(**changes)).shape == (720, 1280, 3)


def plan(**changes: Any) -> Any:
    fields: dict[str, Any] = {
        "step": 0,
        "feasible": True,
        "action": [0.01, 0.0],
        "action_sequence": [0.01, 0.0, 0.0, 0.01],
        "imagined": [0.0] * 64,
        "safe_probability": 0.9,
        "constraint_probability": 0.1,
        "value": -3.0,
        "delta_safe": 0.8,
        "solve_time": 0.4,
        "reason": "",
    }
    return SimpleNamespace(**{**fields, **changes})


def film(path: Path, said: list[str]) -> Film:
    def decode(latents: np.ndarray) -> np.ndarray:
        assert latents.shape == (1, 32)
        return np.full((1, 64, 64, 1), 200, np.uint8)

    made = Film(str(path), FilmConfig(width=0.3), decode, 5, 1, said.append)
    made.begin("episode 1", [("violations", "0")])
    made.tool(0.03, -0.03)
    made.camera(np.zeros((128, 128, 3), np.uint8))
    return made


def test_film_shows_plans_and_motions(tmp_path: Path) -> None:
    said: list[str] = []
    made = film(tmp_path / "a.mp4", said)
    made.plan(plan())
    # metres to fractions of the image, whose y points down
    assert np.allclose(
        made._scene.shown.path, [(0.6, 0.6), (0.6 + 1 / 30, 0.6), (0.6 + 1 / 30, 17 / 30)]
    )
    made.moving(True)
    made.camera(np.zeros((128, 128, 3), np.uint8))
    made.moving(False)
    made.camera(np.zeros((128, 128, 3), np.uint8))  # at rest: nothing new to see
    held = {"feasible": False, "imagined": [], "action_sequence": [], "reason": "no plan: words"}
    made.plan(plan(step=1, **held))
    assert made._scene.shown.status == "NO PLAN: ARM HOLDS"
    assert made._scene.shown.reason == "no plan: words"
    made.end("GOAL", view.GREEN)
    made.finish()
    made._thread.join(20)
    assert made.done()
    assert frames_of(tmp_path / "a.mp4") == 3 + 1 + 3 + 30
    assert said == []


def test_film_whose_encoder_dies_says_so_and_lets_the_run_go_on(tmp_path: Path) -> None:
    said: list[str] = []
    made = film(tmp_path / "a.mp4", said)
    made._video._process.kill()
    made._video._process.wait()
    for step in range(20):
        made.plan(plan(step=step))
    made.finish()
    made._thread.join(20)
    assert "the video ends here" in said[0]
