"""The networks compute what the paper's layers compute."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from ls3_models.networks import Decoder, Encoder, StackedMLP, WholeConvolution
from ls3_models.plain import PlainEnsemble

pytestmark = pytest.mark.background


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


def test_the_decoder_s_linear_layer_is_a_transposed_convolution_of_one_pixel():
    torch.manual_seed(0)
    linear = Decoder(3, 8).input[1]
    hidden = torch.randn(2, 256)
    kernel = linear.weight.view(128, 5, 5, 256).permute(3, 0, 1, 2)
    pixels = functional.conv_transpose2d(hidden[..., None, None], kernel, stride=2)
    pixels += linear.bias.view(128, 5, 5)
    torch.testing.assert_close(linear(hidden).view(-1, 128, 5, 5), pixels)


def test_the_encoder_s_last_layer_equals_a_plain_convolution():
    torch.manual_seed(0)
    layer = WholeConvolution(3, 8, 4, stride=2).to(memory_format=torch.channels_last)
    images = torch.randn(2, 3, 4, 4)
    plain = functional.conv2d(images, layer.weight, layer.bias, stride=2).flatten(1)
    torch.testing.assert_close(layer(images), plain)
    torch.testing.assert_close(layer(images.contiguous(memory_format=torch.channels_last)), plain)


def test_stacked_networks_equal_separate_ones():
    torch.manual_seed(0)
    stacked = StackedMLP(3, (4, 8, 2))
    rows = torch.randn(3, 5, 4)
    torch.testing.assert_close(stacked(rows), PlainEnsemble(stacked)(rows))
