"""The encoder f_enc as a node: every image becomes a latent with the image's stamp."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image

from ls3_common import qos, ros, topics
from ls3_common.errors import DataError
from ls3_common.health import Health
from ls3_common.images import FRAME_GAP_S, StampedFrameStack, to_array
from ls3_common.parameters import parameter
from ls3_interfaces.msg import Latent

if TYPE_CHECKING:
    from ls3_models.bundle import Bundle


@dataclass(frozen=True)
class EncoderNodeConfig:
    """Section `encoder_node` of a domain's YAML."""

    model: str = parameter(description="directory of the trained models", is_path=True)
    trained_for: str = parameter(
        "", description="name of the domain that the model must be trained for; empty: any"
    )
    threads: int = parameter(1, low=1, description="CPU threads; one is enough for one image")
    frame_gap: float = parameter(
        FRAME_GAP_S,
        low=0.0,
        description="longest time between two frames of one stack, if the model takes a stack",
        unit="s",
    )


class EncoderNode(Node):
    """Subscribes to the mask, and publishes latents.

    In domains without a mask, the topic is remapped to the camera's.
    """

    def __init__(self) -> None:
        super().__init__("encoder_node")
        self.config = ros.declare(self, EncoderNodeConfig)
        import torch  # takes seconds, so that wrong parameters are reported before

        from ls3_models.model_service import ModelService, load_for

        torch.set_num_threads(self.config.threads)
        self.bundle = load_for(self, self.config.model, self.config.trained_for)
        self.health = Health(self)
        self.stack: StampedFrameStack | None = None  # made with the first frame
        self.publisher = self.create_publisher(Latent, topics.LATENT, qos.RELIABLE)
        self.create_subscription(Image, topics.MASK, self._encode, qos.BEST_EFFORT)
        ModelService(self, lambda: self.bundle, self._use)
        self.get_logger().info(f"model {self.bundle.identity} ({self.bundle.domain})")

    def _use(self, bundle: Bundle) -> None:
        self.bundle = bundle  # the node's one thread does this between two images

    def _encode(self, message: Image) -> None:
        try:
            observation = self._observation(message)[None]
            mean, std = self.bundle.encode(observation)
        except (ValueError, DataError) as error:
            self.health.refuse(str(error))
            return
        if not (np.isfinite(mean).all() and np.isfinite(std).all()):
            self.health.refuse("the encoder's output is not finite")
            return
        self.health.accept()
        guard, scores, objection = self.bundle.guard, np.full(2, math.nan), ""
        if guard is not None:
            scores = guard.scores(observation, mean)[0]
            objection = guard.objection(scores)  # of no step: planner_node alone knows the step
        self.health.stand(objection)  # which fails preflight
        self.publisher.publish(
            Latent(
                header=message.header,
                model=self.bundle.identity,
                mean=mean[0].tolist(),
                std=std[0].tolist(),
                score=float(scores[0]),
                start_score=float(scores[1]),
            )
        )

    def _observation(self, message: Image) -> np.ndarray:
        """Return the model's observation: this frame, or the stack that ends with this frame."""
        pixels = to_array(message)
        if pixels.shape[-1] != self.bundle.frame_channels:
            raise DataError(
                f"a frame of {pixels.shape[-1]} channels, the model of '{self.bundle.domain}' "
                f"takes frames of {self.bundle.frame_channels}"
            )
        frames = self.bundle.config.frame_stack
        if frames == 1:
            return pixels
        if self.stack is None:
            self.stack = StampedFrameStack(frames, self.config.frame_gap)
        return self.stack.add(ros.nanoseconds(message.header.stamp), pixels)


def main() -> NoReturn:
    """Run the node."""
    ros.leave(ros.run(EncoderNode))


if __name__ == "__main__":
    main()
