"""The README that Open-H-Embodiment demands, and the splits that it uses for outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ls3.data.recorded_rows import RecordedRows
from ls3.data.registry import DataFacts

UNKNOWN = "_to be filled in by the lab_"
"""What no data set of ours knows."""


def splits(good: int, total: int) -> dict[str, str]:
    """Return the splits of `total` episodes, of which the first `good` are successful.

    From ten successful episodes on, a tenth of them each is for validation and test. All others are
    failures: they missed the goal or violated a constraint.
    """
    tenth = good // 10
    found = {"train": f"0:{good - 2 * tenth}"} if good else {}
    if tenth:
        found["val"] = f"{good - 2 * tenth}:{good - tenth}"
        found["test"] = f"{good - tenth}:{good}"
    if good:
        found["success"] = f"0:{good}"
    if good < total:
        found["failure"] = f"{good}:{total}"
    return found


def card(info: Mapping[str, Any], facts: DataFacts, recorded: RecordedRows | None) -> str:
    """Return the README of a data set, with the sections of Open-H's template.

    Args:
        info: content of the data set's info.json.
        facts: facts about the data set.
        recorded: the recorded rows; None if a row is a step.
    """
    hours = info["total_frames"] / info["fps"] / 3600
    sections = {
        "At a Glance": f"{facts.description.capitalize()}, recorded for LS3 (Latent Space Safe "
        "Sets).",
        "Dataset Overview": f"{info['total_episodes']} trajectories, {hours:.4f} hours, splits "
        f"{_listed(info['splits'])}. `source` in `episodes.jsonl` names each trajectory's "
        f"behaviour. Data type and license: {UNKNOWN}.",
        "Tasks & Domain": f"{facts.description.capitalize()}. Domain: {UNKNOWN}.",
        "Data Collection Details": f"Collection method, operators and period: {UNKNOWN}. There "
        "are no recovery demonstrations.",
        "Diversity Dimensions": UNKNOWN,
        "Equipment & Setup": f"Robot: {info['robot_type'] or 'none'}. Cameras: {UNKNOWN}.",
        "Action & State Space Representation": _spaces(info["features"], facts, recorded),
        "Data Synchronization Approach": _clock(info["fps"], recorded),
        "Attribution & Contact": UNKNOWN,
    }
    parts = [f"# {facts.description.capitalize()} - README"]
    parts += [f"## {title}\n\n{text}" for title, text in sections.items()]
    return "\n\n".join(parts) + "\n"


def _listed(found: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {span}" for name, span in found.items())


def _spaces(features: Mapping[str, Any], facts: DataFacts, recorded: RecordedRows | None) -> str:
    lines = [
        f"- `{name}`: {', '.join(features[name]['names'])}"
        for name in ("observation.state", "action")
        if name in features
    ]
    if recorded:
        kind = "Absolute Cartesian poses in the frame of the robot's base: m and unit quaternion "
        kind += "(x, y, z, w). `_pose` is measured, `_sp` is the setpoint at the time of the frame."
    else:
        kind = f"The action is a relative displacement, in {facts.action_unit}; "
        kind += "`observation.state` is the sum of the earlier actions of the episode."
    outcome = "`next.success` and `next.constraint` say whether the state after the row is in the "
    outcome += "goal set, and whether it violates a constraint."
    return "\n".join([*lines, "", kind, outcome])


def _clock(rate: int, recorded: RecordedRows | None) -> str:
    if recorded is None:
        return (
            f"A row is one step of the policy. Time stamps are nominal, {rate} steps per second; "
            "steps vary a little in length."
        )
    return (
        "Every recorded frame is a row. All times are the stamps in the messages' headers, or the "
        "video's time stamps. Poses are interpolated linearly at the time of the frame. "
        f"`timestamp` is nominal, {rate} frames per second; `observation.meta.time` has the "
        f"measured time of each frame, at most {recorded.drift:.4f} s from the nominal one."
    )
