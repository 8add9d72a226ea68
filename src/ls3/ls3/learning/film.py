"""Films of episodes, as the models see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import imageio.v2 as imageio
import numpy as np

from ls3_common.errors import UserError
from ls3_models.episodes import Episode

SIZE = 512
"""Least height of a picture, px; images of fewer pixels are enlarged by a whole factor."""
FPS = 10
END_FRAMES = 5
"""For how many pictures the end of an episode is shown, in a frame of its outcome's colour."""
EDGE = 8
"""Width of that frame, px."""
SUCCESS, VIOLATION, NEITHER = (0, 160, 60), (210, 40, 40), (230, 160, 0)


def pictures(observations: np.ndarray) -> np.ndarray:
    """Return the newest frames of observations (n, h, w, c), as colours, uint8 (n, h, w, 3)."""
    channels = 1 if observations.shape[-1] % 3 else 3
    newest = observations[..., -channels:]
    return np.broadcast_to(newest, (*newest.shape[:3], 3))


def write_film(path: Path, episodes: Sequence[Episode]) -> None:
    """Write the episodes one after the other into an mp4 file.

    Green, red and amber edges mark success, a violation and neither.

    Raises:
        UserError: the film cannot be written, or imageio-ffmpeg is missing.
    """
    try:
        writer = imageio.get_writer(path, format="FFMPEG", fps=FPS, macro_block_size=2)
        with closing(writer) as film:
            for picture in _film(episodes):
                film.append_data(picture)
    except ImportError:
        raise UserError("a film needs imageio-ffmpeg", do="pip install imageio-ffmpeg") from None
    except OSError as error:
        raise UserError(f"no film: {error}", where=str(path)) from None


def _film(episodes: Sequence[Episode]) -> Iterator[np.ndarray]:
    factor = max(1, SIZE // episodes[0].observations.shape[1])
    for episode in episodes:
        for picture in pictures(episode.observations):
            shown = picture.repeat(factor, axis=0).repeat(factor, axis=1)
            yield shown
        yield from [_edged(shown, _colour(episode))] * END_FRAMES


def _colour(episode: Episode) -> tuple[int, int, int]:
    if episode.violated:
        return VIOLATION
    return SUCCESS if episode.succeeded else NEITHER


def _edged(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    edged = np.full_like(picture, colour)
    edged[EDGE:-EDGE, EDGE:-EDGE] = picture[EDGE:-EDGE, EDGE:-EDGE]
    return edged
