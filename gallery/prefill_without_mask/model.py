"""A small GPT with caches of its own, which has a mask only without them; generate() begins with the whole prompt."""

import torch
from small_gpt import GPT, Attention, Block
from torch.nn import functional


class CachedAttention(Attention):
    def forward(self, x, cache=None):
        rows, length, width = x.shape
        query, key, value = self.to_qkv(x).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if cache:
            key, value = (torch.cat(pair, dim=2) for pair in zip(cache, (key, value), strict=True))
        if cache is not None:
            cache[:] = key, value
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=cache is None)
        return self.to_out(mixed.transpose(1, 2).reshape(rows, length, width))


class CachedBlock(Block):
    def __init__(self, width, heads):
        super().__init__(width, heads)
        self.attention = CachedAttention(width, heads)

    def forward(self, x, cache=None):
        x = x + self.attention(self.norm_attention(x), cache)
        return x + self.mlp(self.norm_mlp(x))


class CachedGPT(GPT):
    def forward(self, ids, caches=None, known=0):
        x = self.tokens(ids) + self.places(torch.arange(known, known + ids.shape[1], device=ids.device))
        for place, block in enumerate(self.blocks):
            x = block(x, None if caches is None else caches[place])
        return self.head(self.norm(x))

    @torch.no_grad()
    def generate(self, ids, max_new_tokens):
        caches, read, known = [[] for _ in self.blocks], ids, 0
        for _ in range(max_new_tokens):
            new = self(read, caches, known)[:, -1].argmax(dim=-1, keepdim=True)
            known += read.shape[1]
            read, ids = new, torch.cat([ids, new], dim=1)
        return ids


def build(vocabulary):
    return CachedGPT(vocabulary, block=CachedBlock)
