"""Write the generated parts of README.md and docs/, or check that they are current.

Tables of figures come from results/, those of parameters from the sources and config/.

    python tools/document_tables [--check]

A generated part stands between `<!-- generated:NAME begin -->` and `<!-- generated:NAME end -->`.
PARTS names the function that writes each part. Every file of results must appear in a document.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import configuration
import cost
import guard
import judgement
import measured
import reliability
import training
from reading import ROOT, Results

from ls3_common.files import write_text

PARTS: dict[str, Callable[[Results], str]] = {
    "overview": training.overview,
    "rates": training.rates,
    "runs": training.runs,
    "sweeps": training.sweeps,
    "pictures": training.pictures,
    "measures": measured.measures,
    "reliability": reliability.reliability,
    "demonstrations": measured.demonstrations,
    "bench": measured.bench,
    "latency": measured.latency,
    "scaling": measured.scaling,
    "online_cost": cost.online_cost,
    "online_growth": cost.online_growth,
    "judgement": judgement.judgement,
    "frame_guard": guard.frame_guard,
    "faults": measured.faults,
    "faults_by_kind": measured.faults_by_kind,
    "masks": measured.masks,
    "mask_rules": measured.mask_rules,
    "hazards": measured.hazards,
    "configuration": configuration.configuration,
}
MARKED = re.compile(
    r"(?P<begin><!-- generated:(?P<name>\w+) begin -->)\n.*?"
    r"(?P<end><!-- generated:(?P=name) end -->)",
    re.DOTALL,
)


def documents() -> list[Path]:
    """List README.md and every page under docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def filled(text: str, results: Results) -> str:
    """Write every generated part of a document anew, and return the document's text.

    Raises:
        KeyError: the document marks a part that PARTS does not have.
    """

    def part(match: re.Match[str]) -> str:
        return f"{match['begin']}\n{PARTS[match['name']](results)}\n{match['end']}"

    return MARKED.sub(part, text)


def main() -> int:
    """Run the command; return 1 if something differs or is missing."""
    check = "--check" in sys.argv[1:]
    results = Results(ROOT / "results")
    failed = False
    for path in documents():
        before = path.read_text()
        after = filled(before, results)
        if before == after:
            continue
        if check:
            print(f"{path.relative_to(ROOT)} is not current", file=sys.stderr)
            failed = True
        else:
            write_text(path, after)
    for name in results.unread():
        print(f"results/{name}.json appears in no document", file=sys.stderr)
        failed = True
    if failed and check:
        print("run `python tools/document_tables` to rewrite the generated parts", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
