"""Files of results, and Markdown tables."""

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
"""The order and the names of the domains in every table."""


class Results:
    """Reads the files of a directory and remembers which were read.

    Args:
        directory: where the files of results (JSON) are.
    """

    def __init__(self, directory: Path) -> None:
        self._documents = {
            path.stem: json.loads(path.read_text()) for path in sorted(directory.glob("*.json"))
        }
        self._read: set[str] = set()

    def __call__(self, name: str) -> dict[str, Any]:
        """The results file `name`.

        Raises:
            KeyError: there is no such file.
        """
        self._read.add(name)
        document: dict[str, Any] = self._documents[name]
        return document

    def named(self, prefix: str) -> list[dict[str, Any]]:
        """All results whose name begins with `prefix`, by name."""
        return [self(name) for name in self._documents if name.startswith(prefix)]

    def measures(self) -> dict[str, dict[str, Any]]:
        """Measures of shipped models (`ls3 measure`) by domain."""
        return {name: self(name) for name in DOMAINS if name in self._documents}

    def unread(self) -> list[str]:
        """Names of the files that nobody has asked for."""
        return sorted(set(self._documents) - self._read)


def paper() -> dict[str, Any]:
    """What the paper reports in Tables 1 and 2."""
    document: dict[str, Any] = yaml.safe_load(PAPER.read_text())
    return document


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


def counted(number: int, noun: str) -> str:
    """`3 seeds`, `1 seed`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def origin(results: dict[str, Any]) -> str:
    """Which machines and commits gave the results, and the command that measures them again."""
    commits = results.get("commits") or {"commit": results["commit"]}
    machines = results.get("machines") or dict.fromkeys(commits, results["machine"])
    parts: dict[str, list[str]] = {}
    for part, commit in commits.items():
        machine = f"{machines[part]['cores']} cores of {machines[part]['cpu']}"
        parts.setdefault(machine, []).append(f"{part} {commit}")
    where = " and on ".join(f"{machine} ({', '.join(p)})" for machine, p in parts.items())
    return f"Measured on {where}. `{results['command']}` measures this again."
