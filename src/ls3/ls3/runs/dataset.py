"""Reads the offline data of a domain, and refuses those of another domain."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ls3.runs.domains import Domain
from ls3_common.errors import DataError
from ls3_common.files import read_json, write_json
from ls3_models.episodes import Episode, read_episodes
from ls3_models.offline_data import Spec

MARKER = "domain.json"
"""File in a data directory that names the domain."""
TOLERANCE = 0.01
"""Share of an action's range by which rounding may exceed the bounds."""


def claim(directory: Path, domain: Domain) -> None:
    """Mark a directory as holding the data of a domain, before any data are written.

    Raises:
        DataError: the directory holds data of another domain.
    """
    _check_marker(directory, domain.name)
    document = {"domain": domain.name, "environment": domain.spec.environment}
    write_json(directory / MARKER, document)


def read_data(directory: Path, spec: Spec) -> list[Episode]:
    """Read all episodes of a data set and check that they fit `spec`.

    Raises:
        DataError: there are no episodes or one is damaged. Or the directory is marked as another
            domain's, or the shape of images or actions or an action's bounds do not fit.
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
                f"an action has a component of {extreme:.3g}, but the bounds of domain "
                f"'{spec.domain}' are {spec.action_low} and {spec.action_high}",
                where=str(directory),
                do="check that --data belongs to this domain",
            )
    return episodes


def _check_marker(directory: Path, domain: str) -> None:
    if not (directory / MARKER).exists():
        return  # data from another program need no mark
    found = read_json(directory / MARKER).get("domain")
    if found != domain:
        raise DataError(
            f"this is data of domain '{found}', not of '{domain}'",
            where=str(directory),
            do="give another --data directory",
        )
