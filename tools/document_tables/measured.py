"""Tables and sentences of all measurements other than online learning."""

from __future__ import annotations

from typing import Any

from reading import DOMAINS, ROOT, Results, counted, origin, table

MEASURES = {
    "ros": "LS3 through the ROS graph, `realtime`",
    "in_process": "LS3 in process, `realtime`",
    "in_process_paper_profile": "LS3 in process, `paper` (Table 3)",
    "no_safe_set": "LS3 (−Safe Set) in process, `realtime`",
    "demonstrator": "demonstrator alone",
}
HOPS = {
    "render": "the simulation draws the frame (not in the sum)",
    "segmentation": "`segmentation_node`",
    "encoder": "`encoder_node`",
    "step_request": "`episode_node` asks for a plan, while the encoder works",
    "planner": "`planner_node`, without the search itself",
    "arm": "`arm_node`",
    "receipt": "the command is received",
}
RULES = {
    "cable_on_obstacle": "cable on the obstacle",
    "cable_on_rim": "cable on the obstacle or its rim (`rim_pixels: 0`)",
    "anything_on_rim": "any change on the obstacle or its rim (as shipped)",
}


def measures(results: Results) -> str:
    """Write the tables of each shipped model on seeds that training did not use."""
    head = ("", "episodes", "success", "violations", "steps to the goal", "holds", "plan, median")
    parts = []
    for domain, measured in results.measures().items():
        rows = []
        for key, name in MEASURES.items():
            if key not in measured["metrics"]:
                continue
            row = measured["metrics"][key]
            rows.append(
                (
                    name,
                    str(row["episodes"]),
                    f"{row['success_rate']:.0%}",
                    f"{row['violation_rate']:.0%}",
                    "-" if row["mean_steps"] is None else f"{row['mean_steps']:.1f}",
                    str(row.get("holds", "-")),
                    f"{row['plan_ms_median']:.0f} ms" if "plan_ms_median" in row else "-",
                )
            )
        first, last = measured["seeds"]
        parts.append(
            f"### {DOMAINS[domain].capitalize()}\n{table(head, rows)}\n\n"
            f"Seeds {first} to {last}. {origin(measured)}"
        )
    return "\n\n".join(parts)


def demonstrations(results: Results) -> str:
    """Write the result of training from recorded bags alone."""
    measured = results("demonstrations")
    data, metrics = measured["data"], measured["metrics"]
    sources = data["sources"]
    steps = "" if metrics["mean_steps"] is None else f" in {metrics['mean_steps']:.1f} steps"
    return (
        f"The model was trained from {counted(data['bags'], 'bag')} alone: "
        f"{counted(sources['demonstration'], 'demonstration')}, "
        f"{counted(sources['random'], 'random episode')} and "
        f"{counted(sources['constraint'], 'episode')} that steer into the obstacle. "
        f"Of {counted(metrics['episodes'], 'evaluation episode')}, {metrics['success_rate']:.0%} "
        f"reach the goal{steps} and {metrics['violation_rate']:.0%} violate the constraint. "
        "`make demonstrations` measures this again."
    )


def bench(results: Results) -> str:
    """Write the times of plans, training steps and the graph on every measured device."""
    head = ("domain, profile", "plain loop", "LS3", "ratio, range", "plans per s", "equal elites")
    parts = []
    for measured in results.named("bench_"):
        metrics = measured["metrics"]
        rows = []
        for key, row in metrics["plans"].items():
            domain, _, profile = key.partition(".")
            if not profile:
                continue
            ratio = row["ratio"]
            rows.append(
                (
                    f"{DOMAINS[domain]}, `{profile}`",
                    f"{row['reference_s']['median']:.2f} s",
                    f"{row['fast_s']['median']:.2f} s",
                    f"**{ratio['median']:.1f}**, {ratio['least']:.1f} to {ratio['most']:.1f}",
                    f"{row['plans_per_s']:.1f}",
                    f"{row['elite_agreement_first_iteration']:.1%}",
                )
            )
        lines = [table(head, rows), ""]
        if training := metrics.get("training"):
            vae, heads = (1000 * training[f"{step}_step_s"]["median"] for step in ("vae", "heads"))
            ratio = training["heads_step_ratio"]
            lines.append(
                "In the offline training of cable routing, a step of the VAE on "
                f"{training['vae_batch_size']} images takes {vae:.0f} ms. A step of the dynamics "
                f"and all heads takes {heads:.0f} ms: stacked ensembles are "
                f"{ratio['median']:.1f} times as fast as one network after the other "
                f"({ratio['p10']:.1f} to {ratio['p90']:.1f}). All steps add up to "
                f"{training['offline_minutes_from_steps']:.0f} minutes."
            )
        if graph := metrics.get("graph"):
            lines.append(
                "From the publication of a frame to the arm's command, the graph adds "
                f"{graph['graph_overhead_ms_median']:.1f} ms to the search at the median and "
                f"{graph['graph_overhead_ms_p99']:.1f} ms at the 99th percentile of "
                f"{graph['steps']} steps."
            )
        lines.append(origin(measured))
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def latency(results: Results) -> str:
    """Write the table of the time that each hop takes between a frame and the command."""
    graph = results("bench_cpu")["metrics"]["graph"]
    rows = [
        (name, f"{graph[f'hop_{key}_ms_median']:.1f}", f"{graph[f'hop_{key}_ms_p99']:.1f}")
        for key, name in HOPS.items()
    ]
    total = ("graph_overhead_ms_median", "graph_overhead_ms_p99")
    overhead = [f"**{graph[key]:.1f}**" for key in total]
    return table(
        ("hop", "median, ms", "99th percentile, ms"), [*rows, ("**frame to command**", *overhead)]
    )


