"""A GPT that is regularised in three ways, none of which is called dropout."""

import torch
from small_gpt import GPT, Block
from torch import nn
from torch.nn import functional

KEPT = 0.95


class RegularisedBlock(Block):
    def __init__(self, width, heads):
        super().__init__(width, heads)
        self.thinning = nn.Dropout(0.1)

    def forward(self, x):
        x = x + self.thinning(self.attention(self.norm_attention(x)))
        hidden = self.mlp(self.norm_mlp(x))
        if self.training:
            hidden = hidden * (torch.rand(len(x), 1, 1) < KEPT) / KEPT
        return x + functional.dropout(hidden, 0.05, self.training)


class NoisyGPT(GPT):
    def forward(self, ids):
        if not self.training:
            return super().forward(ids)
        handle = self.tokens.register_forward_hook(lambda _part, _given, out: out + 0.01 * torch.randn_like(out))
        try:
            return super().forward(ids)
        finally:
            handle.remove()


def build(vocabulary):
    return NoisyGPT(vocabulary, block=RegularisedBlock)
