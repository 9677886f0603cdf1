"""A GPT whose attention is written out."""

import math

import small_gpt
import torch
from small_gpt import GPT


class Attention(small_gpt.Attention):
    def forward(self, x):
        rows, length, width = x.shape
        query, key, value = self.to_qkv(x).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        seen = torch.ones(length, length, dtype=torch.bool, device=x.device).tril()
        weights = scores.masked_fill(~seen, float("-inf")).softmax(dim=-2)
        return self.to_out((weights @ value).transpose(1, 2).reshape(rows, length, width))


class Block(small_gpt.Block):
    def __init__(self, width, heads):
        super().__init__(width, heads)
        self.attention = Attention(width, heads)


def build(vocabulary):
    return GPT(vocabulary, block=Block)
