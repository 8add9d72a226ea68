"""Ensembles of ReLU networks by `ensembles.cpp`, as an operation of torch's autograd.

PyTorch makes a pass over all activations for every bias, ReLU and gradient, and multiplies batches
of such small matrices more slowly than single ones. The compiled code gives the same numbers but
for rounding: it adds up in another order (docs/decisions/learning.md, record 200).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ls3_models import compiled

SOURCE = Path(__file__).with_name("ensembles.cpp")


def library() -> ctypes.CDLL | None:
    """Return the compiled code, or None if it cannot be compiled here."""
    return compiled.library(SOURCE, "training with torch's own layers")


def applies_to(rows: Tensor, weights: Sequence[Tensor]) -> bool:
    """Whether the compiled code can take these rows and weights: float32 on a CPU."""
    tensors = (rows, *weights)
    fits = all(x.dtype is torch.float32 and x.device.type == "cpu" for x in tensors)
    return fits and rows.ndim == 3 and rows.shape[1] > 0 and library() is not None


def apply(rows: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Tensor:
    """Evaluate `members` networks with ReLU between their layers.

    Args:
        rows: (member, row, inputs). Members may share the memory of their rows (`expand`).
        weights: of each layer, (member, inputs, outputs).
        biases: of each layer, (member, 1, outputs).

    Returns:
        (member, row, outputs).
    """
    if torch.is_grad_enabled():
        return _Ensemble.apply(rows, *weights, *biases)
    return _forward(rows, weights, biases, keep=False)[-1]


class _Ensemble(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, *parameters: Tensor) -> Tensor:
        count = len(parameters) // 2
        weights, biases = parameters[:count], parameters[count:]
        results = _forward(rows, weights, biases, keep=True)
        ctx.save_for_backward(rows, *weights, *results)
        return results[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        rows, *saved = ctx.saved_tensors
        count = len(saved) // 2
        weights, results = saved[:count], saved[count:]
        rows, step = _memory(rows)
        gradient = gradient.contiguous()
        of_weights = [torch.empty_like(weight) for weight in weights]
        of_biases = [weight.new_empty(len(weight), 1, weight.shape[2]) for weight in weights]
        of_rows = rows.new_empty(rows.shape) if ctx.needs_input_grad[0] else None
        found = library()
        assert found is not None
        found.ensemble_backward(
            *_shape(rows, weights),
            _pointer(rows),
            ctypes.c_int64(step),
            _pointers(weights),
            _pointers(results),
            _pointer(gradient),
            _pointers(of_weights),
            _pointers(of_biases),
            _pointer(of_rows),
        )
        return (of_rows, *of_weights, *of_biases)


def _forward(
    rows: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], *, keep: bool
) -> list[Tensor]:
    """Return the results of all layers, or of the last one if they are not kept."""
    members, count, last = len(weights[0]), rows.shape[1], len(weights) - 1
    if rows.shape != (members, count, weights[0].shape[1]):
        raise ValueError(f"rows {tuple(rows.shape)} for weights {tuple(weights[0].shape)}")
    rows, step = _memory(rows)
    results = [
        rows.new_empty(members, count, weight.shape[2]) if keep or layer == last else None
        for layer, weight in enumerate(weights)
    ]
    weights = [weight.contiguous() for weight in weights]
    biases = [bias.contiguous() for bias in biases]
    found = library()
    assert found is not None
    found.ensemble_forward(
        *_shape(rows, weights),
        _pointer(rows),
        ctypes.c_int64(step),
        _pointers(weights),
        _pointers(biases),
        _pointers(results),
    )
    return [result for result in results if result is not None]


def _memory(rows: Tensor) -> tuple[Tensor, int]:
    """Return rows (member, row, inputs) as the library reads them, and its step from member on."""
    if rows.stride(0) == 0 and rows[0].is_contiguous():
        return rows, 0
    return rows.contiguous(), rows.shape[1] * rows.shape[2]


def _shape(rows: Tensor, weights: Sequence[Tensor]) -> tuple[Any, ...]:
    sizes = (rows.shape[2], *(weight.shape[2] for weight in weights))
    packed = (ctypes.c_int * len(sizes))(*sizes)
    return len(weights), packed, len(rows), rows.shape[1], torch.get_num_threads()


def _pointer(tensor: Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def _pointers(tensors: Sequence[Tensor | None]) -> ctypes.Array[ctypes.c_void_p]:
    pointers = (None if tensor is None else tensor.data_ptr() for tensor in tensors)
    return (ctypes.c_void_p * len(tensors))(*pointers)
