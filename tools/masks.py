"""Compare success and contact by colour with the simulator's truth; write results/masks.json.

    python tools/masks.py [--episodes 20] [--seed 0]

Episodes of all three behaviours are simulated in this process. The reference frame shows the scene
without cable and tool, as docs/camera.md asks the operator to take it. An episode ends with a
contact, which freezes the simulation, or AFTER_GOAL steps in the goal.
"""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvrk_cable_env.camera.segmentation import SegmentationConfig, cable_pixels
from dvrk_cable_env.camera.task_by_colour import task_masks, task_state
from ls3.runs.provenance import git_commit, machine
from ls3_common.files import write_json
from ls3_sim.behaviours import BEHAVIOURS
from ls3_sim.cable_env import CableEnv
from ls3_sim.cable_scene import CableScene

Image = NDArray[np.uint8]
AFTER_GOAL = 5
"""Steps in the goal after which an episode ends."""
NEAR = 0.005
"""A false alarm is a near miss if cable or tool is closer to the obstacle than this (m)."""
RULES = {
    "cable_on_obstacle": None,
    "cable_on_rim": SegmentationConfig(rim_pixels=0),
    "anything_on_rim": SegmentationConfig(),
}
"""The rules for a contact, with their configurations; the last one is shipped."""
COUNTED = (
    *("episodes", "frames"),
    *("cable_contacts", "cable_contacts_seen", "tool_contacts", "tool_contacts_seen"),
    *("contacts_false", "contacts_false_near", "episodes_free", "episodes_free_alarmed"),
    *("goals", "goals_seen", "goals_steps_late", "goals_early"),
    *("goal_frames", "goal_frames_seen", "goal_frames_false"),
)


@dataclasses.dataclass(frozen=True)
class Condition:
    """How the simulated camera differs from the nominal one.

    Attributes:
        randomised: whether colours, light and camera pose are drawn for each episode.
        noise: standard deviation of the pixels' noise, of 255.
        light: largest relative change of a frame's brightness.
    """

    randomised: bool = False
    noise: float = 0.0
    light: float = 0.0


CONDITIONS = {
    "nominal": Condition(),
    "randomised": Condition(randomised=True),
    "noisy_camera": Condition(noise=6.0, light=0.15),
}


@dataclasses.dataclass(frozen=True)
class Seen:
    """One frame and the simulator's truth.

    Attributes:
        frame: uint8 (height, width, 3), RGB.
        success: whether the goal is reached.
        contact: what touches the obstacle: 'none', 'cable' or 'tool'.
        gap: distance of cable or tool to the obstacle (m).
    """

    frame: Image
    success: bool
    contact: str
    gap: float


def episode(
    env: CableEnv, behaviour: str, seed: int, condition: Condition
) -> tuple[Image, list[Seen]]:
    """Run one episode; return the reference frame, and the frames after the reset."""
    rng = np.random.default_rng(seed)
    random_start = behaviour == "random" and seed % 2 == 1
    _, info = env.reset(seed=seed, options={"random_start": random_start})
    reference = _photographed(_without_cable(env.scene), condition, rng)
    act = env.behaviour(behaviour, rng)
    frames: list[Seen] = []
    reached = 0
    for _ in range(env.domain.horizon):
        *_, info = env.step(act(info))
        frame = _photographed(env.scene.render(), condition, rng)
        contact = _contact(env.scene) if info["constraint"] else "none"
        frames.append(Seen(frame, bool(info["success"]), contact, _gap(env.scene)))
        reached += bool(info["success"])
        if info["constraint"] or reached > AFTER_GOAL:
            break
    return reference, frames


def judged(rule: str, reference: Image, frames: list[Seen]) -> Iterator[tuple[bool, bool]]:
    """Judge each frame by a rule; yield (success, constraint)."""
    config = RULES[rule]
    masks = task_masks(reference, config or SegmentationConfig())
    for seen in frames:
        if config is not None:
            yield task_state(seen.frame, masks, config)
        else:  # no rim: cable pixels must lie on the obstacle itself
            success, _ = task_state(seen.frame, masks)
            on = int((cable_pixels(seen.frame) & masks.obstacle).sum())
            yield success, on >= SegmentationConfig().contact_pixels


