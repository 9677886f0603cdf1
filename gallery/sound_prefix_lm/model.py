"""A GPT whose first tokens see each other."""

import torch
from small_gpt import GPT, Attention, Block
from torch.nn import functional

PREFIX = 6


class PrefixAttention(Attention):
    def forward(self, x):
        rows, length, width = x.shape
        query, key, value = self.to_qkv(x).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        place = torch.arange(length, device=x.device)
        seen = (place[:, None] >= place) | (place < PREFIX)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        return self.to_out(mixed.transpose(1, 2).reshape(rows, length, width))


class PrefixBlock(Block):
    def __init__(self, width, heads):
        super().__init__(width, heads)
        self.attention = PrefixAttention(width, heads)


def build(vocabulary):
    return GPT(vocabulary, block=PrefixBlock)
