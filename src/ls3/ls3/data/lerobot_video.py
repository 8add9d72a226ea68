"""Writes the videos of a LeRobot data set, one per episode, as H.264."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ls3.data.lerobot_rows import sampled_pixels

KEY_EVERY = 10
"""Number of frames from one that is decoded by itself to the next."""


def write_videos(
    pictures: Iterable[tuple[int, np.ndarray]],
    paths: Mapping[int, Path],
    rate: int,
    *,
    lossless: bool,
) -> tuple[Mapping[int, np.ndarray], tuple[int, int]]:
    """Write one video per episode.

    Args:
        pictures: (episode, picture uint8 (height, width, 3)), one episode after the other.
        paths: where to write, by episode.
        rate: frames per second.
        lossless: whether the pictures stay exact, as masks must: they are no photographs.

    Returns:
        Some pixels of each episode in [0, 1], (N, 3), for statistics; and (height, width).
    """
    samples: dict[int, list[np.ndarray]] = {}
    writer: Generator[None, np.ndarray, None] | None = None
    size = (0, 0)
    for index, picture in pictures:
        even = _even(picture)
        if index not in samples:
            if writer:
                writer.close()
            size = even.shape[0], even.shape[1]
            writer = _writer(paths[index], size, rate, lossless)
            samples[index] = []
        assert writer is not None
        writer.send(even)
        samples[index].append(sampled_pixels([even], 1)[::7])
    if writer:
        writer.close()
    return {index: np.concatenate(found) for index, found in samples.items()}, size


def video_info(rate: int, size: tuple[int, int]) -> dict[str, Any]:
    """Return LeRobot's facts about videos of `write_videos` with `size` (height, width)."""
    return {
        "video.height": size[0],
        "video.width": size[1],
        "video.fps": rate,
        "video.codec": "h264",
        "video.pix_fmt": "yuv420p",
        "video.channels": 3,
        "video.is_depth_map": False,
        "has_audio": False,
    }


def _even(frame: np.ndarray) -> np.ndarray:
    """The picture with an even number of rows and columns, as the pixel format demands."""
    pad = [(0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)]
    return np.ascontiguousarray(np.pad(frame, pad, mode="edge"))


def _writer(
    path: Path, size: tuple[int, int], rate: int, lossless: bool
) -> Generator[None, np.ndarray, None]:
    import imageio_ffmpeg

    path.parent.mkdir(parents=True, exist_ok=True)
    quality = ["-qp", "0"] if lossless else ["-crf", "18"]
    found: Generator[None, np.ndarray, None] = imageio_ffmpeg.write_frames(
        str(path),
        size[::-1],
        fps=rate,
        codec="libx264",
        quality=None,
        macro_block_size=1,
        output_params=[*quality, "-g", str(KEY_EVERY), "-threads", "1"],
        ffmpeg_log_level="error",
    )
    next(found)
    return found
