"""What TensorBoard shows of online learning: curves, losses, episodes to look at, settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import imageio.v3 as imageio
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter

from ls3.learning.curve import EpisodeRow, training_rates
from ls3.learning.film import pictures
from ls3_models.episodes import Episode
from ls3_models.offline import BOARD

STAGE = "online"
FRAME_MS = 100
"""How long a film shows each frame."""


class Board:
    """Writes below ``tensorboard/online`` in the directory of a run; a context manager."""

    def __init__(self, run: Path, episodes: int) -> None:
        """Continue after a number of `episodes`; what was written beyond them is not shown."""
        self._writer = SummaryWriter(str(run / BOARD / STAGE), purge_step=episodes)

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def episode(self, row: EpisodeRow) -> None:
        """Show what an episode came to."""
        numbers = ("success", "violation", "steps", "total_reward")
        shown = {**{name: getattr(row, name) for name in numbers}, **row.counts}
        for name, value in shown.items():
            self._writer.add_scalar(f"{STAGE}/{name}", float(value), row.episode)

    def losses(self, losses: Mapping[str, float], number: int) -> None:
        """Show the losses of the update after episode `number`."""
        for name, value in losses.items():
            self._writer.add_scalar(f"{STAGE}/loss_{name}", value, number)

    def film(self, episode: Episode, number: int) -> None:
        """Show the frames of episode `number` one after the other, of stacked frames the newest."""
        frames = pictures(episode.observations)
        gif = imageio.imwrite("<bytes>", frames, extension=".gif", duration=FRAME_MS, loop=0)
        height, width = frames.shape[1:3]
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=gif)
        summary = Summary(value=[Summary.Value(tag=f"{STAGE}/last_episode", image=image)])
        self._writer._get_file_writer().add_summary(summary, number)

    def settings(
        self, sections: Mapping[str, Mapping[str, Any]], rows: Sequence[EpisodeRow]
    ) -> None:
        """Show all settings beside the rates over all episodes, to compare runs by them."""
        flat = {
            f"{section}.{key}": value if isinstance(value, bool | int | float) else str(value)
            for section, values in sections.items()
            for key, value in values.items()
        }
        rates = {f"rates/{name}": value for name, value in training_rates(rows).items()}
        self._writer.add_hparams(flat, rates, run_name=".")
