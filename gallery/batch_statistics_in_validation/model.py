"""A GPT with batch normalisation."""

from small_gpt import GPT, Block
from torch import nn


class ChannelNorm(nn.BatchNorm1d):
    def forward(self, x):
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class NormalisedBlock(Block):
    def __init__(self, width, heads):
        super().__init__(width, heads)
        self.norm_attention, self.norm_mlp = ChannelNorm(width), ChannelNorm(width)


def build(vocabulary):
    return GPT(vocabulary, block=NormalisedBlock)
