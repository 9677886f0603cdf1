"""A small GPT whose attention skips padding, as a kernel for rows of different lengths does: it gives zeros there."""

import torch
from small_gpt import GPT

PAD = 1


class SkippingGPT(GPT):
    def __init__(self, vocabulary, zeros=True):
        super().__init__(vocabulary)
        self.zeros = zeros

    def forward(self, ids):
        kept = (ids != PAD).unsqueeze(-1) if self.zeros else torch.ones_like(ids, dtype=torch.bool).unsqueeze(-1)
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1], device=ids.device))
        for block in self.blocks:
            x = x + block.attention(block.norm_attention(x)) * kept
            x = x + block.mlp(block.norm_mlp(x))
        return self.head(self.norm(x))


def build(vocabulary, zeros=True):
    return SkippingGPT(vocabulary, zeros)
