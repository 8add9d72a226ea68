"""Makes the plans in a bag again: its frames through the encoder, the latents through the planner.

The bag is one of the black box. Each plan is made from the seed, the memory and the parameters that
`planner_node` recorded with the plan (`ls3_planner.plan_input`), so that a plan in the middle of an
episode can be made without those before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dvrk_cable_env.bags.reading import Bag
from dvrk_cable_env.bags.records import stamp_of
from ls3_common import topics
from ls3_common.errors import DataError
from ls3_common.images import FRAME_GAP_S, StampedFrameStack, to_array
from ls3_models.bundle import Bundle, load_bundle
from ls3_planner.plan import Planner, make_planner
from ls3_planner.plan_input import PlanInput

NEEDED = (topics.LATENT, topics.PLAN, topics.PLAN_INPUT)


@dataclass(frozen=True)
class Comparison:
    """One recorded plan, and the plan that was made again.

    Attributes:
        episode: number of the episode.
        step: number of the step in the episode.
        recorded: action of the recorded plan, (A,); empty if the plan was not feasible.
        again: the same of the plan that was made again.
        action_error: largest difference of the two action sequences, in the domain's unit.
        latent_error: largest difference of the latents' means; None if the bag lacks the frame.
        outcome: what `arm_node` did with the plan, with its reason; empty if it is not in the bag.
    """

    episode: int
    step: int
    recorded: tuple[float, ...]
    again: tuple[float, ...]
    action_error: float
    latent_error: float | None
    outcome: str


@dataclass
class Recorded:
    """What a bag holds of the control step, by the stamp (ns) of the camera frame.

    Attributes:
        masks: messages of the networks' input.
        latents: messages.
        plans: messages.
        inputs: what the plans rest on.
        commands: outcome and reason of the arm's answers, by episode and step.
    """

    masks: dict[int, Any] = field(default_factory=dict)
    latents: dict[int, Any] = field(default_factory=dict)
    plans: dict[int, Any] = field(default_factory=dict)
    inputs: dict[int, PlanInput] = field(default_factory=dict)
    commands: dict[tuple[int, int], str] = field(default_factory=dict)


def read_recorded(bag: Bag) -> Recorded:
    """Read the messages of the control step.

    Raises:
        DataError: the bag lacks a topic that every black box has, or a message is damaged.
    """
    full = {name: _full(bag, name) for name in (*NEEDED, topics.MASK, topics.ARM_COMMAND)}
    missing = [name for name in NEEDED if not full[name]]
    if missing:
        raise DataError(
            f"no topic {', '.join(missing)}",
            where=str(bag.path),
            do="give a bag of the black box, made while planner_node ran",
        )
    names = {topic: name for name, topic in full.items() if topic}
    found = Recorded()
    for raw in bag.messages(set(names)):
        try:
            message, name = bag.decode(raw), names[raw.topic]
        except ValueError as error:
            raise DataError(str(error), where=f"{bag.path}, {raw.topic}") from None
        if name == topics.PLAN_INPUT:
            start = PlanInput.from_json(message.data)
            found.inputs[start.stamp] = start
        elif name == topics.ARM_COMMAND:
            said = f"{message.outcome}: {message.reason}" if message.reason else message.outcome
            found.commands[message.episode, message.step] = said
        else:
            kept = {topics.MASK: found.masks, topics.LATENT: found.latents}.get(name, found.plans)
            kept[stamp_of(message)] = message
    return found


def replay(bag: Bag, model: Path | None = None) -> Iterator[Comparison]:
    """Make every plan again whose latent and input are in the bag, in the order of the frames.

    Args:
        bag: the bag.
        model: directory of the model; None: the directory that the bag names.

    Raises:
        DataError: a topic or the model is missing, or the model is not the recorded one.
        ConfigError: this version's planner has other parameters than the recorded one.
    """
    found, planners = read_recorded(bag), _Planners(model)
    encoded: dict[int, np.ndarray] = {}
    for stamp in sorted(found.plans.keys() & found.inputs.keys() & found.latents.keys()):
        plan, latent, start = found.plans[stamp], found.latents[stamp], found.inputs[stamp]
        bundle, planner = planners.of(start)
        if not encoded:
            encoded = _encode(bundle, found.masks)
        mean = np.asarray(latent.mean, np.float32)
        if _objected(bundle, start, latent):
            again: tuple[float, ...] = ()
            error = math.inf if plan.feasible else 0.0
        else:
            planner.recall(start.memory, start.seed, start.holds)
            made = planner.plan(mean, np.asarray(latent.std, np.float32))
            again = _action(made.feasible, made.action)
            sequence = np.asarray(plan.action_sequence, np.float32)
            error = math.inf  # of a planner that failed
            if sequence.size == made.action_sequence.size:
                error = float(np.abs(sequence - made.action_sequence.ravel()).max())
        yield Comparison(
            episode=plan.episode,
            step=plan.step,
            recorded=_action(plan.feasible, plan.action),
            again=again,
            action_error=error,
            latent_error=float(np.abs(encoded[stamp] - mean).max()) if stamp in encoded else None,
            outcome=found.commands.get((plan.episode, plan.step), ""),
        )


class _Planners:
    """The model and the planner of each plan; both are made once for all plans that share them."""

    def __init__(self, model: Path | None) -> None:
        self._model = model
        self._made: dict[str, tuple[Bundle, Planner]] = {}

    def of(self, start: PlanInput) -> tuple[Bundle, Planner]:
        key = repr((start.model, start.identity, start.planner))
        if key not in self._made:
            path = self._model or Path(start.model)
            bundle = load_bundle(path)
            if bundle.identity != start.identity:
                raise DataError(
                    f"model {bundle.identity}, the plans were made by {start.identity}",
                    where=str(path),
                    do="give the directory of that model as --model",
                )
            self._made[key] = bundle, make_planner(bundle, start.config)
        return self._made[key]


def _encode(bundle: Bundle, masks: dict[int, Any]) -> dict[int, np.ndarray]:
    """Return the latents' means, (d,) each, of all frames, by stamp; see `encoder_node`."""
    frames = bundle.config.frame_stack
    stack = StampedFrameStack(frames, FRAME_GAP_S)
    means: dict[int, np.ndarray] = {}
    torch.set_num_threads(1)  # as encoder_node; more threads may add in another order
    for number, stamp in enumerate(sorted(masks)):
        pixels = to_array(masks[stamp]).copy()  # PyTorch warns of memory that is read-only
        observation = pixels if frames == 1 else stack.add(stamp, pixels)
        mean, _ = bundle.encode(observation[None])
        if number + 1 >= frames:  # the frames before the first of the bag are unknown
            means[stamp] = mean[0]
    return means


def _objected(bundle: Bundle, start: PlanInput, latent: Any) -> bool:
    """Return whether the guard on frames kept `planner_node` from planning from a frame."""
    score = getattr(latent, "score", math.nan)  # bags of before there was a guard lack it
    if bundle.guard is None or not start.config.frame_guard or math.isnan(score):
        return False
    return bool(bundle.guard.objection(np.array([score, latent.start_score]), start.step))


def _action(feasible: bool, action: Any) -> tuple[float, ...]:
    return tuple(map(float, action)) if feasible else ()


def _full(bag: Bag, name: str) -> str:
    """Return the full name of a topic, with the graph's namespace; empty if it is missing."""
    return next((topic for topic in bag.topics if topic.endswith(f"/{name}")), "")
