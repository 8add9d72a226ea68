"""Reads the files of results, and formats Markdown tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PAPER = ROOT / "src/ls3/ls3/studies/paper.yaml"
DOMAINS = {
    "cable_routing": "cable routing",
    "navigation": "navigation",
    "reacher": "reacher",
    "pushing": "sequential pushing",
}
"""The names of the domains in the tables, in the order of the tables' rows."""


class Results:
    """Reads the files of a directory and remembers which were read.

    Args:
        directory: the folder of the files of results (JSON).
    """

    def __init__(self, directory: Path) -> None:
        self._documents = {
            path.stem: json.loads(path.read_text()) for path in sorted(directory.glob("*.json"))
        }
        self._read: set[str] = set()

    def __call__(self, name: str) -> dict[str, Any]:
        """Return the content of results file `name`.

        Raises:
            KeyError: there is no such file.
        """
        self._read.add(name)
        document: dict[str, Any] = self._documents[name]
        return document

    def named(self, prefix: str) -> list[dict[str, Any]]:
        """Return all results whose name begins with `prefix`, in the order of their names."""
        return [self(name) for name in self._documents if name.startswith(prefix)]

    def measures(self) -> dict[str, dict[str, Any]]:
        """Return the results of shipped models (`ls3 measure`) by domain."""
        return {name: self(name) for name in DOMAINS if name in self._documents}

    def unread(self) -> list[str]:
        """Return the names of the files that were not read."""
        return sorted(set(self._documents) - self._read)


def paper() -> dict[str, Any]:
    """Return the figures of the paper's Tables 1 and 2."""
    document: dict[str, Any] = yaml.safe_load(PAPER.read_text())
    return document


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


def counted(number: int, noun: str) -> str:
    """Format a number with its noun: `3 seeds`, `1 seed`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def origin(results: dict[str, Any]) -> str:
    """Name the machines and commits of the results, and the command that repeats them."""
    commits = results.get("commits") or {"commit": results["commit"]}
    machines = results.get("machines") or dict.fromkeys(commits, results["machine"])
    parts: dict[str, list[str]] = {}
    for part, commit in commits.items():
        machine = f"{machines[part]['cores']} cores of {machines[part]['cpu']}"
        parts.setdefault(machine, []).append(f"{part} {commit}")
    where = " and on ".join(f"{machine} ({', '.join(p)})" for machine, p in parts.items())
    return f"Measured on {where}. `{results['command']}` measures this again."
