"""The planner as a node: one plan per step request, from the first latent that is new enough.

Messages are taken by the executor's one thread; a worker thread plans. Between them stand two
one-place hand-offs, so that a slow plan neither delays a message nor lets work pile up.
"""

from __future__ import annotations

import os
import threading
import traceback
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import numpy as np
from rclpy.node import Node
from std_msgs.msg import String

from ls3_common import qos, ros, topics
from ls3_common.health import LOG_PERIOD_S, Health
from ls3_common.parameters import parameter
from ls3_common.seeds import seed_of
from ls3_interfaces.msg import Latent, Plan, StepRequest
from ls3_planner.config import PlannerConfig
from ls3_planner.plan import Plan as Solution
from ls3_planner.plan import make_planner, no_plan
from ls3_planner.plan_input import PlanInput, planner_parameters
from ls3_planner.risk import in_words

if TYPE_CHECKING:
    from ls3_models.bundle import Bundle

LEAVE_TIMEOUT_S = 0.5
"""How long the end of the process waits for the plan at hand; none can be interrupted."""


@dataclass(frozen=True, kw_only=True)
class PlannerNodeConfig(PlannerConfig):
    """Section `planner_node` of a domain's YAML, and what a launch adds to it."""

    model: str = parameter(description="directory of the trained models", is_path=True)
    trained_for: str = parameter(
        "", description="name of the domain that the model must be trained for; empty: any"
    )
    seed: int = parameter(0, low=0, description="seed of the candidates' noise")


class Job(NamedTuple):
    """A step request and the latent of the frame that its plan starts from."""

    request: StepRequest
    latent: Latent


