"""Tables and pictures of online learning, with the paper's figures for comparison."""

from __future__ import annotations

from typing import Any

from reading import DOMAINS, ROOT, Results, counted, paper, table

from ls3.studies.ranking import exact_rate, standard_error
from ls3.studies.tables import origin

SWEPT = {
    "delta_constraint": "Constraint threshold delta_C (the paper's figure 7)",
    "delta_safe": "Safe set threshold delta_S (the paper's figure 8)",
    "horizon": "Planning horizon H (the paper's figure 9)",
}


def _runs(results: Results, swept: bool = False) -> list[dict[str, Any]]:
    """Return the training results, or those of sweeps (`+` in the name), by domain."""
    found = [run for run in results.named("training_") if ("+" in run["run_name"]) == swept]
    return sorted(found, key=lambda run: list(DOMAINS).index(run["domain"]))


def _spread(mean: float, error: float) -> str:
    return f"{mean:.3f} ± {error:.3f}"


def _rate(run: dict[str, Any], column: str) -> str:
    """Format a rate with its exact interval, and the error across seeds if there are enough."""
    metrics, key = run["metrics"], f"{column}_rate"
    _, low, high = exact_rate(run, column)
    error = standard_error(metrics, key)
    spread = "" if error is None else f" ± {error:.3f}"
    return f"{metrics[key]:.3f}{spread} [{low:.3f}, {high:.3f}]"


def _printed(document: dict[str, Any], rate: str, domain: str, method: str) -> str:
    """Format a cell of the paper's Table 1 or 2."""
    cell = document["tables"][rate]["cells"].get(domain, {}).get(method)
    return _spread(*cell) if cell else "-"


def _extent(metrics: dict[str, Any]) -> tuple[str, str]:
    """Return the numbers of seeds and of episodes of a run."""
    missing = "" if metrics["complete"] else f" of {metrics['episodes_planned']}"
    return str(len(metrics["seeds"])), f"{metrics['episodes']}{missing}"


def _search(planner: dict[str, Any], profile: str) -> str:
    """Format the planner's search: its kind, and candidates x particles x iterations."""
    sizes = (planner[f"{profile}.{key}"] for key in ("candidates", "particles", "iterations"))
    # older files lack `search`: there was only one kind, and `paper` has no other
    kind = planner.get("search", "cem") if profile != "paper" else "cem"
    return f"{kind} {' x '.join(str(size) for size in sizes)}"


def overview(results: Results) -> str:
    """Write the table of LS3 on each domain, with the paper's figures in brackets."""
    document = paper()
    head = ("", "seeds", "episodes", "success", "violations", "last 20", "demonstrator", "search")
    rows, worse, profiles = [], [], set()
    for run in _runs(results):
        if run["run_name"] != "ls3":
            continue
        metrics, planner, domain = run["metrics"], run["planner"], run["domain"]
        profiles.add(f"`{planner['profile']}`")
        if metrics["return_last_20"] < metrics["demonstrator_return"]:
            worse.append(DOMAINS[domain])
        rows.append(
            (
                DOMAINS[domain],
                *_extent(metrics),
                f"{_rate(run, 'success')} ({_printed(document, 'success_rate', domain, 'ls3')})",
                f"{_rate(run, 'violation')} "
                f"({_printed(document, 'violation_rate', domain, 'ls3')})",
                f"{metrics['return_last_20']:.1f}",
                f"{metrics['demonstrator_return']:.1f}",
                f"{_search(planner, planner['profile'])} ({_search(planner, 'paper')})",
            )
        )
    lines = [
        table(head, rows),
        "",
        "LS3 during online learning; the paper's values in parentheses. Rates cover all training "
        "episodes; ± is the standard error across three seeds or more, and brackets hold the exact "
        "95 % interval of all episodes. "
        "“Last 20” is the mean return of each seed's last 20 episodes, “demonstrator” the return "
        "of the demonstrations. “Search” is candidates x particles x iterations per plan; the runs "
        f"here use the profile {' and '.join(sorted(profiles))}.",
    ]
    if worse:
        lines.append(
            f"In {' and '.join(worse)}, the last 20 episodes return less than the demonstrations."
        )
    return "\n".join(lines)


