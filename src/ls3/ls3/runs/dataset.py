"""A domain's offline data on disk, and refusing another's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ls3.runs.domains import Domain
from ls3_common.errors import DataError
from ls3_common.files import read_json, write_json
from ls3_models.episodes import Episode, read_episodes
from ls3_models.offline_data import Spec

MARKER = "domain.json"
TOLERANCE = 0.01  # of an action's range; rounding, not another domain


def claim(directory: Path, domain: Domain) -> None:
    """Say whose data a directory holds, before the first are written.

    Raises:
        DataError: it holds another domain's.
    """
    _check_marker(directory, domain.name)
    document = {"domain": domain.name, "environment": domain.spec.environment}
    write_json(directory / MARKER, document)


def read_data(directory: Path, spec: Spec) -> list[Episode]:
    """All episodes of a data set.

    Raises:
        DataError: there are none, one is damaged, or they are another domain's: by the
            directory's mark, by the size of images or actions, or by the actions' bounds.
    """
    _check_marker(directory, spec.domain)
    episodes = read_episodes(directory)
    spec.check(episodes)
    low, high = np.array(spec.action_low), np.array(spec.action_high)
    slack = TOLERANCE * (high - low)
    for episode in episodes:
        if (episode.actions < low - slack).any() or (episode.actions > high + slack).any():
            extreme = float(np.abs(episode.actions).max())
            raise DataError(
                f"actions as large as {extreme:.3g}, domain '{spec.domain}' has them from "
                f"{spec.action_low} to {spec.action_high}",
                where=str(directory),
                do="check that --data belongs to this domain",
            )
    return episodes


def _check_marker(directory: Path, domain: str) -> None:
    if not (directory / MARKER).exists():
        return  # collected elsewhere
    found = read_json(directory / MARKER).get("domain")
    if found != domain:
        raise DataError(
            f"data of domain '{found}', not of '{domain}'",
            where=str(directory),
            do="give another --data directory",
        )
