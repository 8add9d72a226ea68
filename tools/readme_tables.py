#!/usr/bin/env python3
"""Write the tables of README.md and docs from results/*.json; `--check`: are they up to date?"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAPER = ROOT / "src/ls3/paper/results.yaml"
DOCUMENTS = ("README.md", "docs/robot.md")
ROWS = {
    "ros": "LS3 through the ROS graph, `realtime`",
    "in_process": "LS3 in process, `realtime`",
    "in_process_paper_profile": "LS3 in process, `paper` (Table 3)",
    "no_safe_set": "LS3 (-Safe Set) in process, `realtime`",
    "demonstrator": "demonstrator alone",
}


def table(results: dict[str, Any]) -> str:
    """The measured rows of one domain as Markdown."""
    lines = [
        "| | episodes | success | violations | steps to the goal | plan, median |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for key, name in ROWS.items():
        row = results["metrics"].get(key)
        if row is None:
            continue
        steps = "-" if row["mean_steps"] is None else f"{row['mean_steps']:.1f}"
        plan = f"{row['plan_ms_median']:.0f} ms" if "plan_ms_median" in row else ""
        lines.append(
            f"| {name} | {row['episodes']} | {row['success_rate']:.0%} | "
            f"{row['violation_rate']:.0%} | {steps} | {plan} |"
        )
    machine = results["machine"]
    lines += [
        "",
        f"Seeds {results['seeds'][0]} and on, used nowhere else; {machine['cores']} cores of "
        f"{machine['cpu']}. `{results['command']}` measures this again.",
    ]
    return "\n".join(lines)


def bench_table(results: dict[str, Any]) -> str:
    """The measured speeds of one device as Markdown."""
    metrics, machine = results["metrics"], results["machine"]
    plans = metrics["plans"]
    lines = [
        "| domain, profile | plain loop | LS3 | ratio, range | plans per s | equal elites |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for key, row in plans.items():
        if "." not in key:
            continue
        ratio = row["ratio"]
        cells = (
            key.replace(".", ", ").replace("_", " "),
            f"{row['reference_s']['median']:.2f} s",
            f"{row['fast_s']['median']:.2f} s",
            f"**{ratio['median']:.1f}**, {ratio['least']:.1f} to {ratio['most']:.1f}",
            f"{row['plans_per_s']:.1f}",
            f"{row['elite_agreement_first_iteration']:.1%}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    if training := metrics.get("training"):
        ratio = training["vae_step_ratio_spread"]
        lines.append(
            f"A training step of the VAE is {training['vae_step_ratio']:.1f} times as fast as a "
            f"plainly written one ({ratio[0]:.1f} to {ratio[1]:.1f}); the steps of the cable "
            f"domain's offline training add up to {training['offline_minutes_from_steps']:.0f} "
            "minutes."
        )
    if graph := metrics.get("graph"):
        lines.append(
            "From a frame's stamp to the arm's command, without the solver: "
            f"{graph['graph_overhead_ms_median']:.1f} ms median, "
            f"{graph['graph_overhead_ms_p99']:.1f} ms at the 99th percentile of "
            f"{graph['steps']} steps."
        )
    lines.append(f"{machine['cores']} cores of {machine['cpu']}. `make bench` measures this again.")
    return "\n".join(lines)


def faults_text(results: dict[str, Any]) -> str:
    """The fault campaign in a sentence each for what held and what did not."""
    metrics = results["metrics"]
    again = metrics["recovered_anew"]
    anew = f", and with the graph begun anew in {again} more" if again else ""
    return (
        f"{metrics['rows']} rows of faults, {metrics['combinations']} of them seeded combinations: "
        f"{metrics['limit_violations']} commands outside a limit, {metrics['hangs']} hangs, "
        f"{metrics['unreadable_episodes']} of {metrics['episodes_read']} episodes unreadable. "
        f"The arm was held after {metrics['hold_ms_median']:.0f} ms at the median, "
        f"{metrics['hold_ms_max']:.0f} at most ({metrics['holds_over_200_ms']} of "
        f"{metrics['holds_measured']} over 200 ms); where `arm_node` itself must send the hold, "
        f"{metrics['hold_sent_ms_median']:.0f} and {metrics['hold_sent_ms_max']:.0f} ms. "
        "After re-arming the task went on in "
        f"{metrics['recovered']} of {metrics['rows']}{anew}. `make faults` measures this again."
    )


def masks_text(results: dict[str, Any]) -> str:
    """How far goal and contacts by mask agree with the truth."""
    metrics = results["metrics"]
    contacts = metrics["cable_contacts"] + metrics["tool_contacts"]
    seen = metrics["cable_contacts_seen"] + metrics["tool_contacts_seen"]
    return (
        f"By mask {seen} of {contacts} contacts and {metrics['goals_seen']} of {metrics['goals']} "
        f"arrivals at the goal are seen ({metrics['episodes']} simulated episodes, a third each "
        f"nominal, randomised and with a noisy camera); {metrics['contacts_false']} of "
        f"{metrics['frames']} frames are taken for a contact that is none, "
        f"{metrics['contacts_false_near']} of them close to the obstacle. "
        f"`{results['command']}` measures this again."
    )


def demonstrations_text(results: dict[str, Any]) -> str:
    """What training from bags alone comes to."""
    data, metrics = results["data"], results["metrics"]
    sources = data["sources"]
    steps = "" if metrics["mean_steps"] is None else f" in {metrics['mean_steps']:.1f} steps"
    return (
        f"Trained from {data['bags']} bags alone ({sources['demonstration']} demonstrations, "
        f"{sources['random']} random episodes, {sources['constraint']} that go for the obstacle), "
        f"{metrics['success_rate']:.0%} of {metrics['episodes']} episodes reach the goal{steps}, "
        f"{metrics['violation_rate']:.0%} violate. `make demonstrations` measures this again."
    )


def training_table() -> str:
    """Rates over all online episodes, and the paper's: a row for each method, sweeps left out."""
    paper = yaml.safe_load(PAPER.read_text())
    rows = []
    for path in sorted((ROOT / "results").glob("training_*.json")):
        results = json.loads(path.read_text())
        if "+" in results["run_name"]:
            continue
        metrics, domain, method = results["metrics"], results["domain"], results["method"]
        cells = [f"{domain.replace('_', ' ')}, {results['label']}"]
        missing = "" if metrics["complete"] else f" of {metrics['episodes_planned']}"
        cells += [str(len(metrics["seeds"])), f"{metrics['episodes']}{missing}"]
        for rate, error in (("success_rate", "success_se"), ("violation_rate", "violation_se")):
            printed = paper["tables"][rate]["cells"].get(domain, {}).get(method)
            beside = f" ({printed[0]:.3f} ± {printed[1]:.3f})" if printed else ""
            cells.append(f"{metrics[rate]:.3f} ± {metrics[error]:.3f}{beside}")
        cells += [f"{metrics['return_last_20']:.1f}", f"{metrics['demonstrator_return']:.1f}"]
        rows.append(f"| {' | '.join(cells)} |")
    head = "| | seeds | episodes | success | violations | return, last 20 | demonstrator |"
    rule = "| --- | --- | --- | --- | --- | --- | --- |"
    return "\n".join((head, rule, *rows)) if rows else ""


