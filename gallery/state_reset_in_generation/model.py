"""A recurrent language model, and a way to write with it token by token."""

import torch
from torch import nn


class RecurrentModel(nn.Module):
    def __init__(self, vocabulary, width=96):
        super().__init__()
        self.context_length = 256
        self.tokens = nn.Embedding(vocabulary, width)
        self.recurrence = nn.GRU(width, width, batch_first=True)
        self.decoder = nn.Linear(width, vocabulary)

    def forward(self, ids):
        states, _ = self.recurrence(self.tokens(ids))
        return self.decoder(states)

    @torch.no_grad()
    def generate(self, ids, max_new_tokens):
        read = ids
        for _ in range(max_new_tokens):
            read = self(read)[:, -1].argmax(dim=-1, keepdim=True)
            ids = torch.cat([ids, read], dim=1)
        return ids


def build(vocabulary):
    return RecurrentModel(vocabulary)
