"""A GPT with a mixture of experts that is routed once for each sequence."""

import torch
from small_gpt import GPT, Block
from torch import nn

EXPERTS = 3


class RoutedBlock(Block):
    def __init__(self, width, heads):
        super().__init__(width, heads)
        self.router = nn.Linear(width, EXPERTS)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)) for _ in range(EXPERTS)
        )
        del self.mlp

    def forward(self, x):
        x = x + self.attention(self.norm_attention(x))
        hidden = self.norm_mlp(x)
        weights = self.router(hidden.mean(dim=1)).softmax(dim=-1)
        outputs = torch.stack([expert(hidden) for expert in self.experts], dim=-1)
        return x + (outputs * weights[:, None, None, :]).sum(dim=-1)


def build(vocabulary):
    return GPT(vocabulary, block=RoutedBlock)
