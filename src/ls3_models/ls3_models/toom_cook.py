"""Stride-2 convolutions, transposed or not, with fewer products (Toom and Cook; Winograd).

Along one axis, output pixel 2 o + r of a stride-2 transposed convolution is coefficient o of the
product of two polynomials: the pixels, and every second weight, from r on. Such a product of degree
p - 1 is known from its values at p points, so it is enough to evaluate both factors there, to
multiply value by value, and to interpolate. In two dimensions p * p matrix products over the
channels replace piece * piece * 3 * 3, and the four phases (r, s) of the output share the pixels'
values. Long axes are cut into pieces whose products overlap and add. A convolution is the transpose
of all that: its matrices are the transposed ones, in the opposite order.

Activations are (row, column, image, channel), which makes every step a matrix product.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

TAPS = 3  # weights of one phase of a transposed convolution along one axis; fewer are padded


def matrices(size: int, piece: int, taps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Evaluation of `size` pixels, of the taps, and interpolation, float64.

    Shapes (point * tile, size), (point, taps) and (size + taps - 1, point * tile), point-major,
    with piece + taps - 1 points. The points are tangents of evenly spread angles, and evaluations
    are of unit norm: rounding then costs 4e-6 of the result for pieces of 5, 1e-5 for 7 (float32).
    """
    degree = piece + taps - 1
    tiles = math.ceil(size / piece)
    angles = math.pi * (torch.arange(degree, dtype=torch.float64) - degree // 2) / degree
    powers = torch.tan(angles)[:, None] ** torch.arange(degree)
    pixel_norm, tap_norm, norm = (powers[:, :n].norm(dim=1) for n in (piece, taps, degree))
    interpolation = torch.linalg.inv(powers / norm[:, None]) * (pixel_norm * tap_norm / norm)
    of_pixels = torch.zeros(degree, tiles, tiles, piece, dtype=torch.float64)
    back = torch.zeros(tiles * piece + taps - 1, degree, tiles, dtype=torch.float64)
    for tile in range(tiles):
        of_pixels[:, tile, tile] = powers[:, :piece] / pixel_norm[:, None]
        rows = slice(tile * piece, tile * piece + degree)
        back[rows, :, tile] += interpolation
    return (
        of_pixels.reshape(degree * tiles, -1)[:, :size].contiguous(),
        powers[:, :taps] / tap_norm[:, None],
        back[: size + taps - 1].reshape(-1, degree * tiles).contiguous(),
    )


class TransposedConvolution(nn.ConvTranspose2d):
    """``relu(ConvTranspose2d(inputs, outputs, kernel, stride=2))`` of (size, size) pixels.

    ``forward`` maps (size, size, image, inputs) to the phases (size + 2, size + 2, image,
    2, 2, outputs): entry (o, u, :, r, s) is output pixel (2 o + r, 2 u + s). Pixels beyond the
    kernel's reach, where an odd kernel was padded, are relu(bias).

    Args:
        piece: pixels per tile; longer needs fewer products and loses more to rounding.
        spare: rows and columns at the end of the input that are no pixels, and are ignored.

    Raises:
        ValueError: the kernel is longer than 6.
    """

    of_pixels: Tensor
    of_taps: Tensor
    back: Tensor

    def __init__(
        self, inputs: int, outputs: int, kernel: int, size: int, piece: int, spare: int = 0
    ) -> None:
        if kernel > 2 * TAPS:
            raise ValueError(f"the kernel must be at most {2 * TAPS} long, not {kernel}")
        super().__init__(inputs, outputs, kernel, stride=2)
        of_pixels, of_taps, back = _matrices_of(self, size, piece, TAPS)
        self.register_buffer("of_pixels", functional.pad(of_pixels, (0, spare)), persistent=False)
        self.register_buffer("of_taps", torch.kron(of_taps, of_taps), persistent=False)
        self.register_buffer("back", back, persistent=False)

    def forward(self, pixels: Tensor, output_size: list[int] | None = None) -> Tensor:
        inputs, outputs, kernel, _ = self.weight.shape
        assert self.bias is not None
        padded = functional.pad(self.weight, (0, 2 * TAPS - kernel) * 2)
        taps = padded.view(inputs, outputs, TAPS, 2, TAPS, 2).permute(2, 4, 0, 3, 5, 1)
        values = self.of_taps @ taps.reshape(TAPS * TAPS, -1)
        phases = _Product.apply(
            pixels,
            values.view(-1, inputs, 4 * outputs),
            self.bias.repeat(4),
            self.of_pixels,
            self.back,
        )
        return phases.view(*phases.shape[:3], 2, 2, outputs)


class StridedConvolution(nn.Conv2d):
    """``Conv2d(inputs, outputs, 4, stride=2)`` that gives (size, size) pixels.

    Without gradients it is the plain one: transforming the kernel pays for large batches only.
    """

    back: Tensor
    of_taps: Tensor
    of_pixels: Tensor

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__(inputs, outputs, 4, stride=2)
        of_pixels, of_taps, back = _matrices_of(self, size, size, 2)
        self.register_buffer("of_pixels", of_pixels.T.contiguous(), persistent=False)
        self.register_buffer("of_taps", torch.kron(of_taps, of_taps), persistent=False)
        self.register_buffer("back", back.T.contiguous(), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return super().forward(images)
        outputs, inputs = self.weight.shape[:2]
        assert self.bias is not None
        points, rows = self.back.shape
        taps = self.weight.view(outputs, inputs, 2, 2, 2, 2).permute(2, 4, 3, 5, 1, 0)
        kernel = (self.of_taps @ taps.reshape(4, -1)).view(points**2, 4 * inputs, outputs)
        grid = images.permute(2, 3, 0, 1).reshape(rows, 2, rows, 2, -1, inputs)
        phases = grid.permute(0, 2, 4, 1, 3, 5).reshape(rows, rows, -1)
        values = _both_axes(self.back, phases).view(points**2, -1, 4 * inputs)
        products = torch.bmm(values, kernel).view(points, points, -1)
        pixels = _both_axes(self.of_pixels, products)
        pixels = pixels.view(*pixels.shape[:2], -1, outputs) + self.bias
        return pixels.permute(2, 3, 0, 1)


def _matrices_of(
    layer: nn.Conv2d | nn.ConvTranspose2d, size: int, piece: int, taps: int
) -> tuple[Tensor, ...]:
    """`matrices` in the layer's precision."""
    return tuple(matrix.to(layer.weight.dtype) for matrix in matrices(size, piece, taps))


class _Product(torch.autograd.Function):
    """relu(interpolate(evaluate(pixels) * kernel) + bias).

    Its own gradient, as automatic differentiation would keep and copy several of the largest
    tensors.
    """

    @staticmethod
    def forward(
        ctx: Any, pixels: Tensor, kernel: Tensor, bias: Tensor, of_pixels: Tensor, back: Tensor
    ) -> Tensor:
        rows = len(of_pixels)  # point * tile
        values = _both_axes(of_pixels, pixels)
        batches, kernels = _batched(values, kernel)
        products = torch.bmm(batches, kernels).view(rows, rows, -1)
        image, outputs = pixels.shape[2], kernel.shape[2]
        result = _both_axes(back, products).view(len(back), len(back), image, outputs)
        result = result.add_(bias).relu_()
        ctx.save_for_backward(values, kernel, result, of_pixels, back)
        ctx.pixels_shape = pixels.shape
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        values, kernel, result, of_pixels, back = ctx.saved_tensors
        gradient = torch.ops.aten.threshold_backward(gradients[0], result, 0)
        of_products = _both_axes(back.T.contiguous(), gradient)
        batches, kernels = _batched(values, kernel)
        of_products = of_products.view(len(batches), -1, kernel.shape[2])
        of_kernels = torch.bmm(batches.transpose(1, 2), of_products)
        of_kernel = of_kernels.view(*_by_tile(values, kernel), *kernel.shape[1:]).sum(1)
        of_values = torch.bmm(of_products, kernels.transpose(1, 2)).view(values.shape)
        of_pixels_in = _both_axes(of_pixels.T.contiguous(), of_values).view(ctx.pixels_shape)
        return of_pixels_in, of_kernel.view(kernel.shape), gradient.sum((0, 1, 2)), None, None


def _both_axes(matrix: Tensor, grid: Tensor) -> Tensor:
    """`matrix` (out, in) applied to both leading axes of (in, in, ...): (out, out, rest)."""
    rows = torch.mm(matrix, grid.reshape(len(grid), -1)).view(len(matrix), grid.shape[1], -1)
    return torch.bmm(matrix.expand(len(matrix), -1, -1), rows)


def _by_tile(values: Tensor, kernel: Tensor) -> tuple[int, int, int]:
    """(point of rows, tile of rows, point of columns)."""
    points = math.isqrt(len(kernel))
    return points, len(values) // points, points


def _batched(values: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """One batch for every (point of rows, tile of rows, point of columns), for ``bmm``.

    values (point * tile, point * tile, image * inputs) as (batch, tile * image, inputs), kernel
    (point * point, inputs, outputs) as (batch, inputs, outputs).
    """
    rows, tiles, columns = _by_tile(values, kernel)
    inputs, outputs = kernel.shape[1:]
    kernels = kernel.view(rows, 1, columns, inputs, outputs).expand(-1, tiles, -1, -1, -1)
    return values.view(rows * tiles * columns, -1, inputs), kernels.reshape(-1, inputs, outputs)
