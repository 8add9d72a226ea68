"""Reads the offline data of a domain, and refuses those of another domain or start distribution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ls3.runs.domains import Domain
from ls3_common.domain import ENVIRONMENT, in_words
from ls3_common.errors import DataError
from ls3_common.files import read_json, write_json
from ls3_models.episodes import Episode, list_episodes, read_episodes
from ls3_models.offline_data import Spec

MARKER = "domain.json"
"""File in a data directory that names the domain, and the variations that were on."""
TOLERANCE = 0.01
"""Share of an action's range by which rounding may exceed the bounds."""


def claim(directory: Path, domain: Domain, *, recorded: bool = False) -> None:
    """Mark a directory as holding the data of a domain, before any data are written.

    recorded: whether the data come from recordings, whose variations nobody knows.

    Raises:
        DataError: the directory holds data of another domain, or of other variations.
    """
    _check_marker(directory, domain.name)
    if not recorded:
        refuse_other_variations(directory, domain)
    marked = _marker(directory)
    kept = marked.get("variations", {}) if marked else None
    document = {
        "domain": domain.name,
        "environment": domain.spec.environment,
        "variations": kept if recorded else dict(domain.variations),
    }
    write_json(directory / MARKER, document)


def refuse_other_variations(directory: Path, domain: Domain) -> None:
    """Refuse data that were collected with other variations than the domain has.

    Data that were collected before there were variations had none. Of recordings, and of data from
    another program, nobody knows.

    Raises:
        DataError: the variations differ; the text names both.
    """
    marked = _marker(directory)
    found = marked.get("variations", {}) if marked else None
    if found is not None and found != dict(domain.variations):
        raise DataError(
            f"these data were collected with {in_words(found)}, and the domain has "
            f"{in_words(domain.variations)}",
            where=str(directory),
            do=f"give another --data directory, or change the section {ENVIRONMENT}, e.g. by --set",
        )


def _marker(directory: Path) -> dict[str, Any]:
    """What a directory's mark says; empty if there is none, as data from another program need none.

    Raises:
        DataError: the mark is damaged.
    """
    path = directory / MARKER
    found = read_json(path) if path.exists() else {}
    if not isinstance(found.get("variations", {}), dict | None):
        raise DataError("'variations' is no JSON object", where=str(path), do="delete it")
    return found


def read_data(directory: Path, spec: Spec) -> list[Episode]:
    """Read all episodes of a data set and check that they fit `spec`.

    Raises:
        DataError: there are no episodes or one is damaged. Or the directory is marked as another
            domain's, or the shape of images or actions or an action's bounds do not fit.
    """
    _check_marker(directory, spec.domain)
    if not list_episodes(directory):
        raise DataError(
            "holds no episodes",
            where=str(directory),
            do=f"run `ls3 collect --domain {spec.domain}` first, or give another --data directory",
        )
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
    marked = _marker(directory)
    found = marked.get("domain")
    if marked and found != domain:
        raise DataError(
            f"this is data of domain '{found}', not of '{domain}'",
            where=str(directory),
            do=f"give another --data directory, or --domain {found}",
        )