class PlannerNode(Node):
    """Subscribes to step requests and latents, publishes plans."""

    def __init__(self) -> None:
        super().__init__("planner_node")
        self.config = ros.declare(self, PlannerNodeConfig)
        # PyTorch takes seconds: after the parameters were found good, and not at import
        from ls3_models.model_service import ModelService, load_for

        self._latent: Latent | None = None
        self._plan_parameters = planner_parameters(self.config)
        self._use(load_for(self, self.config.model, self.config.trained_for))
        self.health = Health(self)
        self._request: StepRequest | None = None  # the newest, until a latent answers it
        self._jobs: deque[Job] = deque(maxlen=1)
        self._solving = False
        self._wake = threading.Event()
        self._leaving = False
        self._publisher = self.create_publisher(Plan, topics.PLAN, qos.RELIABLE)
        self._inputs = self.create_publisher(String, topics.PLAN_INPUT, qos.RELIABLE)
        self.create_subscription(StepRequest, topics.STEP_REQUEST, self._ask, qos.RELIABLE)
        self.create_subscription(Latent, topics.LATENT, self._see, qos.BEST_EFFORT)
        self._models = ModelService(self, lambda: self.bundle, self._use, self._busy)
        self._worker = threading.Thread(target=self._work, name="planner", daemon=True)
        self._worker.start()
        self.get_logger().info(
            f"model {self.bundle.identity} ({self.bundle.domain}), profile {self.config.profile}"
        )

    def close(self) -> None:
        """Stop the worker; a plan it is solving is not published any more."""
        self._leaving = True
        self._wake.set()
        self._worker.join(LEAVE_TIMEOUT_S)

    def _use(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.planner = make_planner(bundle, self.config, seed=self.config.seed)
        self.guard = bundle.guard if self.config.frame_guard else None
        if self.guard is None:
            why = "the model has none" if self.config.frame_guard else "frame_guard is off"
            self.get_logger().warning(f"no guard on frames: {why}")
        self.get_logger().info(in_words(bundle, self.config))
        self._latent = None  # of another model: nothing is planned from it

    def _busy(self) -> str:
        if self._solving or self._jobs or self._request:
            return "a plan is asked for or under way: load models between episodes"
        return ""

    def _ask(self, request: StepRequest) -> None:
        self._request = request
        self._dispatch()

    def _see(self, latent: Latent) -> None:
        reason = self._unfit(latent)
        if reason:
            self.health.refuse(reason)
            return
        self.health.accept()
        self._latent = latent
        self._dispatch()

    def _unfit(self, latent: Latent) -> str:
        """Why a latent must not be planned from; empty when it may."""
        size = self.bundle.config.latent_dim
        if latent.model != self.bundle.identity:
            return f"latent of model '{latent.model}', this planner's is '{self.bundle.identity}'"
        if len(latent.mean) != size or len(latent.std) != size:
            return f"latent of size {len(latent.mean)}, std {len(latent.std)}, not {size}"
        std = np.asarray(latent.std)
        if not (np.isfinite(latent.mean).all() and np.isfinite(std).all() and (std >= 0).all()):
            return "latent that is not finite, or with a negative standard deviation"
        return ""

    def _dispatch(self) -> None:
        request, latent = self._request, self._latent
        if request is None or latent is None:
            return
        if ros.nanoseconds(latent.header.stamp) < ros.nanoseconds(request.header.stamp):
            return  # taken before the last motion had ended; a newer one is on its way
        self._request = None
        self._jobs.append(Job(request, latent))
        self._wake.set()

    def _work(self) -> None:
        while not self._leaving:
            self._wake.wait()
            self._wake.clear()
            while self._jobs and not self._leaving:
                self._solving = True  # before the job is taken: there is no moment between them
                job = self._jobs.popleft()
                start = self._input(job)
                plan = self._plan(job, start)
                self._solving = False
                # an answer to a question that is no longer asked would move the arm
                if not (self._leaving or self._jobs or self._request):
                    self._inputs.publish(String(data=start.to_json()))
                    self._publisher.publish(plan)
                    self._tell(plan.reason)

    def _input(self, job: Job) -> PlanInput:
        """All that the plan of a job depends on, besides the latent."""
        episode, step = job.request.episode, job.request.step
        return PlanInput(
            stamp=ros.nanoseconds(job.latent.header.stamp),
            episode=episode,
            step=step,
            seed=seed_of(self.config.seed, episode, step),
            memory=self.planner.memory() if step else None,  # a new episode begins with nothing
            model=os.path.abspath(self._models.path or self.config.model),
            identity=self.bundle.identity,
            planner=self._plan_parameters,
            holds=self.planner.holds if step else 0,
        )

    def _tell(self, reason: str) -> None:
        """Say on /diagnostics and in the log why the arm holds, until a plan has an action."""
        self.health.stand(reason)
        if reason:
            self.get_logger().warning(reason, throttle_duration_sec=LOG_PERIOD_S)

    def _plan(self, job: Job, start: PlanInput) -> Plan:
        """The plan for one frame: to hold, where the guard objects or the planner fails."""
        try:
            self.planner.recall(start.memory, start.seed, start.holds)
            objection = self._objection(job)
            if objection:
                return _message(job, no_plan(self.bundle, self.config, objection))
            plan = self.planner.plan(
                np.asarray(job.latent.mean, np.float32), np.asarray(job.latent.std, np.float32)
            )
            arrays = (plan.action, plan.action_sequence, plan.imagined)
            if not all(np.isfinite(array).all() for array in arrays):
                raise FloatingPointError("the plan is not finite")
        except Exception as error:  # whatever it is, the arm must hold and the node must live
            self.get_logger().error(f"planning failed, the arm holds:\n{traceback.format_exc()}")
            self.planner.reset()
            reason = f"no plan: the planner failed: {error}"
            return _message(job, no_plan(self.bundle, self.config, reason))
        return _message(job, plan)

    def _objection(self, job: Job) -> str:
        """Why the guard on frames forbids to plan from a frame; empty if it does not."""
        if self.guard is None:
            return ""
        scores = np.array([job.latent.score, job.latent.start_score])
        return self.guard.objection(scores, job.request.step)


def _message(job: Job, plan: Solution) -> Plan:
    action, sequence, imagined = (
        array.ravel().tolist() for array in (plan.action, plan.action_sequence, plan.imagined)
    )
    return Plan(
        header=job.latent.header,
        episode=job.request.episode,
        step=job.request.step,
        feasible=bool(plan.feasible),
        reason=plan.reason,
        action=action,
        action_sequence=sequence,
        imagined=imagined,
        safe_probability=float(plan.safe_probability),
        constraint_probability=float(plan.constraint_probability),
        value=float(plan.value),
        delta_safe=float(plan.delta_safe),
        relaxations=int(plan.relaxations),
        solve_time=float(plan.solve_time_s),
    )


def main() -> NoReturn:
    """Entry point of the process."""
    ros.leave(ros.run(PlannerNode))


if __name__ == "__main__":
    main()
