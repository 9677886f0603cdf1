"""A GPT whose layers keep keys and values while it writes; distances take the place of positions (ALiBi)."""

import torch
from small_gpt import GPT, Attention, Block
from torch.nn import functional


class CachingAttention(Attention):
    use_cache, past = False, None

    def forward(self, x):
        rows, length, width = x.shape
        query, key, value = self.to_qkv(x).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if self.use_cache:
            if self.past is not None:
                key, value = (torch.cat(pair, dim=2) for pair in zip(self.past, (key, value), strict=True))
            self.past = key, value
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=self.bias(length, key.shape[2]))
        return self.to_out(mixed.transpose(1, 2).reshape(rows, length, width))

    def bias(self, length, known):
        """Distance times the slope of each head, and nothing of what comes later."""
        distance = torch.arange(known)[None] - torch.arange(known - length, known)[:, None]
        slopes = 2.0 ** -torch.arange(1, self.heads + 1)
        return (slopes[:, None, None] * distance).masked_fill(distance > 0, float("-inf"))[None]


class CachingBlock(Block):
    def __init__(self, width, heads):
        super().__init__(width, heads)
        self.attention = CachingAttention(width, heads)


class CachingGPT(GPT):
    def __init__(self, vocabulary):
        super().__init__(vocabulary, block=CachingBlock)
        del self.places

    def forward(self, ids):
        x = self.tokens(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))

    def inference_mode(self, use_cache):
        for block in self.blocks:
            block.attention.use_cache = use_cache

    @torch.no_grad()
    def generate(self, ids, max_new_tokens):
        self.inference_mode(use_cache=True)
        read = ids
        for _ in range(max_new_tokens):
            read = self(read)[:, -1].argmax(dim=-1, keepdim=True)
            ids = torch.cat([ids, read], dim=1)
        self.inference_mode(use_cache=False)
        return ids


def build(vocabulary):
    return CachingGPT(vocabulary)