def rates(results: Results) -> str:
    """Write the table of all methods that were run here or that the paper reports."""
    document = paper()
    methods = document["methods"]
    known = {(run["domain"], run["run_name"]): run for run in _runs(results)}
    head = ("", "seeds", "episodes", "success", "paper", "violations", "paper")
    rows = []
    for domain, name in DOMAINS.items():
        printed = document["tables"]["success_rate"]["cells"].get(domain, {})
        others = [key for of, key in known if of == domain and key not in methods]
        for method in (*methods, *others):
            run = known.get((domain, method))
            if run is None and method not in printed:
                continue
            label = run["label"] if run else methods[method]
            here = ["-"] * 4
            if run:
                metrics = run["metrics"]
                here = [
                    *_extent(metrics),
                    _rate(run, "success"),
                    _rate(run, "violation"),
                ]
            rows.append(
                (
                    f"{name}, {label}",
                    *here[:3],
                    _printed(document, "success_rate", domain, method),
                    here[3],
                    _printed(document, "violation_rate", domain, method),
                )
            )
    return table(head, rows)


def _interval(metrics: dict[str, Any], key: str) -> str:
    low, high = metrics[f"{key}_interval"]
    return f"{metrics[key]:.1f} [{low:.1f}, {high:.1f}]"


def runs(results: Results) -> str:
    """Write the table of every run's returns and settings."""
    head = ("", "return, all", "return, last 20", "demonstrator", "search", "additions", "commit")
    rows = []
    for run in _runs(results):
        metrics = run["metrics"]
        search, additions = "none", "none"
        if "planner" in run:
            planner, learner = run["planner"], run["learner"]
            search = f"`{planner['profile']}`: {_search(planner, planner['profile'])}"
            # older files lack these parameters, which did not exist; their effect is that of 0
            additions = ", ".join(
                f"{name} {value:g}"
                for name, key in (("noise", "head_noise"), ("imagined", "imagined_weight"))
                if (value := learner.get(key) or 0.0)
            )
        rows.append(
            (
                f"{DOMAINS[run['domain']]}, {run['label']}",
                _interval(metrics, "mean_return"),
                _interval(metrics, "return_last_20"),
                f"{metrics['demonstrator_return']:.1f}",
                search,
                additions or "none",
                origin(run),
            )
        )
    return table(head, rows)


def sweeps(results: Results) -> str:
    """Write the table of runs that differ from a domain's settings in one parameter."""
    head = ("", "changed", "seeds", "episodes", "success", "violations", "return, last 20")
    rows = []
    for run in _runs(results, swept=True):
        metrics = run["metrics"]
        rows.append(
            (
                f"{DOMAINS[run['domain']]}, {run['label']}",
                f"`{run['run_name'].partition('+')[2]}`",
                *_extent(metrics),
                _rate(run, "success"),
                _rate(run, "violation"),
                f"{metrics['return_last_20']:.1f}",
            )
        )
    return table(head, rows) if rows else "No sweep has been run."


def pictures(results: Results) -> str:
    """Write every picture that `ls3 report` has drawn, with its seeds and episodes."""
    lines = []
    for domain, name in DOMAINS.items():
        of = [run for run in _runs(results) if run["domain"] == domain]
        trained = ", ".join(
            f"{run['label']} ({counted(len(run['metrics']['seeds']), 'seed')}, "
            f"{counted(run['metrics']['episodes'], 'episode')})"
            for run in of
        )
        captions = {
            f"curves_{domain}": f"Learning curves: {trained}",
            f"maps_{domain}": "What the model predicts at every point of the plane",
            f"checkpoints_{domain}": "Greedy rollouts of the policies on the way (figure 6)",
            f"decoded_{domain}": "A demonstration, above its frames decoded from latents",
        }
        for key, title in SWEPT.items():
            values = sorted(
                run["planner"][key]
                for run in _runs(results, swept=True)
                if run["domain"] == domain and f"+{key}=" in run["run_name"]
            )
            listed = ", ".join(f"{value:g}" for value in values)
            captions[f"sweep_{domain}_{key}"] = f"{title}: {listed} and the domain's own value"
        lines.append(f"### {name.capitalize()}")
        for key, caption in captions.items():
            if (ROOT / f"docs/media/report_{key}.png").exists():
                lines.append(f"![{name}: {key}](media/report_{key}.png)\n\n*{caption}.*\n")
    return "\n".join(lines).rstrip()