def count(found: list[tuple[bool, bool]], frames: list[Seen]) -> Counter[str]:
    """Count the contacts and goals of one episode that were seen, missed and seen wrongly."""
    counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    counts.update(episodes=1, frames=len(frames))
    for (success, constraint), seen in zip(found, frames, strict=True):
        if seen.contact != "none":
            counts[f"{seen.contact}_contacts"] += 1
            counts[f"{seen.contact}_contacts_seen"] += constraint
        else:
            counts["contacts_false"] += constraint
            counts["contacts_false_near"] += constraint and seen.gap < NEAR
        counts["goal_frames"] += seen.success
        counts["goal_frames_seen"] += seen.success and success
        counts["goal_frames_false"] += success and not seen.success
    free = all(seen.contact == "none" for seen in frames)
    counts["episodes_free"] += free
    counts["episodes_free_alarmed"] += free and any(constraint for _, constraint in found)
    truth = [seen.success for seen in frames]
    if True in truth:
        counts["goals"] += 1
        seen_at = [success for success, _ in found]
        counts["goals_seen"] += True in seen_at
        if True in seen_at:
            late = seen_at.index(True) - truth.index(True)
            counts["goals_steps_late"] += max(0, late)
            counts["goals_early"] += late < 0
    return counts


def measure(episodes: int, seed: int) -> list[dict[str, Any]]:
    """Run the episodes; return one row of counts for each condition and rule."""
    rows = []
    for name, condition in CONDITIONS.items():
        totals = {rule: Counter[str]() for rule in RULES}
        env = CableEnv(start_jitter=0.05, domain_randomisation=condition.randomised)
        for index in range(episodes):
            for behaviour in BEHAVIOURS:
                reference, frames = episode(env, behaviour, seed + index, condition)
                for rule in RULES:
                    found = list(judged(rule, reference, frames))
                    totals[rule].update(count(found, frames))  # += would drop counts of 0
        env.close()
        rows += [{"condition": name, "rule": rule, **totals[rule]} for rule in RULES]
        for row in rows[-len(RULES) :]:
            print(row, flush=True)
    return rows


def _without_cable(scene: CableScene) -> Image:
    """Render the scene without cable and tool."""
    groups = scene.model.geom_group
    before = groups.copy()
    for index in range(scene.model.ngeom):
        if scene.model.geom(index).name.startswith(("cable", "tool")):
            groups[index] = 5  # MuJoCo does not draw this group
    frame = scene.render().copy()
    groups[:] = before
    return frame


def _photographed(frame: Image, condition: Condition, rng: np.random.Generator) -> Image:
    if not (condition.noise or condition.light):
        return frame.copy()
    light = 1 + condition.light * rng.uniform(-1, 1)
    grain = rng.normal(0, condition.noise, frame.shape)
    return np.clip(frame * light + grain, 0, 255).astype(np.uint8)


def _contact(scene: CableScene) -> str:
    tool = scene.model.geom("tool").id
    return "tool" if (scene.data.contact.geom == tool).any() else "cable"


def _gap(scene: CableScene) -> float:
    """Return the distance (m) between the obstacle and the tool or the nearest cable joint."""
    centre = np.array(scene.layout.obstacle)
    radii = scene.model.geom("tool").size[0], scene.model.geom("cable0").size[0]
    tool = np.linalg.norm(scene.tool - centre) - radii[0]
    cable = np.linalg.norm(scene.cable() - centre, axis=1).min() - radii[1]
    return float(min(tool, cable) - scene.layout.obstacle_radius)


def main() -> None:
    """Measure, print the rows and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    add = parser.add_argument
    add("--episodes", type=int, default=20, help="episodes of each behaviour and condition")
    add("--seed", type=int, default=0, help="seed of the first episode")
    add("--out", type=Path, default=Path("results/masks.json"), help="results file")
    asked = parser.parse_args()
    rows = measure(asked.episodes, asked.seed)
    shipped = [row for row in rows if row["rule"] == [*RULES][-1]]
    total = {key: sum(row[key] for row in shipped) for key in COUNTED}
    write_json(
        asked.out,
        {
            "name": "masks",
            "command": shlex.join(["python", *sys.argv]),
            "commit": git_commit(),
            "machine": machine(),
            "metrics": {"rule": [*RULES][-1], **total},
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()
