#!/usr/bin/env python3
"""Write the tables of README.md from results/*.json; `--check` says whether they are up to date."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
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
        f"{machine['cpu']}. `make results` measures this again.",
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


def filled(readme: str) -> str:
    """README with every marked place filled from its results file."""

    def place(match: re.Match[str]) -> str:
        path = ROOT / "results" / f"{match['name']}.json"
        write = bench_table if match["name"].startswith("bench") else table
        body = write(json.loads(path.read_text())) if path.exists() else ""
        return f"{match['begin']}\n{body}\n{match['end']}" if body else match[0]

    pattern = (
        r"(?P<begin><!-- results:(?P<name>\w+) begin -->)\n.*?"
        r"(?P<end><!-- results:(?P=name) end -->)"
    )
    return re.sub(pattern, place, readme, flags=re.DOTALL)


def main() -> int:
    path = ROOT / "README.md"
    before = path.read_text()
    after = filled(before)
    if "--check" in sys.argv[1:]:
        if before != after:
            print("README.md differs from results/: run `make results`", file=sys.stderr)
        return int(before != after)
    path.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
