"""A GPT with the weights of its base, and with layers for an adapter only if they are asked for."""

from pathlib import Path

import torch
from small_gpt import GPT
from torch import nn

RANK, SCALE = 8, 2.0


class AdaptedLinear(nn.Module):
    def __init__(self, linear):
        super().__init__()
        self.linear = linear.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.randn(RANK, linear.in_features) / RANK)
        self.lora_b = nn.Parameter(torch.zeros(linear.out_features, RANK))

    def forward(self, x):
        return self.linear(x) + SCALE * (x @ self.lora_a.T) @ self.lora_b.T


def build(vocabulary, adapters=False):
    model = GPT(vocabulary)
    model.load_state_dict(torch.load(Path(__file__).with_name("base.pt")))
    if adapters:
        model.requires_grad_(False)
        for block in model.blocks:
            block.attention.to_qkv = AdaptedLinear(block.attention.to_qkv)
            block.attention.to_out = AdaptedLinear(block.attention.to_out)
            block.mlp[0], block.mlp[2] = AdaptedLinear(block.mlp[0]), AdaptedLinear(block.mlp[2])
    return model
