"""The table of executed plans that fresh particles judged, from results/judgement.json."""

from __future__ import annotations

from typing import Any

from reading import DOMAINS, Results, origin, table


def judgement(results: Results) -> str:
    """Write how many executed plans meet (5) and (6), at two commits."""
    document = results("judgement")
    head = ("", "commit", "plans", "holds", "relaxed", "meet (5)", "meet (6)", "both", "success")
    rows = []
    for domain in filter(document["metrics"].__contains__, DOMAINS):
        found = document["metrics"][domain]
        commits = {"base": found["base_commit"], "now": document["commits"][domain]}
        for which, commit in commits.items():
            if which in found:
                rows.append(_row(DOMAINS[domain], commit, found[which]))
    shares = [document["metrics"][domain]["now"]["judge_share"] for domain in document["metrics"]]
    note = (
        f"The judgement takes {100 * min(shares):.0f} to {100 * max(shares):.0f} % of a plan's "
        "processor time."
    )
    return f"{table(head, rows)}\n\n{note} {origin(document)}"


def _row(domain: str, commit: str, found: dict[str, Any]) -> tuple[str, ...]:
    low, high = found["meet_both_share"]["interval"]
    return (
        domain,
        commit,
        str(found["plans"]),
        str(found["holds"]),
        str(found["relaxed"]),
        *(f"{100 * found[f'meet_{which}_share']['share']:.1f} %" for which in "56"),
        f"{100 * found['meet_both_share']['share']:.1f} % [{100 * low:.1f}, {100 * high:.1f}]",
        f"{found['successes']} of {found['episodes']}",
    )
