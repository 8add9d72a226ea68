"""What each variation of any camera and arm does to pictures, frames and motions."""

from __future__ import annotations

import numpy as np
import pytest

from ls3_common.errors import ConfigError
from ls3_sim.disturbance import INSTRUMENT, Disturbance
from ls3_sim.variations import EpisodeDraws, PushingVariations, Variations, checked, switched_on

pytestmark = pytest.mark.background

SIZE = 64  # of an observation


def begun(seed=0, **values):
    made = Disturbance(Variations(**values), SIZE)
    made.begin(EpisodeDraws(np.random.default_rng(seed)))
    return made


def spot(side, x, y, radius=6.0):
    """A white disc on black, with soft edges, at (x, y) in px from the upper left corner."""
    rows, columns = np.indices((side, side)) + 0.5
    grey = 255 * np.clip(radius + 0.5 - np.hypot(rows - y, columns - x), 0, 1)
    return np.repeat(np.rint(grey).astype(np.uint8)[:, :, None], 3, axis=2)


def centre(picture):
    weights = picture[..., 0] / picture[..., 0].sum(dtype=float)
    rows, columns = np.indices(weights.shape) + 0.5
    return np.array([(columns * weights).sum(), (rows * weights).sum()])


def test_with_everything_off_nothing_is_touched_and_nothing_drawn():
    rng = np.random.default_rng(3)
    made = Disturbance(Variations(), SIZE)
    made.begin(EpisodeDraws(rng))
    picture = spot(64, 20, 40)
    made.next_step()
    assert made.arrive(made.expose(made.move(picture))) is picture
    assert made.gain == 1
    fresh = np.random.default_rng(3)
    assert rng.bit_generator.state == fresh.bit_generator.state
    assert rng.bit_generator.seed_seq.n_children_spawned == 0


@pytest.mark.parametrize("side", [64, 128])
def test_a_shift_is_in_pixels_of_the_observation_whatever_is_drawn(side):
    moves = np.array(
        [centre(begun(s, camera_shift=3).move(spot(side, side / 2, side / 2))) for s in range(60)]
    )
    moves = (moves - side / 2) * SIZE / side
    assert np.abs(moves).max() <= 3.05
    assert (np.abs(moves).max(axis=0) > 2.5).all() and (np.ptp(moves, axis=0) > 5).all()
    assert abs(np.corrcoef(moves.T)[0, 1]) < 0.5, "the two axes are drawn apart"


def test_a_rotation_turns_about_the_middle_and_a_scale_keeps_it():
    arm = np.array([20.0, 0.0])
    for seed in range(8):
        turned = centre(begun(seed, camera_rotation=30).move(spot(64, *(32 + arm)))) - 32
        assert np.linalg.norm(turned) == pytest.approx(20, abs=0.2)
        assert abs(np.degrees(np.arctan2(turned[1], turned[0]))) <= 30.5
        scaled = centre(begun(seed, camera_scale=0.2).move(spot(64, *(32 + arm)))) - 32
        assert abs(scaled[1]) < 0.2 and 15.8 <= scaled[0] <= 24.2
        assert abs(scaled[0] - 20) > 0.01
        kept = begun(seed, camera_rotation=30, camera_scale=0.2).move(spot(64, 32, 32))
        assert centre(kept) == pytest.approx([32, 32], abs=0.1)


def test_beyond_the_edge_the_edge_is_repeated():
    grey = np.full((64, 64, 3), 77, np.uint8)
    for seed in range(5):
        moved = begun(seed, camera_shift=20, camera_rotation=45, camera_scale=0.4).move(grey)
        assert (moved == 77).all()


def test_light_is_one_factor_and_colour_one_per_channel():
    grey = np.full((8, 8, 3), 100, np.uint8)
    light = np.array([begun(s, light=0.2).expose(grey)[0, 0] for s in range(40)])
    assert (light == light[:, :1]).all()
    assert light.min() >= 80 and light.max() <= 120 and np.ptp(light) > 30
    colour = np.array([begun(s, colour=0.2).expose(grey)[0, 0] for s in range(40)])
    assert colour.min() >= 80 and colour.max() <= 120 and (np.ptp(colour, axis=1) > 2).mean() > 0.9
    assert begun(0, light=0.9).expose(np.full((8, 8, 3), 250, np.uint8)).dtype == np.uint8


def test_noise_is_drawn_anew_for_each_frame_with_its_deviation():
    grey = np.full((64, 64, 3), 128, np.uint8)
    made = begun(noise=5)
    one, two = (made.expose(grey).astype(float) for _ in range(2))
    assert np.std(one - 128) == pytest.approx(5, rel=0.05)
    assert np.std(one - two) == pytest.approx(5 * np.sqrt(2), rel=0.05)
    again = begun(noise=5)
    assert np.array_equal(again.expose(grey), one), "the same seed, the same noise"


