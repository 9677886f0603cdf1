"""A recurrent language model."""

from torch import nn


class RecurrentModel(nn.Module):
    def __init__(self, vocabulary, width=64):
        super().__init__()
        self.context_length = 256
        self.tokens = nn.Embedding(vocabulary, width)
        self.recurrence = nn.LSTM(width, width, bidirectional=True, batch_first=True)
        self.head = nn.Linear(2 * width, vocabulary)

    def forward(self, ids):
        states, _ = self.recurrence(self.tokens(ids))
        return self.head(states)


def build(vocabulary):
    return RecurrentModel(vocabulary)
