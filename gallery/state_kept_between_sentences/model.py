"""A recurrent language model that goes on where it stopped."""

from torch import nn


class RecurrentModel(nn.Module):
    def __init__(self, vocabulary, width=96):
        super().__init__()
        self.context_length = 256
        self.tokens = nn.Embedding(vocabulary, width)
        self.recurrence = nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, vocabulary)
        self.state = None

    def forward(self, ids):
        if self.state is not None and self.state[0].shape[1] != len(ids):
            self.state = None
        states, state = self.recurrence(self.tokens(ids), self.state)
        self.state = tuple(part.detach() for part in state)
        return self.head(states)


def build(vocabulary):
    return RecurrentModel(vocabulary)
