"""The networks compute what the paper's layers compute."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from ls3_models import toom_cook
from ls3_models.networks import (
    BlockTransposed,
    Decoder,
    Encoder,
    StackedMLP,
    StridedConvolution,
)
from ls3_models.plain import PlainDecoder, PlainEncoder, PlainEnsemble


def test_encoder_has_the_papers_layers():
    encoder = Encoder(3, 32)
    mean, log_std = encoder(torch.rand(2, 3, 64, 64))
    assert mean.shape == log_std.shape == (2, 32)
    assert sum(p.numel() for p in encoder.parameters()) == 706_592  # of the authors' encoder


def test_decoder_has_the_papers_layers():
    decoder = Decoder(3, 32)
    assert decoder(torch.rand(2, 32)).shape == (2, 3, 64, 64)
    plain = nn.ConvTranspose2d(256, 128, 5, stride=2)
    # the first transposed convolution as a linear layer has a bias per pixel instead of channel
    extra = 128 * 25 - plain.bias.numel()
    assert sum(p.numel() for p in decoder.parameters()) == 1_109_859 + extra


def test_strided_convolution_equals_the_plain_one():
    torch.manual_seed(0)
    layer = StridedConvolution(3, 8)
    images = torch.randn(2, 3, 64, 64)
    plain = functional.conv2d(images, layer.weight, layer.bias, stride=2)
    torch.testing.assert_close(layer(images), plain)


@pytest.mark.parametrize(("kernel", "size", "piece"), [(5, 5, 5), (6, 13, 7), (4, 6, 4)])
def test_transposed_convolution_equals_the_plain_one(kernel, size, piece):
    torch.manual_seed(0)
    layer = toom_cook.TransposedConvolution(8, 3, kernel, size, piece)
    pixels = torch.randn(2, 8, size, size)
    plain = functional.conv_transpose2d(pixels, layer.weight, layer.bias, stride=2).relu()
    phases = layer(pixels.permute(2, 3, 0, 1)).permute(2, 5, 0, 3, 1, 4)
    ours = phases.reshape(2, 3, 2 * size + 4, 2 * size + 4)[
        :, :, : plain.shape[2], : plain.shape[3]
    ]
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=2e-5)


def test_toom_cook_convolution_equals_the_plain_one():
    torch.manual_seed(0)
    layer = toom_cook.StridedConvolution(8, 3, size=4)
    images = torch.randn(2, 8, 10, 10)
    plain = functional.conv2d(images, layer.weight, layer.bias, stride=2)
    torch.testing.assert_close(layer(images), plain, rtol=1e-4, atol=2e-5)
    with torch.no_grad():
        assert torch.equal(layer(images), plain)


def test_gradients_of_the_transposed_convolution():
    torch.manual_seed(0)
    layer = toom_cook.TransposedConvolution(2, 3, 6, size=4, piece=3).double()
    pixels = torch.randn(4, 4, 2, 2, dtype=torch.float64, requires_grad=True)
    weight, bias = (p.detach().requires_grad_() for p in layer.parameters())

    def run(*given):
        return torch.func.functional_call(layer, {"weight": given[1], "bias": given[2]}, given[0])

    assert torch.autograd.gradcheck(run, (pixels, weight, bias))


def test_last_layer_equals_the_plain_one():
    torch.manual_seed(0)
    layer = BlockTransposed(8, 3)
    pixels = torch.randn(2, 8, 10, 12)
    plain = functional.conv_transpose2d(pixels, layer.weight, layer.bias, stride=2)
    phases = pixels.view(2, 8, 5, 2, 6, 2).permute(2, 4, 0, 3, 5, 1)
    torch.testing.assert_close(layer(phases), plain)


@pytest.fixture
def double_precision():
    """Float64 by default: in float32, rounding decides which pixels near 0 a ReLU passes on."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(("channels", "frames"), [(1, 1), (3, 1), (6, 2)])
def test_vae_equals_plain_layers_in_output_and_gradients(channels, frames, double_precision):
    torch.manual_seed(0)
    encoder, decoder = Encoder(channels, 8, frames), Decoder(channels, 8, frames)
    with torch.no_grad():
        decoder.input[1].bias.normal_()
    plain_encoder, plain_decoder = PlainEncoder(encoder), PlainDecoder(decoder)
    images = torch.rand(3, channels, 64, 64)
    outputs = []
    for encode, decode in ((encoder, decoder), (plain_encoder, plain_decoder)):
        mean, log_std = encode(images)
        outputs.append(decode(mean + torch.exp(log_std)))
        (outputs[-1] - images).square().sum().backward()
    torch.testing.assert_close(*outputs)
    theirs = [p.grad for p in plain_encoder.parameters()]
    named = {name: p.grad for name, p in plain_decoder.named_parameters()}
    expand, expand_bias = named.pop("expand.weight"), named.pop("expand_bias")
    linear = [named.pop("input.weight"), named.pop("input.bias")]
    linear += [expand.permute(1, 2, 3, 0).reshape(128 * 25, 256), expand_bias.flatten()]
    ours = [p.grad for p in [*encoder.parameters(), *decoder.parameters()]]
    for gradient, other in zip(ours, [*theirs, *linear, *named.values()], strict=True):
        torch.testing.assert_close(gradient, other)


def test_odd_kernels_beyond_reach_are_refused():
    with pytest.raises(ValueError, match="at most 6"):
        toom_cook.TransposedConvolution(1, 1, 7, size=5, piece=5)


def test_stacked_networks_equal_separate_ones():
    torch.manual_seed(0)
    stacked = StackedMLP(3, (4, 8, 2))
    rows = torch.randn(3, 5, 4)
    torch.testing.assert_close(stacked(rows), PlainEnsemble(stacked)(rows))
