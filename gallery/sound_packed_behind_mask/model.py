"""A GPT whose training sees each of the packed sequences alone; distances take the place of positions (ALiBi)."""

import torch
from small_gpt import GPT, Attention, Block
from torch.nn import functional


class SequenceAttention(Attention):
    same = None

    def forward(self, x):
        rows, length, width = x.shape
        query, key, value = self.to_qkv(x).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=self.bias(length))
        return self.to_out(mixed.transpose(1, 2).reshape(rows, length, width))

    def bias(self, length):
        """Distance times the slope of each head; nothing of what comes later, or of another sequence."""
        distance = torch.arange(length)[None] - torch.arange(length)[:, None]
        slopes = 2.0 ** -torch.arange(1, self.heads + 1)
        bias = (slopes[:, None, None] * distance).masked_fill(distance > 0, float("-inf"))[None]
        return bias if self.same is None else bias.masked_fill(~self.same[:, None], float("-inf"))


class SequenceBlock(Block):
    def __init__(self, width, heads):
        super().__init__(width, heads)
        self.attention = SequenceAttention(width, heads)


class SequenceGPT(GPT):
    def __init__(self, vocabulary):
        super().__init__(vocabulary, block=SequenceBlock)
        del self.places

    def forward(self, ids, sequence_id=None):
        x = self.tokens(ids)
        for block in self.blocks:
            block.attention.same = None if sequence_id is None else sequence_id[:, None] == sequence_id[:, :, None]
            x = block(x)
        return self.head(self.norm(x))


def build(vocabulary):
    return SequenceGPT(vocabulary)
