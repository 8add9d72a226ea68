"""tools/masks.py: what it counts, and what the shipped rule sees that the others do not."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ls3_sim.cable_env import CableEnv

pytestmark = pytest.mark.background

TOOL = Path(__file__).parents[1] / "tools" / "masks.py"


@pytest.fixture(scope="module")
def masks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("masks", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["masks"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_what_is_seen_missed_late_and_false_is_counted(masks):
    blank = np.zeros((1, 1, 3), np.uint8)

    def seen(success=False, contact="none", gap=0.1):
        return masks.Seen(blank, success, contact, gap)

    frames = [seen(gap=0.002), seen(), seen(success=True), seen(success=True), seen(contact="tool")]
    found = [(False, True), (False, True), (False, False), (True, False), (False, False)]
    counts = masks.count(found, frames)
    expected = {
        "episodes": 1,
        "frames": 5,
        "tool_contacts": 1,
        "contacts_false": 2,
        "contacts_false_near": 1,
        "goals": 1,
        "goals_seen": 1,
        "goals_steps_late": 1,
        "goal_frames": 2,
        "goal_frames_seen": 1,
    }
    assert counts == {**dict.fromkeys(masks.COUNTED, 0), **expected}
    free = masks.count([(True, True), (False, False)], [seen(), seen(success=True)])
    assert (free["episodes_free"], free["episodes_free_alarmed"], free["goals_early"]) == (1, 1, 1)


def test_a_tool_on_the_obstacle_is_seen_by_the_shipped_rule_alone(masks):
    env = CableEnv(start_jitter=0.05)
    try:
        contacts = []
        for seed in range(8):
            reference, frames = masks.episode(env, "constraint", seed, masks.Condition())
            if frames[-1].contact == "none":
                continue
            contacts.append(frames[-1].contact)
            last = {
                rule: list(masks.judged(rule, reference, frames))[-1][1] for rule in masks.RULES
            }
            assert last["anything_on_rim"]
            assert not last["cable_on_obstacle"]
            assert last["cable_on_rim"] == (contacts[-1] == "cable")
        assert set(contacts) == {"cable", "tool"}
    finally:
        env.close()
