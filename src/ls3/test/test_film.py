"""A film shows every observation of every episode, and in the end what the episode came to."""

import imageio.v3 as imageio
import numpy as np
import pytest

from ls3.learning.film import END_FRAMES, SUCCESS, VIOLATION, pictures, write_film
from ls3_common.errors import UserError
from ls3_models.episodes import Episode

pytestmark = pytest.mark.background


def episode(steps, *, success=False, constraint=False, channels=1):
    images = np.zeros((steps + 1, 64, 64, channels), np.uint8)
    for number in range(steps + 1):
        images[number] = 20 * number
    flags = np.zeros(steps, bool)
    ends = flags.copy()
    ends[-1] = True
    return Episode(
        observations=images,
        actions=np.zeros((steps, 2), np.float32),
        rewards=np.zeros(steps, np.float32),
        constraint=ends if constraint else flags,
        success=ends if success else flags,
        source="online",
        seed=0,
    )


def test_each_frame_is_shown_and_the_edge_tells_the_outcome(tmp_path):
    path = tmp_path / "films" / "two.mp4"
    path.parent.mkdir()
    write_film(path, [episode(3, success=True), episode(2, constraint=True, channels=9)])
    film = imageio.imread(path)
    assert len(film) == 4 + END_FRAMES + 3 + END_FRAMES
    assert film.shape[1:] == (512, 512, 3)
    np.testing.assert_allclose(film[2, 256, 256], 40, atol=6)
    np.testing.assert_allclose(film[4, 2, 256], SUCCESS, atol=12)
    np.testing.assert_allclose(film[-1, 2, 256], VIOLATION, atol=12)
    np.testing.assert_allclose(film[-1, 256, 256], 40, atol=6)


def test_of_stacked_frames_the_newest_is_shown():
    stacked = np.arange(2 * 64 * 64 * 9, dtype=np.int64).reshape(2, 64, 64, 9).astype(np.uint8)
    np.testing.assert_array_equal(pictures(stacked), stacked[..., -3:])
    masks = stacked[..., :1]
    np.testing.assert_array_equal(pictures(masks), np.repeat(masks, 3, axis=3))


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="no film"):
        write_film(tmp_path / "file" / "x.mp4", [episode(2)])
