"""What is known of a running graph, and how old it is: the contents of picture and page. No ROS.

Ages are of receipt, by a clock of this computer that never jumps. What has not been heard for
longer than its patience is stale, and whoever shows it must say so.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ls3_common.topics import RETREAT_EPISODE
from ls3_episodes.film import view
from ls3_episodes.film.scene import EpisodeScene, FilmConfig
from ls3_episodes.film.view import FilmFrame

if TYPE_CHECKING:
    from ls3_interfaces.msg import ArmCommand, Plan

PATIENCE_S = {"camera": 2.0, "mask": 2.0, "plan": 10.0, "arm": 3.0, "robot": 2.0}
"""Seconds after which a stream is stale. Of the arm there is a diagnosis every second."""
DIAGNOSIS_PATIENCE_S = 3.0
"""Seconds after which a node's diagnosis is stale; nodes publish one a second."""
STEPS = 1000
"""How many of the newest steps of an episode the curves show."""
HOLDS = 50
"""How many of the newest holds are kept."""
NODES = 50
"""Of how many nodes the diagnoses are kept."""
ARM_NODES = ("arm_node", "controller_node")
"""Nodes whose diagnoses say that the arm's state is the present one."""


@dataclass(frozen=True)
class HeldStep:
    """A step on which the arm held, or a plan that the arm refused."""

    episode: int
    step: int
    reason: str
    heard: float


@dataclass(frozen=True)
class MotionReport:
    """The content of a MOTION_STATE message."""

    moving: bool
    ready: bool
    reason: str
    frame: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """One node's status on /diagnostics: 0 is ok, 1 a warning, 2 an error."""

    level: int
    message: str
    values: Sequence[tuple[str, str]]
    heard: float


