"""A small GPT that has no head: its embedding gives the logits."""

import torch
from small_gpt import GPT
from torch.nn import functional


class HeadlessGPT(GPT):
    def __init__(self, vocabulary):
        super().__init__(vocabulary)
        del self.head

    def forward(self, ids):
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1], device=ids.device))
        for block in self.blocks:
            x = block(x)
        return functional.linear(self.norm(x), self.tokens.weight)


def build(vocabulary):
    return HeadlessGPT(vocabulary)
