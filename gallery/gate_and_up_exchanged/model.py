"""A small GPT with gated layers, and code that applies the activation to the wrong half."""

from small_gpt import GPT, Block
from torch import nn
from torch.nn import functional


class Gated(nn.Module):
    def __init__(self, width, activated):
        super().__init__()
        self.gate, self.up = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, 3 * width, bias=False)
        self.down, self.activated = nn.Linear(3 * width, width, bias=False), activated

    def forward(self, x):
        gate, up = self.gate(x), self.up(x)
        if self.activated == "gate":
            return self.down(functional.silu(gate) * up)
        return self.down(functional.silu(up) * gate)


def build(vocabulary, activated="up"):
    class GatedBlock(Block):
        def __init__(self, width, heads):
            super().__init__(width, heads)
            self.mlp = Gated(width, activated)

    return GPT(vocabulary, block=GatedBlock)
