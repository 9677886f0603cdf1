"""Small decoders whose attention is masked in every way, sound and faulty."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from evalharness.models.torch.model import UncachedModel

ROWS = 30
CONTEXT = 160


def causal(length):
    return torch.ones(length, length, dtype=torch.bool).tril()


def full(length):
    return torch.ones(length, length, dtype=torch.bool)


def blocks_of_64(length):
    places = torch.arange(length)
    return causal(length) | (places[:, None] // 64 == places // 64)


def beyond_a_distance(length):
    places = torch.arange(length)
    return causal(length) | (places - places[:, None] > 100)


def last_token(length):
    mask = causal(length)
    mask[:, -1] = True
    return mask


def past_a_length(length):
    return full(length) if length > 128 else causal(length)


def next_token(length):
    places = torch.arange(length)
    return places <= places[:, None] + 1


def only_later(length):
    return causal(length).T


def sliding_window(length):
    places = torch.arange(length)
    return causal(length) & (places > places[:, None] - 8)


class Layer(nn.Module):
    def __init__(self, width, mask, hidden=-torch.inf, gain=1.0):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)
        self.dropout = nn.Dropout(0.2)
        self.mask, self.hidden, self.gain = mask, hidden, gain

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        scores = self.gain * q @ k.transpose(1, 2) / k.shape[-1] ** 0.5
        scores = scores.masked_fill(~self.mask(x.shape[1]), self.hidden)
        return self.dropout(self.out_proj(torch.softmax(scores, dim=-1) @ v))


class Decoder(nn.Module):
    def __init__(self, *masks, hidden=-torch.inf, width=16, gain=1.0):
        super().__init__()
        self.embedding = nn.Embedding(ROWS, width)
        self.places = nn.Embedding(CONTEXT, width)
        self.layers = nn.ModuleList(Layer(width, mask, hidden, gain) for mask in masks)
        self.head = nn.Linear(width, ROWS)

    def forward(self, ids):
        x = self.embedding(ids) + self.places(torch.arange(ids.shape[1]))
        for layer in self.layers:
            x = x + layer(x)
        return self.head(functional.layer_norm(x, x.shape[-1:]))


class Recurrent(nn.Module):
    def __init__(self, bidirectional=False):
        super().__init__()
        self.embedding = nn.Embedding(ROWS, 16)
        self.gru = nn.GRU(16, 16, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(32 if bidirectional else 16, ROWS)

    def forward(self, ids):
        return self.head(self.gru(self.embedding(ids))[0])


class Bag(nn.Module):
    """Looks at nothing but the token itself."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(ROWS, ROWS)

    def forward(self, ids):
        return self.embedding(ids)


def model(make, context_length=CONTEXT):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = make().eval().requires_grad_(False)
    return UncachedModel(module, context_length=context_length, vocabulary_rows=ROWS)


def rows(count=6, length=50):
    generator = torch.Generator().manual_seed(1)
    return torch.randint(1, ROWS, (count, length), generator=generator).tolist()
