"""A trained agent for scripts: plans from camera images, and says what it believes of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ls3.runs.domains import Domain
from ls3_common.domain import domain_names, load_spec
from ls3_common.errors import DataError
from ls3_common.images import FrameStack
from ls3_models.bundle import Bundle
from ls3_planner.plan import Plan, make_planner, no_plan


@dataclass(frozen=True)
class Belief:
    """What the models say of one image, or of a batch of n images.

    For a batch every array has n as its first axis. The heads are evaluated at the mean of the
    latent. The planner evaluates the same heads at latents drawn around this mean.

    Attributes:
        mean: mean of the latent z_t, float32 (d,).
        std: standard deviation of z_t, float32 (d,).
        heads: the number of each head by its name, float32 (); a probability where the head is one.
        reconstruction: the observation that f_dec draws of the mean, uint8 (h, w, c).
        imagined: the newest frame of each imagined z_{t+1..t+H} along a plan, uint8
            (H, h, w, c of a frame); None without a feasible plan for this image.
    """

    mean: np.ndarray
    std: np.ndarray
    heads: Mapping[str, np.ndarray]
    reconstruction: np.ndarray
    imagined: np.ndarray | None = None

    @property
    def value(self) -> np.ndarray:
        """V, the expected discounted return."""
        return self.heads["value"]

    @property
    def safe(self) -> np.ndarray:
        """f_S, the probability of being in the safe set."""
        return self.heads["safe"]

    @property
    def constraint(self) -> np.ndarray:
        """f_C, the probability that a constraint is violated."""
        return self.heads["constraint"]

    @property
    def goal(self) -> np.ndarray:
        """f_G, the probability of being in the goal."""
        return self.heads["goal"]


class TrainedAgent:
    """A trained model of LS3 with its planner.

    Where the domain stacks frames, as reacher does, the agent keeps the last frames of `act`.
    `reset` begins another episode.

    Attributes:
        domain: the facts and settings of the task.
        bundle: the trained models.
        planner: the planner.
        frame_shape: (h, w, c) of one camera frame.
        observation_shape: (h, w, c) of an observation, all stacked frames included.
    """

    def __init__(self, domain: Domain, bundle: Bundle, seed: int = 0) -> None:
        """Act in `domain` with `bundle`; `seed` is that of the planner's random numbers."""
        self.domain, self.bundle = domain, bundle
        self.planner = make_planner(bundle, domain.planner, seed)
        self.observation_shape = bundle.observation_shape
        self.frame_shape = (*bundle.observation_shape[:2], bundle.frame_channels)
        self._stack = FrameStack(bundle.config.frame_stack)
        self._seen: tuple[np.ndarray, Plan] | None = None
        self._step = 0

    def reset(self, seed: int | None = None) -> None:
        """Begin another episode: forget the frames and the last plan.

        seed: decides the planner's random numbers from now on; None: they go on.
        """
        self._stack.clear()
        self._seen, self._step = None, 0
        self.planner.reset(seed)

    def act(self, image: np.ndarray) -> Plan:
        """Plan from the next image of an episode.

        Args:
            image: uint8 (h, w, c), a camera frame or a whole observation of an environment.

        Returns:
            The plan. If no plan is feasible, or if the guard on frames objects to the image,
            `feasible` is False, `action` is 0, and `reason` says why: hold still.

        Raises:
            DataError: the image has another shape or type than the model takes.
        """
        pixels = self._checked(image)
        if pixels.ndim == 4:
            raise DataError(
                f"{len(pixels)} images", where="act", do="give one image (h, w, c) per step"
            )
        if pixels.shape == self.observation_shape:
            self._stack.clear()
            frames = np.split(pixels, self.bundle.config.frame_stack, axis=-1)
        else:
            frames = [pixels]
        for frame in frames:
            observation = self._stack.add(frame.copy())  # the caller may draw into the image
        mean, std = self.bundle.encode(observation[None])
        objection = self._objection(observation, mean)
        if objection:
            plan = no_plan(self.bundle, self.domain.planner, objection)
        else:
            plan = self.planner.plan(mean[0], std[0])
        self._step += 1
        self._seen = observation, plan
        return plan

    def belief(self, images: np.ndarray, plan: Plan | None = None) -> Belief:
        """Return what the models say of images; nothing is remembered.

        Args:
            images: uint8 (h, w, c), or a batch (n, h, w, c). A single camera frame of a domain that
                stacks frames is seen after the frames of `act`. The frame that `act` was given last
                is not counted twice. A batch must hold whole observations.
            plan: the plan along which frames are imagined, for a single image; by default the last
                plan of `act` if it was made from this very image.

        Raises:
            DataError: an image has another shape or type than the model takes, or a plan is given
                with a batch.
        """
        pixels = self._checked(images)
        single = pixels.ndim == 3
        if plan is not None and not single:
            raise DataError("a plan with a batch of images", do="give one image, or use `imagine`")
        observations = self._seen_now(pixels)[None] if single else pixels
        mean, std = self.bundle.encode(observations)
        models, latents = self.bundle.models, torch.from_numpy(mean)
        with torch.no_grad():
            heads = {head.name: models.read(head, latents).numpy() for head in models.head_list}
        drawn = self.bundle.decode(mean)
        if not single:
            return Belief(mean, std, heads, drawn)
        if plan is None and self._seen is not None:
            observation, latest = self._seen
            plan = latest if np.array_equal(observation, observations[0]) else None
        imagined = self.imagine(plan) if plan is not None and plan.feasible else None
        numbers = {name: values[0] for name, values in heads.items()}
        return Belief(mean[0], std[0], numbers, drawn[0], imagined)

    def imagine(self, plan: Plan) -> np.ndarray:
        """Return the frames that f_dec draws of a feasible plan's z_{t+1..t+H}.

        Returns:
            uint8 (H, h, w, c of a frame).

        Raises:
            DataError: the plan is not feasible, so that it has no latents.
        """
        if not plan.feasible:
            raise DataError("a plan that is not feasible imagines nothing", do="see plan.feasible")
        return self.bundle.decode(plan.imagined)[..., -self.bundle.frame_channels :]

    def _objection(self, observation: np.ndarray, mean: np.ndarray) -> str:
        """Say why the guard on frames forbids to plan from an observation; empty if it does not."""
        guard = self.bundle.guard
        if guard is None or not self.domain.planner.frame_guard:
            return ""
        return guard.objection(guard.scores(observation[None], mean)[0], self._step)

    def _seen_now(self, pixels: np.ndarray) -> np.ndarray:
        """Return the observation that ends with one image, as if `act` were given the image now."""
        if pixels.shape == self.observation_shape:
            return pixels
        if self._seen is not None:
            observation = self._seen[0]
            if np.array_equal(observation[..., -pixels.shape[-1] :], pixels):
                return observation
        return copy.deepcopy(self._stack).add(pixels)

    def _checked(self, images: np.ndarray) -> np.ndarray:
        """Return one image (h, w, c), or observations (n, h, w, c), as an array.

        Raises:
            DataError: as `act`.
        """
        pixels = np.asarray(images)
        if pixels.dtype == np.uint8 and (
            pixels.shape in (self.frame_shape, self.observation_shape)
            or (pixels.shape[1:] == self.observation_shape and len(pixels))
        ):
            return pixels
        taken = f"uint8 {self.observation_shape}"
        if self.frame_shape != self.observation_shape:
            taken += f", or one frame of {self.frame_shape} at a time"
        raise DataError(
            f"{pixels.dtype} {pixels.shape}, the model of '{self.bundle.domain}' takes {taken}",
            where="image",
            do=self._advice(pixels),
        )

    def _advice(self, pixels: np.ndarray) -> str:
        """Return what a person can do about an image that is refused."""
        shape, (height, width, channels) = pixels.shape, self.frame_shape
        if shape[:1] == (0,):
            return "the batch is empty"
        if pixels.dtype.kind == "f":
            return "give integers from 0 to 255: where 1 is white, (255 * image).astype(np.uint8)"
        if pixels.dtype != np.uint8:
            return "give integers from 0 to 255: image.astype(np.uint8)"
        if shape[-3:] in ((channels, height, width), _channels_first(self.observation_shape)):
            return "the channels come last: np.moveaxis(image, -3, -1)"
        if shape == (height, width) and channels == 1:
            return "a grey image has one channel: image[..., None]"
        if shape[1:] == self.frame_shape:
            return "a batch must hold whole observations, with their stacked frames"
        for name in domain_names():
            spec = load_spec(name)
            frame = (*spec.observation_shape[:2], spec.channels)
            if shape[-3:] in (spec.observation_shape, frame):
                return f"this is an image of '{name}': ls3.load(\"{name}\")"
        return "scale or crop the image as the model's data were"


def _channels_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[2], *shape[:2])
