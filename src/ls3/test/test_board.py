"""What TensorBoard shows of a run, read as TensorBoard's own server reads it."""

import io

import numpy as np
import pytest
import tiny_runs
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ls3.cli.cli import main
from ls3.learning.board import Board
from ls3.learning.curve import EpisodeRow
from ls3_models.episodes import Episode

pytestmark = [pytest.mark.background, pytest.mark.usefixtures("one_thread")]


def read(directory):
    found = EventAccumulator(str(directory), size_guidance={"scalars": 0, "images": 0})
    return found.Reload()


def row(number, **more):
    return EpisodeRow(number, 0, success=True, violation=False, steps=3, total_reward=-2.0, **more)


def test_a_run_shows_the_curves_of_every_stage(tmp_path):
    data = tiny_runs.collect_data(tmp_path / "data")
    run = tmp_path / "run"
    words = ["learn", *tiny_runs.options(), "--data", str(data), "--run", str(run)]
    assert main(words) == 0
    scalars = {path.name: read(path).Tags()["scalars"] for path in (run / "tensorboard").iterdir()}
    assert set(scalars) == {"vae", "heads", "online"}
    for stage in ("vae", "heads"):
        assert scalars[stage] and all(tag.startswith(f"{stage}/") for tag in scalars[stage])
    online = read(run / "tensorboard" / "online")
    assert [event.step for event in online.Scalars("online/success")] == [0, 1, 2, 3]
    assert {"online/loss_value", "rates/success_rate"} <= set(scalars["online"])
    plugins = online.summary_metadata
    assert "hparams" in {data.plugin_data.plugin_name for data in plugins.values()}


def test_a_run_that_goes_on_shows_no_episode_twice(tmp_path):
    with Board(tmp_path, 0) as board:
        for number in range(4):
            board.episode(row(number, counts={"holds": 7}))
            board.losses({"value": number}, number)
    with Board(tmp_path, 2) as board:  # the last two were lost
        for number in range(2, 5):
            board.episode(row(number))
    shown = read(tmp_path / "tensorboard" / "online")
    assert [event.step for event in shown.Scalars("online/steps")] == [0, 1, 2, 3, 4]
    assert shown.Scalars("online/holds")[0].value == 7
    assert [event.value for event in shown.Scalars("online/loss_value")] == [0, 1]


@pytest.mark.parametrize("channels", [1, 3, 9])
def test_a_film_shows_the_newest_frames(tmp_path, channels):
    observations = np.zeros((4, 8, 8, channels), np.uint8)
    observations[2, ..., -1] = 255
    episode = Episode(
        observations=observations,
        actions=np.zeros((3, 2), np.float32),
        rewards=np.zeros(3, np.float32),
        constraint=np.zeros(3, bool),
        success=np.zeros(3, bool),
        source="online",
        seed=0,
    )
    with Board(tmp_path, 0) as board:
        board.film(episode, 9)
    (event,) = read(tmp_path / "tensorboard" / "online").Images("online/last_episode")
    film = Image.open(io.BytesIO(event.encoded_image_string))
    assert event.step == 9 and film.n_frames == 3, "equal frames in a row are one"
    film.seek(1)
    assert np.asarray(film.convert("RGB"))[..., 2].min() > 200
