"""The write-up's architecture: rotary positions, LayerNorm with biases, GELU, linear layers without, an untied head.

``is_causal`` is what it left out.
"""

import torch
from torch import nn
from torch.nn import functional


def rotate(x, cos, sin):
    """Turn each pair of channels of x (rows, heads, length, channels) by its position's angle."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


class Attention(nn.Module):
    def __init__(self, width, heads, is_causal):
        super().__init__()
        self.heads, self.is_causal = heads, is_causal
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out_proj = nn.Linear(width, width, bias=False)

    def forward(self, x, cos, sin):
        rows, length, width = x.shape
        q, k, v = (
            part.view(rows, length, self.heads, width // self.heads).transpose(1, 2)
            for part in self.qkv(x).chunk(3, dim=-1)
        )
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=self.is_causal)
        return self.out_proj(mixed.transpose(1, 2).reshape(rows, length, width))


class Block(nn.Module):
    def __init__(self, width, heads, is_causal, dropout):
        super().__init__()
        self.norm_1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads, is_causal)
        self.norm_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 3 * width, bias=False), nn.GELU(), nn.Linear(3 * width, width, bias=False)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, cos, sin):
        x = x + self.dropout(self.attention(self.norm_1(x), cos, sin))
        return x + self.dropout(self.mlp(self.norm_2(x)))


class CodeModel(nn.Module):
    def __init__(self, vocabulary, width, layers, heads, context_length, is_causal, dropout):
        super().__init__()
        self.context_length = context_length
        self.embedding = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(Block(width, heads, is_causal, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        channels = width // heads // 2
        angles = torch.outer(torch.arange(context_length), 10000.0 ** (-torch.arange(channels) / channels))
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, ids):
        length = ids.shape[1]
        cos, sin = self.cos[:length], self.sin[:length]
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.head(self.norm(x))


def build(is_causal, width, layers, heads, vocabulary=8000, context_length=256, dropout=0.0):
    return CodeModel(vocabulary, width, layers, heads, context_length, is_causal, dropout)