class LiveState:
    """Takes what the graph says; returns what the picture (`frame`) and the page (`page`) show."""

    def __init__(
        self, film: FilmConfig, horizon: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Start with nothing known.

        Args:
            film: headline and scale of the picture.
            horizon: T, length of an episode.
            now: the clock, s.
        """
        self.scene = EpisodeScene(film, horizon)
        self._images: dict[str, np.ndarray] = {}  # uint8 (height, width, channels), by stream
        self.motion: MotionReport | None = None
        self.pose: tuple[float, float, float] | None = None
        self._now = now
        self._heard: dict[str, float] = {}
        self._of = (-1, -1)  # the newest plan's episode and step
        self._steps: deque[tuple[int, bool, float, float, float]] = deque(maxlen=STEPS)
        self._holds: deque[HeldStep] = deque(maxlen=HOLDS)
        self._robot: tuple[str, bool] | None = None
        self._task: tuple[bool, bool] | None = None
        self._request = ""
        self._nodes: OrderedDict[str, Diagnosis] = OrderedDict()

    def hear(self, stream: str, came: float | None = None) -> None:
        """Note that a message of a stream of `PATIENCE_S` has come: at `came`, or now."""
        self._heard[stream] = self._now() if came is None else came

    def see(self, stream: str, image: np.ndarray, came: float) -> None:
        """Take the image of the stream `camera` or `mask`, and when it came."""
        self.hear(stream, came)
        self._images[stream] = image

    def plan(self, plan: Plan) -> None:
        """Take a plan. Another episode, or a step again from 0, begins new curves."""
        self.hear("plan")
        if plan.episode != self._of[0] or plan.step < self._of[1]:
            self._steps.clear()
            self.scene.begin(f"episode {plan.episode + 1}", [])
        self._of = (plan.episode, plan.step)
        if self.pose is not None:
            self.scene.tool(*self.pose[:2])
        self.scene.plan(plan)
        self._steps.append(
            (
                plan.step,
                plan.feasible,
                plan.safe_probability,
                plan.constraint_probability,
                plan.value if plan.feasible else math.nan,
            )
        )
        if not plan.feasible:
            self._hold(*self._of, plan.reason)

    def command(self, command: ArmCommand) -> None:
        """Take what the arm did with a plan."""
        if command.outcome in ("held", "refused"):
            self._hold(command.episode, command.step, command.reason)

    def move(self, report: MotionReport) -> None:
        """Take the arm's state."""
        self.hear("arm")
        self.motion = report

    def robot(self, state: str, homed: bool) -> None:
        """Take the robot's own state, in its words."""
        self._robot = (state, homed)

    def tip(self, pose: tuple[float, float, float], came: float) -> None:
        """Take the position of the tool's tip in the arm's frame, m, and when it came."""
        self.hear("robot", came)
        self.pose = pose

    def task(self, success: bool, constraint: bool) -> None:
        """Take whether the goal is reached and whether a constraint is violated."""
        self._task = (success, constraint)

    def ask(self, request: str) -> None:
        """Take what the operator is asked to do between two episodes; empty: nothing."""
        self._request = request

    def diagnose(
        self, node: str, level: int, message: str, values: Sequence[tuple[str, str]]
    ) -> None:
        """Take a node's status on /diagnostics."""
        self._nodes[node] = Diagnosis(level, message, values, self._now())
        self._nodes.move_to_end(node)
        if len(self._nodes) > NODES:
            self._nodes.popitem(last=False)
        if node in ARM_NODES:
            self.hear("arm")

    def age(self, stream: str) -> float:
        """Return the seconds since a stream was heard; infinite if never."""
        return self._now() - self._heard.get(stream, -math.inf)

    def stale(self, stream: str) -> bool:
        """Return whether a stream was never heard, or not for longer than its patience."""
        return self.age(stream) > PATIENCE_S[stream]

    def frame(self) -> FilmFrame:
        """Return the picture's contents and what in them is stale, without the imagined image."""
        shown, age = self.scene.shown, self.age("camera")
        if math.isinf(age):
            stale = "no camera yet"
        elif self.stale("camera"):
            stale = f"last camera frame {age:.0f} s ago"
        else:
            stale = ""
        if self._steps and self.stale("plan"):
            words = f"PLAN {self.age('plan'):.0f} s OLD"
            shown = dataclasses.replace(shown, status=words, colour=view.AMBER, path=())
        elif not self._steps and self.motion is not None:
            shown = dataclasses.replace(shown, **self._arm_alone(self.motion))
        mask = None if self.stale("mask") else self._images.get("mask")
        camera = self._images.get("camera")
        return dataclasses.replace(shown, camera=camera, mask=mask, stale=stale)

    def _arm_alone(self, motion: MotionReport) -> dict[str, Any]:
        """Return what the picture says of the arm where nobody plans."""
        if self.stale("arm"):
            return {"status": "ARM SILENT", "colour": view.RED}
        if motion.ready:
            return {"status": "ARM READY", "colour": view.BLUE}
        return {"status": "ARM NOT READY", "colour": view.AMBER, "reason": motion.reason}

    def page(self, can_stop: bool) -> dict[str, Any]:
        """Return the page's contents for JSON; what is not a finite number is null.

        can_stop: whether somebody would hear the stop button.
        """
        now, shown, motion = self._now(), self.frame(), self.motion
        heard = [*self._heard.values(), *(node.heard for node in self._nodes.values())]
        return {
            "title": shown.title,
            "episode": self._of[0] + 1 if self._steps else None,
            "horizon": shown.horizon,
            "status": "STALE" if shown.stale else shown.status,
            "silent": _number(now - max(heard, default=-math.inf)),
            "streams": {
                name: {
                    "age": _number(self.age(name)),
                    "patience": patience,  # the page goes on to count where nothing more comes
                    "stale": self.stale(name),
                }
                for name, patience in PATIENCE_S.items()
            },
            "steps": [[step, ok, *map(_number, figures)] for step, ok, *figures in self._steps],
            "holds": [
                {
                    # no episode has the number of a return to the start
                    "episode": None if held.episode == RETREAT_EPISODE else held.episode + 1,
                    "step": held.step + 1,
                    "reason": held.reason,
                    "age": round(now - held.heard, 1),
                }
                for held in reversed(self._holds)
            ],
            "arm": motion and dataclasses.asdict(motion),
            "robot": self._robot and dict(zip(("state", "homed"), self._robot, strict=True)),
            "tip": self.pose and [_number(x) for x in self.pose],
            "task": self._task and dict(zip(("success", "violation"), self._task, strict=True)),
            "request": self._request,
            "nodes": [
                {
                    "name": name,
                    "level": found.level,
                    "message": found.message,
                    "values": [list(pair) for pair in found.values],
                    "age": round(now - found.heard, 1),
                    "stale": now - found.heard > DIAGNOSIS_PATIENCE_S,
                }
                for name, found in sorted(self._nodes.items())
            ],
            "can_stop": can_stop,
        }

    def _hold(self, episode: int, step: int, reason: str) -> None:
        """Note a hold once: by the plan or by the arm's answer, whichever comes first."""
        newest = self._holds[-1] if self._holds else None
        if newest is None or (newest.episode, newest.step) != (episode, step):
            self._holds.append(HeldStep(episode, step, reason, self._now()))
        elif not newest.reason:
            self._holds[-1] = dataclasses.replace(newest, reason=reason)


def _number(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None