WRITERS = {
    "faults": faults_text,
    "masks": masks_text,
    "bench": bench_table,
    "demonstrations": demonstrations_text,
}
"""By the first word of a result's name; `table` for all others."""


def filled(text: str) -> str:
    """A document with every marked place filled from its results file."""

    def place(match: re.Match[str]) -> str:
        if match["name"] == "training":
            return f"{match['begin']}\n{training_table()}\n{match['end']}"
        path = ROOT / "results" / f"{match['name']}.json"
        write = WRITERS.get(match["name"].split("_")[0], table)
        body = write(json.loads(path.read_text())) if path.exists() else ""
        return f"{match['begin']}\n{body}\n{match['end']}" if body else match[0]

    pattern = (
        r"(?P<begin><!-- results:(?P<name>\w+) begin -->)\n.*?"
        r"(?P<end><!-- results:(?P=name) end -->)"
    )
    return re.sub(pattern, place, text, flags=re.DOTALL)


def main() -> int:
    late = False
    for name in DOCUMENTS:
        path = ROOT / name
        before = path.read_text()
        after = filled(before)
        if "--check" not in sys.argv[1:]:
            path.write_text(after)
        elif before != after:
            print(f"{name} differs from results/: run `make results`", file=sys.stderr)
            late = True
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
