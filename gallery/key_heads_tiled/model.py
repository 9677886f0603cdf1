"""A small GPT with fewer heads of keys and values than of queries."""

import torch
from small_gpt import GPT, Block
from torch import nn
from torch.nn import functional


def tile(heads, times, dim):
    return torch.cat([heads] * times, dim=dim)


class GroupedAttention(nn.Module):
    def __init__(self, width, heads, key_heads, spread):
        super().__init__()
        self.heads, self.key_heads, self.spread = heads, key_heads, spread
        self.to_query = nn.Linear(width, width)
        self.to_key, self.to_value = (nn.Linear(width, width // heads * key_heads) for _ in range(2))
        self.to_out = nn.Linear(width, width)

    def split(self, x, heads):
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)

    def forward(self, x):
        query = self.split(self.to_query(x), self.heads)
        keys = (self.split(project(x), self.key_heads) for project in (self.to_key, self.to_value))
        key, value = (self.spread(own, self.heads // self.key_heads, dim=1) for own in keys)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.to_out(mixed.transpose(1, 2).flatten(2))


def build(vocabulary, spread=tile):
    class GroupedBlock(Block):
        def __init__(self, width, heads):
            super().__init__(width, heads)
            self.attention = GroupedAttention(width, heads, heads // 2, spread)

    return GPT(vocabulary, block=GroupedBlock)
