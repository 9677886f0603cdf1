"""A GPT that may be told how long the prompt is, which then sees itself whole."""

import torch
from small_gpt import GPT, Attention, Block
from torch.nn import functional


class PromptAttention(Attention):
    def forward(self, x, prompt):
        rows, length, width = x.shape
        query, key, value = self.to_qkv(x).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        place = torch.arange(length, device=x.device)
        seen = (place[:, None] >= place)[None, None] | (place < prompt[:, None, None, None])
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        return self.to_out(mixed.transpose(1, 2).reshape(rows, length, width))


class PromptBlock(Block):
    def __init__(self, width, heads):
        super().__init__(width, heads)
        self.attention = PromptAttention(width, heads)

    def forward(self, x, prompt):
        x = x + self.attention(self.norm_attention(x), prompt)
        return x + self.mlp(self.norm_mlp(x))


class PromptGPT(GPT):
    def forward(self, ids, prompt=None):
        prompt = torch.zeros(len(ids), dtype=torch.long) if prompt is None else prompt
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1], device=ids.device))
        for block in self.blocks:
            x = block(x, prompt)
        return self.head(self.norm(x))


def build(vocabulary):
    return PromptGPT(vocabulary, block=PromptBlock)
