"""`make faults`: run or continue the campaign of faults, and write results/faults.json."""

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
from ls3_system_tests.faults.kinds import BY_NAME, FAULTS, Combination, combinations, singles
from ls3_system_tests.faults.processes import LIMITS, isolate

MODULE = "ls3_system_tests.faults"


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__)
    add = parser.add_argument
    add("--combinations", type=int, default=500, help="number of random combinations of 2 or 3")
    add("--seed", type=int, default=0, help="decides the random combinations and times")
    add("--only", nargs="*", help="faults to run, each alone and without combinations")
    add("--out", type=Path, default=Path("results/faults.json"), help="file of the figures")
    add("--work", type=Path, help="folder of rows and logs; default out/faults/seed_SEED")
    return parser.parse_args()


def main() -> int:
    """Run the command; return its exit code."""
    given = arguments()
    try:
        return run(given)
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def run(given: argparse.Namespace) -> int:
    """Run the combinations that are not done yet, and write the results.

    Returns:
        The exit code: 0 if every row passed, 1 if one failed, 130 if the campaign was interrupted.

    Raises:
        UserError: a fault does not exist, the model is missing, the work folder belongs to another
            campaign, or the graph cannot be run.
    """
    wanted = plan(given)
    model = find_shared("models/cable_routing")
    if model is None:
        raise UserError("models/cable_routing is not installed", do="run `make build`")
    identity = load_bundle(model).identity
    work = (given.work or Path("out/faults") / f"seed_{given.seed}").absolute()
    # rows are numbered by the list of faults, so a campaign before another list cannot go on
    settings = {"seed": given.seed, "model": identity, "limits": LIMITS, "faults": list(BY_NAME)}
    check_settings(work / "campaign.json", settings)
    isolate(work, random.SystemRandom().randint(1, 101))
    path = work / "rows.jsonl"
    rows = report.read_rows(path)
    done = {row["index"] for row in rows}
    left = [one for one in wanted if one.index not in done]
    if left:
        rows = run_combinations(work, model, path, rows, left)
    return write(given, rows, identity, complete=len(rows) >= len(wanted))


def run_combinations(
    work: Path, model: Path, path: Path, rows: list[dict], left: list[Combination]
) -> list[dict]:
    """Run the combinations that are `left`, until a signal asks to stop.

    Args:
        work: folder of logs and recorded episodes.
        model: the shipped model.
        path: file of rows; each row is appended as soon as it is known.
        rows: the rows of the earlier combinations.
        left: what to run.

    Returns:
        All rows, the earlier ones included.

    Raises:
        UserError: the graph or the injector does not work, even after a restart.
    """
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
                raise UserError(
                    "the graph does not move the arm, even after a restart",
                    where=str(work),
                    do="read the processes' logs there",
                )
            try:
                row = as_dict(campaign.run(combination))
            except TimeoutError as error:  # from the injector, which is no part of the graph
                do = "run the same command again; the finished rows are kept"
                raise UserError(str(error), where=str(work), do=do) from None
            if stopped():
                break
            report.append_row(path, row)
            rows.append(row)
            progress.advance()
    return rows


def plan(given: argparse.Namespace) -> list[Combination]:
    """List what to run: every fault alone, then the random combinations; or the faults of --only.

    Raises:
        UserError: a fault of --only does not exist.
    """
    alone = singles(given.seed)
    if given.only is None:
        return [*alone, *combinations(given.combinations, given.seed, len(alone))]
    known = {one.name: one for one in alone}
    unknown = [name for name in given.only if name not in known]
    if unknown:
        do = f"the faults are {', '.join(sorted(known))}"
        raise UserError(f"no fault '{unknown[0]}'", where="--only", do=do)
    return [known[name] for name in given.only]


def check_settings(path: Path, settings: dict[str, Any]) -> None:
    """Refuse to continue a campaign that was begun with other settings.

    Args:
        path: the file with the settings; it is written if there is none.
        settings: the present settings.

    Raises:
        UserError: the settings differ; the text names the folder.
    """
    settings = json.loads(json.dumps(settings))
    if path.exists() and read_json(path) != settings:
        raise UserError(
            "the folder holds a campaign with another seed, model, limits or list of faults",
            where=str(path.parent),
            do="delete the folder, or name another one with --work",
        )
    write_json(path, settings)


def write(given: argparse.Namespace, rows: list[dict], identity: str, *, complete: bool) -> int:
    """Write the results file and print the table.

    Args:
        given: the command line.
        rows: the rows of the campaign.
        identity: the hash of the model.
        complete: whether every combination was run.

    Returns:
        The exit code of `run`.
    """
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
        "failures": [row for row in rows if not report.passed(row)],  # rows.jsonl has all rows
    }
    write_json(given.out, document)
    print(report.table(rows))
    if not complete:
        print("interrupted; the same command continues the campaign", file=sys.stderr)
        return 130
    return 0 if all(map(report.passed, rows)) else 1


if __name__ == "__main__":
    sys.exit(main())
