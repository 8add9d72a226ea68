"""`ls3 replay`: plans of a real encoder_node and planner_node, kept by a black box, made again."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known_frames import demonstration, foreign, save_guarded
from random_models import random_bundle

from dvrk_cable_env.bags.reading import Bag
from dvrk_cable_env.black_box.bags import write_bag
from dvrk_cable_env.black_box.memory import Kept
from ls3.cli.cli import main
from ls3_common import qos
from ls3_common.images import to_message
from ls3_models.bundle import save_bundle
from ls3_models.frame_guard import FILE
from ls3_planner.plan_input import PlanInput

STEPS = 4
"""Of each of two episodes; the bag begins in the middle of the first."""


def record(
    bench: Any,
    model: Path,
    parameters: dict[str, Any],
    folder: Path,
    frames: Callable[[int], np.ndarray] | None = None,
) -> Path:
    """A bag of the black box beside encoder and planner, which are asked for plans.

    frames: what the camera shows for the n-th step of an episode; noise if None.
    """
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

    from ls3_interfaces.msg import Plan, StepRequest

    bench.start("ls3_models.encoder_node", model=str(model))
    bench.start("ls3_planner.planner_node", model=str(model), **parameters)
    masks = bench.publisher(Image, "segmentation/mask", qos.RELIABLE)
    requests = bench.publisher(StepRequest, "step_request")
    plans = bench.collect(Plan, "plan")
    random = np.random.default_rng(0)
    now = 0

    def step(episode: int, number: int) -> None:
        nonlocal now
        now += 1
        request = StepRequest(episode=episode, step=number)
        request.header.stamp.sec = now
        requests.publish(request)

        def planned() -> bool:
            noise = random.integers(0, 256, (64, 64, 1), np.uint8)
            pixels = frames(number) if frames else noise
            header = Header()
            header.stamp.sec, header.stamp.nanosec = now, int(random.integers(10**9))
            masks.publish(to_message(pixels, header))
            time.sleep(0.2)
            return any((p.episode, p.step) == (episode, number) for p in plans)

        bench.until(planned)

    for number in range(2):
        step(5, number)
    box = bench.start("dvrk_cable_env.black_box.black_box_node", out=str(folder), after=0.0)
    bench.until(lambda: bench.node.count_subscribers("/plan_input"))
    bench.until(lambda: bench.node.count_subscribers("/segmentation/mask") > 1)
    time.sleep(1.0)
    for episode, first in ((5, 2), (6, 0)):
        for number in range(first, STEPS):
            step(episode, number)
    bench.call("/black_box/keep")
    bench.until(lambda: "kept 'asked by the operator'" in box.output)
    (path,) = folder.iterdir()
    return path


def altered(bag: Path, folder: Path, topic: str, change: Callable[[bytes], bytes]) -> Path:
    """A copy of a bag with one topic's messages changed, or left out where nothing is left."""
    source = Bag(bag)
    messages = []
    for raw in source.messages(set(source.topics)):
        if data := change(raw.data) if raw.topic == topic else raw.data:
            messages.append(Kept(raw.topic, raw.log, data))
    return write_bag(folder, bag.name, messages, source.topics)


def test_the_plans_of_a_black_box_are_made_again(
    bench: Any,
    model: Path,
    planner_parameters: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bag = record(bench, model, planner_parameters, tmp_path / "black_box")
    assert main(["replay", str(bag)]) == 0
    printed = capsys.readouterr().out
    lines = [line for line in printed.splitlines() if line.startswith("episode")]
    starts = [line.partition(":")[0] for line in lines]
    # also those in the middle of an episode whose beginning is not in the bag
    assert starts == [
        f"episode {e} step {s}" for e, s in [(5, 2), (5, 3)] + [(6, n) for n in range(4)]
    ]
    assert all("the same" in line for line in lines)
    assert "6 plans, 6 the same; latents differ by 0\n" in printed

    elsewhere = shutil.copytree(model, tmp_path / "copy")
    assert main(["replay", str(bag), "--model", str(elsewhere)]) == 0
    save_bundle(random_bundle(seed=1), tmp_path / "other")
    assert main(["replay", str(bag), "--model", str(tmp_path / "other")]) == 2
    assert "the plans were made by" in capsys.readouterr().err

    # what was altered in the bag shows: a plan, a seed, and what is missing
    wrong = altered(bag, tmp_path / "plans", "/plan", other_plan)
    assert main(["replay", str(wrong)]) == 1
    assert "6 of 6 plans differ" in capsys.readouterr().err
    wrong = altered(bag, tmp_path / "seeds", "/plan_input", other_seed)
    assert main(["replay", str(wrong)]) == 1
    lacks = altered(bag, tmp_path / "lacks", "/plan_input", lambda data: b"")
    assert main(["replay", str(lacks)]) == 2
    assert "no topic plan_input" in capsys.readouterr().err


def test_where_the_guard_on_frames_held_the_arm_so_does_the_replay(
    bench: Any,
    planner_parameters: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = tmp_path / "model"
    save_guarded(random_bundle(), model)
    known, strange = demonstration(7).observations, foreign()["inverted"]
    bag = record(
        bench,
        model,
        planner_parameters,
        tmp_path / "black_box",
        lambda number: strange if number == 1 else known[number],
    )
    assert main(["replay", str(bag)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("episode")]
    held = [line.partition(":")[0] for line in lines if "recorded infeasible, again inf" in line]
    assert len(lines) == 6 and held == ["episode 6 step 1"]
    assert all("the same" in line for line in lines)

    unguarded = shutil.copytree(model, tmp_path / "unguarded")
    (unguarded / FILE).unlink()
    assert main(["replay", str(bag), "--model", str(unguarded)]) == 1
    assert "1 of 6 plans differ" in capsys.readouterr().err


def other_plan(data: bytes) -> bytes:
    from rclpy.serialization import deserialize_message, serialize_message

    from ls3_interfaces.msg import Plan

    plan = deserialize_message(data, Plan)
    plan.action_sequence[-1] += 1e-3
    return serialize_message(plan)


def other_seed(data: bytes) -> bytes:
    from rclpy.serialization import deserialize_message, serialize_message
    from std_msgs.msg import String

    message = deserialize_message(data, String)
    start = PlanInput.from_json(message.data)
    message.data = dataclasses.replace(start, seed=start.seed + 1).to_json()
    return serialize_message(message)
