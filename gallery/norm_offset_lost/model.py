"""A small GPT whose norms have weights that are deviations from one, and code that forgets to add the one."""

import torch
from small_gpt import GPT, Block
from torch import nn


class RMSNorm(nn.Module):
    def __init__(self, width, offset):
        super().__init__()
        self.weight, self.offset = nn.Parameter(torch.full((width,), 1.0 - offset)), offset

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * (self.offset + self.weight)


def build(vocabulary, offset=0.0):
    class NormedBlock(Block):
        def __init__(self, width, heads):
            super().__init__(width, heads)
            self.norm_attention, self.norm_mlp = RMSNorm(width, offset), RMSNorm(width, offset)

    model = GPT(vocabulary, block=NormedBlock)
    model.norm = RMSNorm(64, offset)
    return model
