"""Writes H.264 videos that stay playable even if the process is killed, and makes GIFs of them.

python -m ls3_episodes.film.video episodes.mp4 episodes.gif --start 2 --duration 8
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import threading
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from ls3_common.files import replacing

CLOSE_TIMEOUT_S = 3.0
"""Longest wait for the encoder to end, s."""
FRAGMENT_FRAMES = 20
"""Number of frames per fragment: at most this many are lost if the process is killed."""


class VideoError(Exception):
    """The encoder could not run or failed; the text is the encoder's."""


class VideoWriter:
    """Writes an mp4 file in fragments, so that a killed process leaves a playable file.

    `close` turns it into an ordinary, seekable file without encoding again. A video without any
    picture leaves no file, because no player opens one.
    """

    def __init__(self, path: str | Path, size: tuple[int, int], fps: int) -> None:
        """Start the encoder for pictures of `size` (width, height), px, at `fps` per second."""
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        width, height = size
        # a session of its own: Ctrl-C signals the whole foreground group, but the encoder must
        # still encode the frames under way; it ends when its standard input is closed
        self._process = subprocess.Popen(
            [
                *_ffmpeg(),
                *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"),
                *("-r", str(fps), "-i", "-"),
                *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "veryfast", "-crf", "20"),
                *("-threads", "1", "-g", str(FRAGMENT_FRAMES)),
                *("-movflags", "+frag_keyframe+empty_moov+default_base_moof"),
                os.fspath(self.path),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._empty = True
        self._errors: list[bytes] = []
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()

    def write(self, picture: np.ndarray) -> None:
        """Append one picture, uint8 (height, width, 3).

        Raises:
            VideoError: the encoder has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(picture).data)
        except (BrokenPipeError, ValueError):
            raise VideoError(self._reason()) from None
        self._empty = False

    def close(self) -> None:
        """Complete the file and end the encoder.

        Raises:
            VideoError: the encoder failed; what it wrote before stays in the file.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            code = self._process.wait(CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if code != 0:
            raise VideoError(self._reason())
        if self._empty:
            self.path.unlink()
            return
        try:
            with replacing(self.path) as part:
                arguments = ("-i", self.path, "-c", "copy", "-movflags", "+faststart", part)
                words = [*_ffmpeg(), *map(str, arguments)]
                subprocess.run(words, check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            raise VideoError(error.stderr.strip() or str(error)) from None
        except OSError as error:
            raise VideoError(str(error)) from None

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors.extend(self._process.stderr)

    def _reason(self) -> str:
        self._reader.join(1.0)
        return b"".join(self._errors[-5:]).decode(errors="replace").strip() or "the encoder ended"


def to_gif(
    video: str | Path,
    gif: str | Path,
    *,
    start_s: float = 0.0,
    duration_s: float | None = None,
    width: int = 800,
    fps: int = 10,
) -> None:
    """Make a GIF with a palette of its own from a video or a part of it.

    Args:
        video, gif: paths of input and output.
        start_s, duration_s: the part to use, s; None: to the end.
        width: of the GIF, px; the height follows.
        fps: frames per second of the GIF.
    """
    graph = (
        f"fps={fps},scale={width}:-1:flags=lanczos,split[a][b];"
        "[a]palettegen=max_colors=128:stats_mode=diff[p];[b][p]paletteuse=dither=bayer"
    )
    length = () if duration_s is None else ("-t", duration_s)
    with replacing(gif) as part:
        arguments = ("-ss", start_s, *length, "-i", video, "-filter_complex", graph, part)
        subprocess.run([*_ffmpeg(), *map(str, arguments)], check=True)


def _ffmpeg() -> list[str]:
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-nostdin", "-loglevel", "error"]


def main() -> None:
    """Make a GIF from a part of a video."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("gif", type=Path)
    parser.add_argument("--start", type=float, default=0.0, help="start of the part, s")
    parser.add_argument("--duration", type=float, help="length of the part, s (default: all)")
    parser.add_argument("--width", type=int, default=800, help="width of the GIF, px")
    parser.add_argument("--fps", type=int, default=10, help="frames per second of the GIF")
    arguments = parser.parse_args()
    to_gif(
        arguments.video,
        arguments.gif,
        start_s=arguments.start,
        duration_s=arguments.duration,
        width=arguments.width,
        fps=arguments.fps,
    )


if __name__ == "__main__":
    main()
