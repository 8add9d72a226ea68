"""The file of a campaign's rows, and the figures and the table made of the rows."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ls3_common import files
from ls3_system_tests.faults.kinds import BY_NAME, CONTROL, HOLD, NOTHING

ALLOWED_MS = 200.0
"""Longest time allowed until the arm is held."""


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a campaign; remove an incomplete last line, which an interruption can leave.

    Raises:
        DataError: the file cannot be read, or another line is damaged.
    """
    if not path.exists():
        return []
    content = files.read_bytes(path)
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        files.write_bytes(path, whole)
    return files.read_rows(path, do="delete the file to begin a new campaign")


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Append a row to the file."""
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def hold(row: dict[str, Any]) -> float | None:
    """Return a row's hold time (ms), infinity if the hold never came; None if none was demanded."""
    value = row["hold_ms"]
    if value is None:
        return None
    return math.inf if value == "never" else float(value)


def passed(row: dict[str, Any]) -> bool:
    """Return whether nothing went wrong in a row."""
    wrong = row["violations"] or row["hangs"] or row["unreadable"] or not row["recovered"]
    return not wrong and (hold(row) or 0.0) <= ALLOWED_MS


def told_to_hold(row: dict[str, Any]) -> bool:
    """Return whether all faults that count in this row demand a hold, and the time was measured."""
    faults = [BY_NAME[name] for name in row["faults"] if name in BY_NAME]
    demands = {fault.demands for fault in faults} - {NOTHING}
    return demands == {HOLD} and row["hold_ms"] is not None


def _finite(rows: Iterable[dict[str, Any]]) -> list[float]:
    holds = [value for row in rows if (value := hold(row)) is not None]
    return [value for value in holds if math.isfinite(value)]


def metrics(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Compute the figures of results/faults.json."""
    holds = [row for row in rows if row["hold_ms"] is not None]
    finite = _finite(rows)
    sent = _finite(row for row in rows if told_to_hold(row))
    rests = [row["rest_ms"] for row in rows if row["rest_ms"] is not None]
    return {
        "combinations": sum(len(row["faults"]) > 1 for row in rows),
        "faults": sum(name != CONTROL.name for row in rows for name in row["faults"]),
        "rows": len(rows),
        "limit_violations": sum(len(row["violations"]) for row in rows),
        "hold_ms_median": round(statistics.median(finite), 1) if finite else None,
        "hold_ms_max": round(max(finite), 1) if finite else None,
        "hold_sent_ms_median": round(statistics.median(sent), 1) if sent else None,
        "hold_sent_ms_max": round(max(sent), 1) if sent else None,
        "holds_measured": len(finite),
        "holds_over_200_ms": sum(value > ALLOWED_MS for value in finite),
        "holds_missing": len(holds) - len(finite),
        "rest_ms_max": max(rests, default=None),
        "hangs": sum(len(row["hangs"]) for row in rows),
        "episodes_read": sum(row["episodes"] for row in rows),
        "unreadable_episodes": sum(len(row["unreadable"]) for row in rows),
        "recovered": sum(row["recovered"] for row in rows),
        "recovered_anew": sum(bool(row.get("recovered_anew")) for row in rows),
        "failed": [row["index"] for row in rows if not passed(row)],
    }


def by_fault(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sum up each fault: its rows in all, and its reaction when it occurred alone."""
    counts = Counter(name for row in rows for name in row["faults"])
    bad = Counter(name for row in rows if not passed(row) for name in row["faults"])
    alone = {row["faults"][0]: row for row in rows if len(row["faults"]) == 1}
    return [
        {
            "fault": name,
            "rows": count,
            "rows_failed": bad[name],
            "moves_alone": alone[name]["moves"] if name in alone else None,
            "hold_ms_alone": alone[name]["hold_ms"] if name in alone else None,
            "recover_s_alone": alone[name]["recover_s"] if name in alone else None,
        }
        for name, count in counts.items()
    ]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Format the figures for the terminal."""
    lines = [f"{'fault':22}{'rows':>6}{'failed':>8}{'moves':>7}{'hold, ms':>10}{'recovery, s':>13}"]
    for one in by_fault(rows):
        keys = ("rows", "rows_failed", "moves_alone", "hold_ms_alone", "recover_s_alone")
        cells = [one[key] for key in keys]
        texts = ["-" if cell is None else str(cell) for cell in cells]
        lines.append(
            f"{one['fault']:22}{texts[0]:>6}{texts[1]:>8}{texts[2]:>7}{texts[3]:>10}{texts[4]:>13}"
        )
    lines.append("")
    lines += [f"{name}: {value}" for name, value in metrics(rows).items()]
    for row in rows:
        if not passed(row):
            why = [*row["violations"][:3], *row["hangs"], *row["unreadable"]]
            why += [] if row["recovered"] else ["the arm did not move again"]
            why += [] if (hold(row) or 0) <= ALLOWED_MS else [f"held after {row['hold_ms']} ms"]
            lines.append(f"row {row['index']}, {' + '.join(row['faults'])}: {'; '.join(why)}")
    return "\n".join(lines)
