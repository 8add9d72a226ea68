"""The networks compute what the paper's layers compute."""

import torch
from torch import nn
from torch.nn import functional

from ls3_models.networks import Decoder, Encoder, StackedMLP, StridedConvolution, SubPixelTransposed


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


def test_sub_pixel_transposed_equals_the_plain_one():
    torch.manual_seed(0)
    layer = SubPixelTransposed(8, 3, 6)
    images = torch.randn(2, 8, 13, 13)
    plain = functional.conv_transpose2d(images, layer.weight, layer.bias, stride=2)
    torch.testing.assert_close(layer(images), plain)


def test_stacked_networks_equal_separate_ones():
    torch.manual_seed(0)
    stacked = StackedMLP(3, (4, 8, 2))
    rows = torch.randn(3, 5, 4)
    together = stacked(rows)
    for member in range(3):
        hidden = torch.relu(rows[member] @ stacked.weights[0][member] + stacked.biases[0][member])
        alone = hidden @ stacked.weights[1][member] + stacked.biases[1][member]
        torch.testing.assert_close(together[member], alone)
