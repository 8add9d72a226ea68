"""`networks.cpp`: compiled once for this processor, called without torch's work per operation."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ls3_models import compiled
from ls3_models.models import Models
from ls3_models.networks import LOG_STD_MAX, LOG_STD_MIN, StackedMLP
from ls3_planner.rollout import Draws
from ls3_planner.workers import Workers

SOURCE = Path(__file__).with_name("networks.cpp")
HALVES = (torch.float16, torch.bfloat16)
"""What a search may compute in, the more exact one first; AMD's processors have the second only."""
PART_ROWS = 512  # of a head that a thread takes on at a time, about


def library() -> ctypes.CDLL | None:
    """Return the compiled networks, or None if they cannot be compiled here."""
    return compiled.library(SOURCE, "planning with torch's own layers")


def available(dtype: torch.dtype) -> bool:
    """Whether networks can be compiled that compute in `dtype`: float32, float16 or bfloat16."""
    found = library()
    return found is not None and hasattr(found, f"make_{_name(dtype)}")


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


class _Network:
    """One packed network of the library; freed with this object."""

    def __init__(self, name: str, mlp: StackedMLP, member: int) -> None:
        weights = [weight[member].detach().contiguous() for weight in mlp.weights]
        biases = [bias[member, 0].detach().contiguous() for bias in mlp.biases]
        count = len(weights)
        found = library()
        assert found is not None
        make, self._free = getattr(found, f"make_{name}"), getattr(found, f"free_{name}")
        make.restype = ctypes.c_void_p
        sizes = (ctypes.c_int * (count + 1))(*mlp.sizes)
        self.handle = ctypes.c_void_p(make(count, sizes, _pointers(weights), _pointers(biases)))

    def __del__(self) -> None:
        self._free(self.handle)


def _pointers(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


class CompiledNetworks:
    """Dynamics and heads in `dtype`; follows weights that are changed in place."""

    def __init__(self, models: Models, workers: Workers, dtype: torch.dtype) -> None:
        self._models, self._workers, self._name = models, workers, _name(dtype)
        self.head_list = models.head_list
        self._parameters = list(models.parameters())
        self._networks: dict[str, list[_Network]] = {}
        self._handles: dict[str, ctypes.Array[ctypes.c_void_p]] = {}
        self._version = -1
        found = library()
        assert found is not None
        self._read = getattr(found, f"read_{self._name}")
        self._roll_out = getattr(found, f"roll_out_{self._name}")

    def _refresh(self) -> None:
        """Pack the weights anew if they have changed."""
        version = sum(p._version for p in self._parameters)
        if version == self._version:
            return
        parts = {"dynamics": self._models.dynamics.mlp, **dict(self._models.heads.named_children())}
        for name, mlp in parts.items():
            assert isinstance(mlp, StackedMLP)
            networks = [_Network(self._name, mlp, member) for member in range(mlp.members)]
            self._networks[name] = networks
            self._handles[name] = (ctypes.c_void_p * len(networks))(*(n.handle for n in networks))
        self._version = version

    def roll_out(self, draws: Draws, actions: Tensor) -> Tensor:
        """z_{t+1..t+H}, (H, P, n, d), of candidates (n, H, A)."""
        self._refresh()
        (count, horizon, action), (particles, latent) = actions.shape, draws.first.shape
        out = actions.new_empty(horizon, particles, count, latent)
        inputs = [x.contiguous() for x in (draws.members, draws.first, draws.noise, actions)]
        pointers = [ctypes.c_void_p(x.data_ptr()) for x in inputs]
        bounds = ctypes.c_float(math.exp(LOG_STD_MIN)), ctypes.c_float(math.exp(LOG_STD_MAX))
        result = ctypes.c_void_p(out.data_ptr())

        def follow(particle: int) -> None:
            sizes = horizon, particles, particle, ctypes.c_int64(count), latent, action
            self._roll_out(self._handles["dynamics"], *pointers, *bounds, *sizes, result)

        self._workers.each(follow, range(particles))
        return out

    def read(self, name: str, latents: Tensor, member: int | None = None) -> Tensor:
        """See `Networks`."""
        self._refresh()
        flat = latents.reshape(-1, latents.shape[-1]).contiguous()
        handles = self._handles[name]
        if member is not None:
            handles = (ctypes.c_void_p * 1)(handles[member])
        out = flat.new_empty(len(handles), len(flat))
        rows, result = ctypes.c_void_p(flat.data_ptr()), ctypes.c_void_p(out.data_ptr())

        def read(begin: int) -> None:
            end = min(begin + part, len(flat))
            bounds = [ctypes.c_int64(x) for x in (begin, end, len(flat))]
            self._read(handles, len(handles), rows, *bounds, result)

        part = self._workers.share(len(flat), PART_ROWS)
        self._workers.each(read, range(0, len(flat), part))
        return out.reshape(len(handles), *latents.shape[:-1])
