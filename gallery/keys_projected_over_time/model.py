"""A GPT with fewer keys and values than tokens: a learned projection of the whole sequence, and a mask over them."""

import math

import small_gpt
import torch
from small_gpt import GPT
from torch import nn
from torch.nn import functional

CONTEXT, FEWER = 256, 32


class Attention(small_gpt.Attention):
    def __init__(self, width, heads):
        super().__init__(width, heads)
        self.to_fewer = nn.Linear(CONTEXT, FEWER, bias=False)

    def fewer(self, states):
        length = states.shape[-2]
        return functional.linear(states.transpose(-2, -1), self.to_fewer.weight[:, :length]).transpose(-2, -1)

    def forward(self, x):
        rows, length, width = x.shape
        query, key, value = self.to_qkv(x).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        key, value = self.fewer(key), self.fewer(value)
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        seen = torch.ones(length, FEWER, dtype=torch.bool, device=x.device).tril()
        weights = scores.masked_fill(~seen, float("-inf")).softmax(dim=-1)
        return self.to_out((weights @ value).transpose(1, 2).reshape(rows, length, width))


class Block(small_gpt.Block):
    def __init__(self, width, heads):
        super().__init__(width, heads)
        self.attention = Attention(width, heads)


def build(vocabulary):
    return GPT(vocabulary, block=Block)
