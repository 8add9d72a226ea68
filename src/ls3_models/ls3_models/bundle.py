"""A bundle: the trained models of one domain, ``model.safetensors`` and ``manifest.json``.

A third file, ``frame_guard.safetensors``, may hold the guard on frames (`frame_guard`).

The nodes load bundles, and the project ships one for each domain. Weights are stored as float16
and used as float32. The manifest repeats the description in the weights' file and names the SHA-256
of that file, so that a manifest of other weights is noticed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ls3_common import parameters
from ls3_common.errors import ConfigError, DataError
from ls3_common.files import write_json
from ls3_common.model_facts import MANIFEST, WEIGHTS, refuse_policy
from ls3_common.system_errors import refuse_pointer, unreadable
from ls3_models import checkpoint, frame_guard
from ls3_models.config import LearnerConfig
from ls3_models.formats import Content, Format
from ls3_models.frame_guard import FrameGuard
from ls3_models.heads import heads_of
from ls3_models.models import Models
from ls3_models.networks import check_image

LARGEST_IMAGE = 4096
"""Greatest side in pixels, and greatest number of channels, that a description may name."""


@dataclass(frozen=True)
class Bundle:
    """Trained models, and the sizes of the data that they take.

    Attributes:
        models: the networks.
        config: the parameters that the networks were learned with.
        domain: name of the domain.
        observation_shape: (height, width, channel) of uint8 images.
        action_low: least action, in the domain's unit.
        action_high: greatest action, in the domain's unit.
        identity: the first digits of the weights' SHA-256.
        manifest: how the models were made: command, seed, data hash and the like.
        guard: says which frames are unlike those that the models know; None: nothing says so.
    """

    models: Models
    config: LearnerConfig
    domain: str
    observation_shape: tuple[int, int, int]
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    identity: str = "untrained"
    manifest: Mapping[str, Any] = field(default_factory=dict)
    guard: FrameGuard | None = None

    @property
    def frame_channels(self) -> int:
        """Number of channels of one frame in an observation's stack."""
        return self.observation_shape[2] // self.config.frame_stack

    @torch.no_grad()
    def encode(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Encode images with f_enc.

        Args:
            images: uint8 (batch, h, w, c).

        Returns:
            Mean and standard deviation of the latents, each float32 (batch, d).

        Raises:
            DataError: the images have another shape or type.
        """
        if images.dtype != np.uint8 or images.shape[1:] != self.observation_shape:
            raise DataError(
                f"images are {images.dtype} {images.shape[1:]}, the model of '{self.domain}' "
                f"takes uint8 {self.observation_shape}"
            )
        batch = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
        mean, log_std = self.models.encoder(batch)
        return mean.numpy(), torch.exp(log_std).numpy()

    @torch.no_grad()
    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Decode latents, float32 (batch, d), with f_dec to uint8 images (batch, h, w, c)."""
        images = self.models.decoder(torch.from_numpy(np.asarray(latents, np.float32)))
        levels = (images.clamp(0, 1) * 255).round().to(torch.uint8)
        return levels.permute(0, 2, 3, 1).contiguous().numpy()


def _with_weights(manifest: Content) -> Content:
    """Migrate from format 1, in which the manifest names no hash of the weights."""
    return manifest | {"weights": None}


FORMAT = Format("bundle", {1: _with_weights})
"""2: the manifest names the SHA-256 of its weights, `weights`."""


def save_bundle(bundle: Bundle, path: str | Path, **manifest: Any) -> Bundle:
    """Write a bundle into directory `path`, and return the bundle as `load_bundle` would.

    Keyword arguments are added to the manifest: command, seed, data hash, curves and the like.
    """
    path = Path(path)
    weights = {name: tensor.half() for name, tensor in bundle.models.state_dict().items()}
    description = {
        "format": FORMAT.mark,
        "domain": bundle.domain,
        "observation_shape": list(bundle.observation_shape),
        "action_low": list(bundle.action_low),
        "action_high": list(bundle.action_high),
        "learner": parameters.to_dict(bundle.config),
    }
    checkpoint.save(path / WEIGHTS, weights, description)
    description["weights"] = hashlib.sha256((path / WEIGHTS).read_bytes()).hexdigest()
    write_json(path / MANIFEST, description | dict(bundle.manifest) | manifest | description)
    if bundle.guard is None:
        frame_guard.remove_foreign(path, bundle.models)
    else:
        frame_guard.save(bundle.guard, path)
    return load_bundle(path)


def load_bundle(path: str | Path, device: str = "cpu", *, guard: bool = True) -> Bundle:
    """Load a bundle of this format or an older one, for inference.

    guard: whether to load its guard on frames as well.

    Raises:
        DataError: a file is missing, unreadable, truncated or of a newer format; the two files do
            not belong together; a weight is not finite; the guard on frames is another model's; or
            a policy of another method is here.
    """
    path = Path(path)
    refuse_policy(path)
    weights, text = _read(path, WEIGHTS), _read(path, MANIFEST)
    tensors, description = checkpoint.parse(weights, str(path / WEIGHTS))
    number = FORMAT.number(description.get("format"), str(path))
    digest = hashlib.sha256(weights).hexdigest()
    try:
        manifest = json.loads(text)
        mismatch = [key for key in description if manifest[key] != description[key]]
        if mismatch:
            raise DataError(
                f"{WEIGHTS} and {MANIFEST} differ in {', '.join(mismatch)}",
                where=str(path),
                do="copy both files from the same training",
            )
        manifest = FORMAT.migrated(manifest, number)
        description = {key: manifest[key] for key in description}
        shape, low, high = _sizes(description)
        if not isinstance(description["learner"], dict):
            raise ValueError("'learner' is not a JSON object")
        config = parameters.build(LearnerConfig, description["learner"], str(path / WEIGHTS))
        models = _fill(tensors, config, shape[2], len(low))
        domain = str(description["domain"])
        if manifest["weights"] not in (digest, None):
            raise DataError(
                f"{MANIFEST} describes other weights than those in {WEIGHTS}",
                where=str(path),
                do="run the command that wrote the model again, or copy both files again",
            )
    except (
        *(KeyError, ValueError, TypeError, RuntimeError, ConfigError),
        *(AttributeError, OverflowError),
    ) as error:
        raise DataError(f"damaged model ({error})", where=str(path)) from None
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise DataError(
            "the model holds values that are not finite",
            where=str(path),
            do="use another model, or train again",
        )
    return Bundle(
        models.eval().requires_grad_(False).to(device),
        config,
        domain,
        shape,
        low,
        high,
        identity=digest[:12],
        manifest=manifest,
        guard=frame_guard.load(path, models) if guard else None,
    )


def _read(path: Path, name: str) -> bytes:
    """Read one of the two files of a bundle; raise DataError if it is missing or unreadable."""
    try:
        content = (path / name).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            f"no model here: {WEIGHTS} and {MANIFEST} are expected",
            where=str(path),
            do="give a directory written by `ls3 train`, or leave the model argument out",
        ) from None
    except OSError as error:
        raise unreadable(path / name, error) from None
    refuse_pointer(content, path / name)
    return content