@pytest.mark.parametrize("side", [64, 128])
def test_an_instrument_hides_one_square_for_the_whole_episode(side):
    places = set()
    for seed in range(20):
        made = begun(seed, occlusion=10)
        white = np.full((side, side, 3), 255, np.uint8)
        first, second = made.expose(white), made.expose(white)
        assert np.array_equal(first, second)
        rows, columns = np.nonzero((first == INSTRUMENT).all(axis=2))
        assert len(rows) == (10 * side // SIZE) ** 2
        assert np.ptp(rows) == np.ptp(columns) == 10 * side // SIZE - 1
        assert (first == 255).all(axis=2).sum() == side**2 - len(rows)
        places.add((rows[0], columns[0]))
    assert len(places) > 15
    assert np.ptp([row for row, _ in places]) > side // 2


def frames(made, count, first=0):
    seen = [made.arrive(np.full((2, 2, 3), first, np.uint8))[0, 0, 0]]
    for number in range(first + 1, first + count):
        made.next_step()
        seen.append(made.arrive(np.full((2, 2, 3), number, np.uint8))[0, 0, 0])
    return [int(number) for number in seen]


@pytest.mark.parametrize(
    ("delay", "seen"), [(0, [0, 1, 2, 3, 4]), (1, [0, 0, 1, 2, 3]), (3, [0, 0, 0, 0, 1])]
)
def test_a_delay_shows_the_frame_of_an_earlier_step(delay, seen):
    assert frames(begun(delay=delay), 5) == seen


def test_of_a_past_step_the_last_frame_is_seen():
    made = begun(delay=1)
    shown = []
    for step in range(3):
        if step:
            made.next_step()
        for part in range(2):
            shown.append(int(made.arrive(np.full((1, 1, 3), 10 * step + part, np.uint8))[0, 0, 0]))
    assert shown == [0, 1, 1, 1, 11, 11]


def test_a_lost_frame_shows_again_what_was_seen_last():
    seen = frames(begun(frame_loss=0.5), 200)
    repeated = np.diff(seen) == 0
    assert 0.35 < repeated.mean() < 0.65
    assert all(seen[i] in (i, seen[i - 1]) for i in range(1, 200))
    assert frames(begun(frame_loss=0.0), 10) == list(range(10))
    late = frames(begun(frame_loss=0.5, delay=2), 200)
    assert max(np.arange(200) - late) > 2 and (np.arange(200) - late)[2:].min() == 2


def test_a_new_episode_sees_nothing_of_the_last():
    made = begun(delay=3)
    frames(made, 5)
    made.begin(EpisodeDraws(np.random.default_rng(1)))
    assert frames(made, 2, first=50) == [50, 50]


def test_a_gain_is_one_factor_for_each_episode():
    gains = [begun(seed, gain=0.3).gain for seed in range(100)]
    assert 0.7 <= min(gains) < 0.75 and 1.25 < max(gains) <= 1.3


def test_a_variation_draws_the_same_whatever_else_is_on_and_grows_with_its_size():
    alone, beside = begun(5, gain=0.2), begun(5, gain=0.2, camera_shift=3, noise=5, occlusion=4)
    assert alone.gain == beside.gain
    assert begun(5, gain=0.4).gain - 1 == pytest.approx(2 * (alone.gain - 1))
    assert begun(6, gain=0.2).gain != alone.gain


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"camera_shft": 3}, "no variation 'camera_shft'"),
        ({"start_offset": 0.01}, "variations: camera_shift.*start_jitter, friction"),
        ({"camera_shift": -1}, r"'camera_shift' is -1.0, outside \[0, 32\]"),
        ({"frame_loss": 1.0}, r"'frame_loss' is 1.0, outside \[0, 0.9\]"),
        ({"delay": 0.5}, "'delay' must be an integer"),
        ({"noise": "much"}, "'noise' must be a number"),
        ({"light": float("nan")}, "'light' is nan"),
        ({"friction": True}, "'friction' must be a number"),
    ],
)
def test_an_unknown_variation_or_a_value_out_of_range_is_refused(values, text):
    with pytest.raises(ConfigError, match=text):
        checked(PushingVariations, values, "somewhere")


def test_what_is_on():
    assert switched_on(Variations()) == {}
    assert switched_on(Variations(delay=1, light=0.0, gain=0.2)) == {"delay": 1, "gain": 0.2}
