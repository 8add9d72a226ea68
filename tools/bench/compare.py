"""Compares what online learning costs at two commits, side by side on this machine.

    python tools/bench/compare.py --base REV [--domains navigation pushing] [--rounds 3]

The processes of the two commits take turns, each on one thread, with the same data, models and
seed. What counts is processor time. Plans may differ by rounding, and episodes then take another
course. A row therefore also compares what one step of acting costs, what one update costs, and with
these what a run of 250 episodes costs.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ls3.runs.domains import Domain, load_domain
from ls3.runs.provenance import git_commit, machine
from ls3_common.files import write_json

ROOT = Path(__file__).resolve().parents[2]
ONLINE = Path(__file__).with_name("online.py")
SMALL = ("algorithm.demonstrations=40", "algorithm.random=0", "algorithm.constraint=20")
ACTING = ("plan", "encode_to_act", "environment")
UPDATING = ("head_steps", "value_steps")
RUN_EPISODES = 250


def unpacked(revision: str, directory: Path) -> Path:
    """Write the sources of a commit into `directory`, and return it."""
    command = ["git", "-C", str(ROOT), "archive", revision, "src", "config"]
    content = subprocess.run(command, capture_output=True, check=True).stdout
    directory.mkdir()
    subprocess.run(["tar", "-x", "-C", str(directory)], input=content, check=True)
    return directory


def environment(sources: Path) -> dict[str, str]:
    """Return the variables of a process that imports the packages of these sources."""
    packages = [str(path.parent) for path in sorted(sources.glob("src/*/package.xml"))]
    old = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*packages, old])}


def collected(domain: str, directory: Path) -> Path:
    """Collect a small data set with the present packages."""
    path = directory / domain
    words = [word for text in SMALL for word in ("--set", text)]
    command = ["ls3", "collect", "--domain", domain, "--data", str(path), *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


def measured(sources: Path, words: list[str], program: Path = ONLINE) -> dict[str, Any]:
    """Run a program with the packages of these sources; return the JSON of its last line."""
    command = [sys.executable, str(program), *words]
    done = subprocess.run(
        command, env=environment(sources), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stderr}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def costs(figures: dict[str, Any], domain: Domain, steps: float) -> dict[str, float]:
    """Return seconds of the steps, and of a run whose episodes have `steps` steps.

    The steps are one of acting, and one gradient step of each kind.
    """
    seconds, calls = figures["seconds"], figures["calls"]
    each = {part: seconds[part] / calls[part] for part in ("plan", *UPDATING)}
    step = sum(seconds[part] for part in ACTING) / figures["steps"]
    spent = sum(seconds[part] for part in (*UPDATING, *ACTING))
    episode = (figures["total_s"] - spent) / figures["episodes"] + steps * step
    learner = domain.learner
    update = (
        learner.update_iterations * each["head_steps"]
        + learner.value_update_iterations * each["value_steps"]
    )
    run = RUN_EPISODES * (episode + update / domain.algorithm.trajectories)
    names = {"plan": "plan_s", "head_steps": "head_step_s", "value_steps": "value_step_s"}
    return {
        **{names[part]: value for part, value in each.items()},
        "update_s": update,
        "run_s": run,
    }


def compare(
    domain: Domain, data: Path, sources: dict[str, Path], *, rounds: int, words: list[str]
) -> dict[str, Any]:
    """Measure both sources in turn; return the summary."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in sources}
    for seed in range(rounds):
        for name in list(sources)[:: 1 if seed % 2 else -1]:
            given = [domain.name, str(data), *words, "--seed", str(seed)]
            rows[name].append(measured(sources[name], given))
            print(json.dumps({"source": name, **rows[name][-1]}), flush=True)
    return summary(domain, rows)


def summary(domain: Domain, rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return medians of costs, and of their ratios within a round, of "base" and "new"."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in rows}
    for pair in zip(*rows.values(), strict=True):
        steps = sum(row["steps"] for row in pair) / sum(row["episodes"] for row in pair)
        for name, row in zip(rows, pair, strict=True):
            found[name].append(costs(row, domain, steps))
    base, new = found["base"], found["new"]
    result: dict[str, Any] = {"rounds": len(base)}
    for key in base[0]:
        ratios = [old[key] / now[key] for old, now in zip(base, new, strict=True)]
        result[key] = {
            **{name: statistics.median(row[key] for row in found[name]) for name in rows},
            "ratio": statistics.median(ratios),
            "least_ratio": min(ratios),
            "most_ratio": max(ratios),
        }
    result["parts"] = {
        name: {
            part: statistics.median(row["seconds"].get(part, 0.0) for row in rows[name])
            for part in rows[name][0]["seconds"]
        }
        for name in rows
    }
    result["steps"] = {name: [row["steps"] for row in rows[name]] for name in rows}
    result["success"] = {name: [row["success"] for row in rows[name]] for name in rows}
    return result


def record(path: Path, section: str, figures: dict[str, Any]) -> None:
    """Write a section of results/online_cost.json."""
    document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"metrics": {}}
    document["metrics"][section] = figures
    commands = document.get("commands", {}) | {section: shlex.join(["python", *sys.argv])}
    document |= {
        "name": path.stem,
        "command": " && ".join(commands.values()),
        "commands": commands,
        "commits": document.get("commits", {}) | {section: git_commit()},
        "machines": document.get("machines", {}) | {section: machine()},
    }
    write_json(path, document)


def main() -> None:
    """Run the command, and print the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--base", required=True, help="commit to compare with")
    add("--new", help="the other commit; by default the present sources as they are")
    add("--domains", nargs="+", default=["navigation", "pushing"], help="names of domains")
    add("--rounds", type=int, default=3, help="number of rounds, each with a seed of its own")
    add("--episodes", type=int, default=5, help="episodes of a phase")
    add("--phases", type=int, default=1, help="number of phases")
    add("--set", action="append", default=[], help="SECTION.KEY=VALUE for both, as of `ls3`")
    add("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    words = ["--episodes", str(options.episodes), "--phases", str(options.phases)]
    words += [word for text in options.set for word in ("--set", text)]
    document: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        sources = {"base": unpacked(options.base, directory / "base"), "new": ROOT}
        if options.new:
            sources["new"] = unpacked(options.new, directory / "new")
        for domain in map(load_domain, options.domains):
            data = collected(domain.name, directory / "data")
            document[domain.name] = compare(
                domain, data, sources, rounds=options.rounds, words=words
            )
    if options.out:
        record(options.out, "compare", document | {"commits": [options.base, options.new or "now"]})
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