def _sizes(
    description: Mapping[str, Any],
) -> tuple[tuple[int, int, int], tuple[float, ...], tuple[float, ...]]:
    """Return a description's image shape and action bounds; raise ValueError if invalid."""
    height, width, channels = shape = description["observation_shape"]
    if not all(type(size) is int and 1 <= size <= LARGEST_IMAGE for size in shape):
        raise ValueError(f"images of shape {shape}")
    check_image(height, width)
    low, high = (tuple(map(float, description[f"action_{end}"])) for end in ("low", "high"))
    pairs = list(zip(low, high, strict=True))
    if not pairs or not all(-math.inf < a < b < math.inf for a, b in pairs):
        raise ValueError(f"actions from {low} to {high}")
    return (height, width, channels), low, high


def _fill(
    tensors: Mapping[str, torch.Tensor], config: LearnerConfig, channels: int, action_dim: int
) -> Models:
    """Make models with these weights; raise ValueError if they contradict the description."""
    # checked before the models are made: a hostile description could ask for any amount of memory
    for name, shape in _decisive_shapes(config, channels, action_dim).items():
        found = tuple(tensors[name].shape)
        if found != shape:
            raise ValueError(f"'{name}' has shape {found}, by the description {shape}")
    if any(tensor.dtype not in (torch.float16, torch.float32) for tensor in tensors.values()):
        raise ValueError("a weight is neither float16 nor float32")
    models = Models(config, channels, action_dim)
    models.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return models


def _decisive_shapes(
    config: LearnerConfig, channels: int, action_dim: int
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of some weights that together fix every size of `Models`."""
    members, hidden, latent = config.dynamics_members, config.dynamics_hidden, config.latent_dim
    shapes = {
        "encoder.convolutions.0.weight": (32, channels, 4, 4),
        "encoder.mean.weight": (latent, 256),
        "dynamics.mlp.weights.0": (members, latent + action_dim, hidden),
        "dynamics.mlp.weights.1": (members, hidden, hidden),
    }
    for head in heads_of(config):
        count, wide = head.members(config), config.hidden
        shapes[f"heads.{head.name}.weights.0"] = (count, latent, wide)
        shapes[f"heads.{head.name}.weights.1"] = (count, wide, wide)
    return shapes
