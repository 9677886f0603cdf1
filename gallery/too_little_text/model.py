"""A recurrent language model: two layers of LSTM."""

from torch import nn


class RecurrentModel(nn.Module):
    def __init__(self, vocabulary, width=128):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.recurrence = nn.LSTM(width, width, num_layers=2, batch_first=True)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, ids):
        return self.head(self.recurrence(self.tokens(ids))[0])


def build(vocabulary):
    return RecurrentModel(vocabulary)
