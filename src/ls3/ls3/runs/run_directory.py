"""The directory of a run: locks it against other processes, and describes the run."""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ls3.runs.domains import Domain
from ls3.runs.methods import find_method
from ls3.runs.provenance import command_line, commits, machine, now, versions
from ls3_common import parameters
from ls3_common.domain import ENVIRONMENT, in_words
from ls3_common.errors import DataError
from ls3_common.files import read_json, write_json
from ls3_models.episodes import Episode, episode_return

DESCRIPTION = "run.json"
"""File that describes the run."""
LOCK = ".lock"
"""File that is locked while a process works on the run."""


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Keep other processes out of a run's directory while the block runs.

    The operating system releases the lock however the process ends.

    Raises:
        DataError: another process holds the lock.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / LOCK).open("a+") as file:
        file.seek(0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(
                f"another process is at work on this run (pid {file.read().strip()})",
                where=str(directory),
                do="wait for it, or give another --run directory",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def section_key(section: str) -> str:
    """Return the key in ``run.json`` and in results of a section of the domain's YAML."""
    return section.removesuffix("_node")


def describe_run(
    directory: Path,
    domain: Domain,
    *,
    name: str,
    method: str,
    seed: int,
    data_hash: str,
    episodes: Sequence[Episode],
) -> None:
    """Write ``run.json``, which has everything that tables and figures say about this run.

    If the run continues, the present commit and processor are added to the earlier ones.

    Args:
        directory: of the run.
        domain: the domain with all changes.
        name: name of the run, see `run_name`.
        method: name of the method.
        seed: seed of the run.
        data_hash: hash of the offline data.
        episodes: the offline data, of which the counts and the demonstrator's mean return are kept.

    Raises:
        DataError: an earlier ``run.json`` is damaged.
    """
    path = directory / DESCRIPTION
    earlier = read_json(path) if path.exists() else {}
    present = machine()
    chosen = find_method(method)
    settings = domain.settings(chosen.kind.sections)
    demonstrations = [e for e in episodes if e.source == "demonstration"]
    returns = [episode_return(e, domain.algorithm.horizon) for e in demonstrations]
    document: dict[str, Any] = {
        "domain": domain.name,
        "name": name,
        "method": method,
        "label": chosen.label,
        "seed": seed,
        "command": command_line(),
        "commit": commits(earlier.get("commit", "")),
        "machine": present,
        "processors": sorted({*processors(earlier), present["cpu"]}),
        "versions": versions(),
        "called": now(),
        "data_hash": data_hash,
        "data_episodes": dict(Counter(e.source for e in episodes)),
        "demonstrator_return": float(np.mean(returns)) if returns else None,
        "domain_spec": parameters.to_dict(domain.spec),
        "variations": dict(domain.variations),
        **{section_key(key): parameters.to_dict(config) for key, config in settings.items()},
        "algorithm": parameters.to_dict(domain.algorithm),
    }
    write_json(path, document)


def processors(description: Mapping[str, Any]) -> list[str]:
    """Return the processors on which a run was at work, by its description or results.

    Older ones name the last machine only.
    """
    if "processors" in description:
        return list(description["processors"])
    return [description["machine"]["cpu"]] if "machine" in description else []


def refuse_other_run(directory: Path, domain: Domain, method: str) -> None:
    """Refuse a directory that is no run of this domain and method, with these variations.

    Raises:
        DataError: there is no run, it is damaged, or it is of another domain, method or variations.
    """
    path = directory / DESCRIPTION
    if not path.exists():
        raise DataError(
            f"no run here: {DESCRIPTION} is expected",
            where=str(directory),
            do="run `ls3 learn` first, or give its directory as --run",
        )
    found = read_json(path)
    for key, ours in (("domain", domain.name), ("method", method)):
        if found.get(key) != ours:
            raise DataError(
                f"this is a run of {key} '{found.get(key)}', not of '{ours}'",
                where=str(directory),
                do=f"give --{key} {found.get(key)}, or another --run",
            )
    theirs = found.get("variations", {})
    if theirs != dict(domain.variations):
        raise DataError(
            f"this run has {in_words(theirs)}, and the domain has {in_words(domain.variations)}",
            where=str(directory),
            do=f"change the section {ENVIRONMENT}, e.g. by --set",
        )