def scaling(results: Results) -> str:
    """Write the table of the exponents with which plan time grows."""
    exponents = results("bench_cpu")["metrics"]["scaling"]["exponents"]
    return table(tuple(exponents), [[f"{value:.2f}" for value in exponents.values()]])


def faults(results: Results) -> str:
    """Write the results of the campaign of faults."""
    metrics = results("faults")["metrics"]
    again = metrics["recovered_anew"]
    restarted = f", and in {again} more after the whole graph was started again" if again else ""
    return (
        f"The campaign has {metrics['rows']} cases, {metrics['combinations']} of which are seeded "
        f"combinations of faults. There were {counted(metrics['limit_violations'], 'command')} "
        f"outside a limit, {counted(metrics['hangs'], 'hang')}, and "
        f"{metrics['unreadable_episodes']} unreadable files of {metrics['episodes_read']} episode "
        f"files. The arm was held after {metrics['hold_ms_median']:.0f} ms at the median and "
        f"{metrics['hold_ms_max']:.0f} ms at most; {metrics['holds_over_200_ms']} of "
        f"{metrics['holds_measured']} holds took more than 200 ms. Where `arm_node` itself must "
        f"send the hold, the median was {metrics['hold_sent_ms_median']:.0f} ms and the maximum "
        f"{metrics['hold_sent_ms_max']:.0f} ms. After re-arming, the task went on in "
        f"{metrics['recovered']} of {metrics['rows']} cases{restarted}. "
        "`make faults` measures this again."
    )


def faults_by_kind(results: Results) -> str:
    """Write the table of every fault: its cases, and the reaction when it occurred alone."""
    head = ("fault", "cases", "failed", "moves after it", "held after, ms", "recovered after, s")
    rows = [
        (
            f"`{row['fault']}`",
            str(row["rows"]),
            str(row["rows_failed"]),
            _figure(row["moves_alone"]),
            _figure(row["hold_ms_alone"]),
            _figure(row["recover_s_alone"]),
        )
        for row in results("faults")["by_fault"]
    ]
    return table(head, rows)


def _figure(value: Any) -> str:
    return "-" if value is None else str(value)


def masks(results: Results) -> str:
    """Write how far success and contact by colour agree with the simulator's truth."""
    measured = results("masks")
    metrics = measured["metrics"]
    contacts = metrics["cable_contacts"] + metrics["tool_contacts"]
    seen = metrics["cable_contacts_seen"] + metrics["tool_contacts_seen"]
    return (
        f"In {metrics['episodes']} simulated episodes the masks show {seen} of {contacts} contacts "
        f"and {metrics['goals_seen']} of {metrics['goals']} arrivals at the goal. A third of the "
        "episodes is nominal, a third has drawn colours, light and camera pose, and a third has a "
        f"noisy camera in changing light. {metrics['contacts_false']} of {metrics['frames']} "
        f"frames are false alarms; in {metrics['contacts_false_near']} of these the cable or the "
        f"tool is within 5 mm of the obstacle. `{measured['command']}` measures this again."
    )


def mask_rules(results: Results) -> str:
    """Write the table of the three rules for a contact, summed over all conditions."""
    measured = results("masks")
    head = ("rule", "contacts of the cable seen", "contacts of the tool seen", "false alarms")
    rows = []
    for rule, name in RULES.items():
        of = [row for row in measured["rows"] if row["rule"] == rule]

        def total(key: str, of: list[dict[str, Any]] = of) -> int:
            return sum(row[key] for row in of)

        frames = total("frames") - total("cable_contacts") - total("tool_contacts")
        rows.append(
            (
                name,
                f"{total('cable_contacts_seen')} of {total('cable_contacts')}",
                f"{total('tool_contacts_seen')} of {total('tool_contacts')}",
                f"{total('contacts_false')} of {frames} frames",
            )
        )
    metrics = measured["metrics"]
    late = metrics["goals_steps_late"] / metrics["goals_seen"]
    others = metrics["frames"] - metrics["goal_frames"]
    return (
        f"{table(head, rows)}\n\n"
        f"{counted(metrics['episodes_free_alarmed'], 'false alarm')} came in the "
        f"{metrics['episodes_free']} episodes without a contact. Arrivals at the goal are seen "
        f"{late:.1f} steps late on average. The mask shows the goal reached in "
        f"{metrics['goal_frames_seen']} of {metrics['goal_frames']} frames where the cable is "
        f"there, and in {metrics['goal_frames_false']} of {others} where the cable is not."
    )


def hazards(_: Results) -> str:
    """Write how many hazards docs/safety.md lists."""
    text = (ROOT / "docs/safety.md").read_text()
    listed = text.partition("<!-- hazards begin -->")[2].partition("<!-- hazards end -->")[0]
    rows = [
        line
        for line in listed.splitlines()
        if line.startswith("| ") and not line.startswith(("| hazard |", "| --- |"))
    ]
    return (
        f"[`docs/safety.md`](docs/safety.md) lists {len(rows)} hazards. Each row names the guard "
        "and a test that attacks the guard, most of them with real processes."
    )
