"""A GPT with dropout in its attention."""

import small_gpt
from small_gpt import GPT
from torch.nn import functional

DROPOUT = 0.2


class Attention(small_gpt.Attention):
    def forward(self, x):
        rows, length, width = x.shape
        query, key, value = self.to_qkv(x).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, dropout_p=DROPOUT, is_causal=True)
        return self.to_out(mixed.transpose(1, 2).reshape(rows, length, width))


class Block(small_gpt.Block):
    def __init__(self, width, heads):
        super().__init__(width, heads)
        self.attention = Attention(width, heads)


def build(vocabulary):
    return GPT(vocabulary, block=Block)
