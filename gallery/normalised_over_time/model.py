"""A GPT that is normalised as networks of convolutions are: over channels and time."""

from small_gpt import GPT, Block
from torch import nn


class SequenceNorm(nn.GroupNorm):
    def forward(self, x):
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class NormalisedBlock(Block):
    def __init__(self, width, heads):
        super().__init__(width, heads)
        self.norm_attention, self.norm_mlp = SequenceNorm(1, width), SequenceNorm(1, width)


def build(vocabulary):
    return GPT(vocabulary, block=NormalisedBlock)
