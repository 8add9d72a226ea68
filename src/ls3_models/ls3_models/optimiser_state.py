"""The state of Adam optimisers as named tensors, for checkpoints without pickle."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def tensors_of(optimisers: Mapping[str, torch.optim.Adam]) -> dict[str, Tensor]:
    """Return the state of optimisers as tensors ``optimiser.<name>.<parameter>.<entry>``."""
    return {
        f"optimiser.{name}.{index}.{key}": value
        for name, optimiser in optimisers.items()
        for index, entries in optimiser.state_dict()["state"].items()
        for key, value in entries.items()
    }


def load(optimisers: Mapping[str, torch.optim.Adam], tensors: Mapping[str, Tensor]) -> None:
    """Restore what `tensors_of` returned; each optimiser has one group of parameters.

    Raises:
        KeyError, RuntimeError, ValueError: a tensor is missing or has another shape.
    """
    for name, optimiser in optimisers.items():
        (group,) = optimiser.param_groups
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in part(tensors, f"optimiser.{name}").items():
            index, entry = key.split(".")
            if value.ndim:  # fused Adam requires the memory layout of the parameter
                value = torch.empty_like(group["params"][int(index)].data).copy_(value)
            state.setdefault(int(index), {})[entry] = value
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": state, "param_groups": groups})


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with ``<prefix>.``, without this beginning."""
    cut = len(prefix) + 1
    return {name[cut:]: t for name, t in tensors.items() if name.startswith(f"{prefix}.")}
