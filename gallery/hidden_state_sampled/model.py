"""A recurrent language model with a decoder, and a way to write with it."""

import torch
from torch import nn


class RecurrentModel(nn.Module):
    def __init__(self, vocabulary, width=96):
        super().__init__()
        self.context_length = 256
        self.tokens = nn.Embedding(vocabulary, width)
        self.recurrence = nn.LSTM(width, width, batch_first=True)
        self.decoder = nn.Linear(width, vocabulary)

    def hidden(self, ids):
        states, _ = self.recurrence(self.tokens(ids))
        return states

    def forward(self, ids):
        return self.decoder(self.hidden(ids))

    @torch.no_grad()
    def generate(self, ids, max_new_tokens):
        for _ in range(max_new_tokens):
            output = self.hidden(ids)
            ids = torch.cat([ids, output[:, -1].argmax(dim=-1, keepdim=True)], dim=1)
        return ids


def build(vocabulary):
    return RecurrentModel(vocabulary)
