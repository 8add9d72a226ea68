"""`make faults`: run the campaign, or go on with it, and write results/faults.json."""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import sys
from pathlib import Path
from typing import Any

from ls3.runs.provenance import machine
from ls3_common.errors import UserError
from ls3_common.files import read_json, write_json
from ls3_common.progress import StopRequest, bar
from ls3_common.shared import find_shared
from ls3_models.bundle import load_bundle
from ls3_system_tests.faults import report
from ls3_system_tests.faults.campaign import Campaign, as_dict
from ls3_system_tests.faults.kinds import FAULTS, Combination, combinations, singles
from ls3_system_tests.faults.processes import LIMITS, isolate

MODULE = "ls3_system_tests.faults"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__)
    parser.add_argument("--combinations", type=int, default=500, help="random ones, of 2 or 3")
    parser.add_argument("--seed", type=int, default=0, help="decides what is drawn")
    parser.add_argument("--only", nargs="*", help="these faults, each alone, and no combinations")
    parser.add_argument("--out", type=Path, default=Path("results/faults.json"))
    parser.add_argument("--work", type=Path, help="of rows and logs; default out/faults/seed_SEED")
    return parser.parse_args()


def main() -> int:
    """Returns 1 where something went wrong, 130 where it was interrupted."""
    given = arguments()
    try:
        return run(given)
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def run(given: argparse.Namespace) -> int:
    wanted = plan(given)
    model = find_shared("models/cable_routing")
    if model is None:
        raise UserError("models/cable_routing is not installed")
    identity = load_bundle(model).identity
    work = (given.work or Path("out/faults") / f"seed_{given.seed}").absolute()
    keep_apart(work / "campaign.json", {"seed": given.seed, "model": identity, "limits": LIMITS})
    isolate(work, random.SystemRandom().randint(1, 101))
    path = work / "rows.jsonl"
    rows = report.read_rows(path)
    done = {row["index"] for row in rows}
    left = [one for one in wanted if one.index not in done]
    if left:
        rows = go_on(work, model, path, rows, left)
    return write(given, rows, identity, complete=len(rows) >= len(wanted))


def go_on(
    work: Path, model: Path, path: Path, rows: list[dict], left: list[Combination]
) -> list[dict]:
    """Run what is left, each row written as it comes; all rows."""
    rows, before = list(rows), len(rows)
    stop = StopRequest()

    def stopped() -> bool:
        return stop.requested

    with (
        stop,
        Campaign(work, model, stopped) as campaign,
        bar("faults", before + len(left), before) as progress,
    ):
        for combination in left:
            if stopped():
                break
            if not campaign.ready():
                if stopped():
                    break
                raise UserError("the graph does not move the arm", where=str(work))
            try:
                row = as_dict(campaign.run(combination))
            except TimeoutError as error:  # of the injector, which is no part of the graph
                raise UserError(str(error), where=str(work), do="call it again") from None
            if stopped():
                break
            report.append_row(path, row)
            rows.append(row)
            progress.advance()
    return rows


def plan(given: argparse.Namespace) -> list[Combination]:
    """Every fault alone, then the random combinations.

    Raises:
        UserError: a fault that does not exist.
    """
    alone = singles(given.seed)
    if given.only is None:
        return [*alone, *combinations(given.combinations, given.seed, len(alone))]
    known = {one.name: one for one in alone}
    unknown = [name for name in given.only if name not in known]
    if unknown:
        raise UserError(f"no fault '{unknown[0]}'", do=f"faults: {', '.join(sorted(known))}")
    return [known[name] for name in given.only]


def keep_apart(path: Path, settings: dict[str, Any]) -> None:
    """Refuse to go on with rows that were made under other settings.

    Raises:
        UserError: names the directory.
    """
    settings = json.loads(json.dumps(settings))
    if path.exists() and read_json(path) != settings:
        raise UserError(
            "a campaign with another seed, model or limits was begun here",
            where=str(path.parent),
            do="delete that directory, or name another with --work",
        )
    write_json(path, settings)


def write(given: argparse.Namespace, rows: list[dict], identity: str, *, complete: bool) -> int:
    rows = sorted(rows, key=lambda row: row["index"])
    words = ["--only", *given.only] if given.only is not None else []
    words = words or ["--combinations", str(given.combinations)]
    words += ["--seed", str(given.seed)]
    document = {
        "name": "faults",
        "command": shlex.join(["python", "-m", MODULE, *words]),
        "commit": ", ".join(sorted({row["commit"] for row in rows})),
        "machine": {**machine(), "load": round(os.getloadavg()[1], 1)},
        "model": identity,
        "seed": given.seed,
        "kinds": len(FAULTS),
        "limits": LIMITS,
        "complete": complete,
        "metrics": report.metrics(rows) if rows else {},
        "by_fault": report.by_fault(rows),
        "failures": [row for row in rows if not report.passed(row)],  # all: rows.jsonl in --work
    }
    write_json(given.out, document)
    print(report.table(rows))
    if not complete:
        print("interrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0 if all(map(report.passed, rows)) else 1


if __name__ == "__main__":
    sys.exit(main())
