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
        plan = f"{row['plan_ms_median']:.0f} ms" if "plan_ms_median" in row else ""
        lines.append(
            f"| {name} | {row['episodes']} | {row['success_rate']:.0%} | "
            f"{row['violation_rate']:.0%} | {row['mean_steps']:.1f} | {plan} |"
        )
    machine = results["machine"]
    lines += [
        "",
        f"Seeds {results['seeds'][0]} and on, used nowhere else; {machine['cores']} cores of "
        f"{machine['cpu']}. `make results` measures this again.",
    ]
    return "\n".join(lines)


def filled(readme: str) -> str:
    """README with every marked place filled from its results file."""

    def place(match: re.Match[str]) -> str:
        path = ROOT / "results" / f"{match['name']}.json"
        body = table(json.loads(path.read_text())) if path.exists() else ""
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
