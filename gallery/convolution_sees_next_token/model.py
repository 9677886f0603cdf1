"""A GPT whose blocks also mix neighbouring tokens."""

from small_gpt import GPT, Block
from torch import nn

KERNEL = 3


class MixingBlock(Block):
    def __init__(self, width, heads):
        super().__init__(width, heads)
        self.token_mixer = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, bias=False)

    def forward(self, x):
        x = x + self.attention(self.norm_attention(x))
        hidden = self.mlp(self.norm_mlp(x))
        return x + hidden + self.token_mixer(hidden.transpose(1, 2)).transpose(1, 2)


def build(vocabulary):
    return GPT(vocabulary, block=MixingBlock)
