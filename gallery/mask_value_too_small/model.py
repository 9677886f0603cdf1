"""A GPT that masks with a number. The model is small, and so is the number."""

import math

import small_gpt
import torch
from small_gpt import GPT

MASKED = -5.0


class Attention(small_gpt.Attention):
    def forward(self, x):
        rows, length, width = x.shape
        query, key, value = self.to_qkv(x).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        seen = torch.ones(length, length, dtype=torch.bool, device=x.device).tril()
        weights = torch.where(seen, scores, torch.full_like(scores, MASKED)).softmax(dim=-1)
        return self.to_out((weights @ value).transpose(1, 2).reshape(rows, length, width))


class Block(small_gpt.Block):
    def __init__(self, width, heads):
        super().__init__(width, heads)
        self.attention = Attention(width, heads)


def build(vocabulary):
    return GPT(vocabulary, block=Block)
