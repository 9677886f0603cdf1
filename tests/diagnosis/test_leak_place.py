"""The first place where later positions reach an earlier one, in models that mix positions in every way."""

import pytest
import torch
from leak_models import ROWS, Decoder, Layer, causal, full, model, past_a_length, rows
from torch import nn
from torch.nn import functional

from evalharness.diagnosis import future_leak
from evalharness.records import Finding

WIDTH = 16


class Around(nn.Module):
    """A causal layer, and one more part that gets ``(rows, length, width)`` and gives the same."""

    def __init__(self, part):
        super().__init__()
        self.embedding = nn.Embedding(ROWS, WIDTH)
        self.attention = Layer(WIDTH, causal)
        self.part = part
        self.head = nn.Linear(WIDTH, ROWS)

    def forward(self, ids):
        x = self.embedding(ids)
        x = x + self.attention(x)
        return self.head(x + self.part(x))


class SameConvolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv1d(WIDTH, WIDTH, 3, padding=1)

    def forward(self, x):
        return self.convolution(x.transpose(1, 2)).transpose(1, 2)


class OverTime(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.GroupNorm(4, WIDTH)

    def forward(self, x):
        return self.norm(x.transpose(1, 2)).transpose(1, 2)


class MeanRouter(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(WIDTH, 2)
        self.experts = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))

    def forward(self, x):
        weights = self.gate(x.mean(dim=1)).softmax(-1)
        return sum(weights[:, None, i, None] * expert(x) for i, expert in enumerate(self.experts))


class OverQueries(nn.Module):
    """A causal mask, and a softmax over the queries where it belongs over the keys."""

    def forward(self, x):
        scores = (x @ x.transpose(1, 2)).masked_fill(~causal(x.shape[1]), -torch.inf)
        return torch.softmax(scores, dim=-2) @ x


class BetweenPositions(nn.Module):
    def __init__(self):
        super().__init__()
        self.between = nn.Linear(8, 8)

    def forward(self, x):
        blocks = functional.pad(x.transpose(1, 2), (0, -x.shape[1] % 8)).unflatten(2, (-1, 8))
        return self.between(blocks).flatten(2)[..., : x.shape[1]].transpose(1, 2)


class TopPositions(nn.Module):
    """Each expert chooses its positions, and so looks at all of them."""

    def forward(self, x):
        chosen = x.sum(-1).topk(x.shape[1] // 2, dim=1).indices
        return torch.zeros_like(x).scatter(
            1, chosen[..., None].expand(-1, -1, WIDTH), x.gather(1, chosen[..., None].expand(-1, -1, WIDTH))
        )


KINDS = {
    "same convolution": (SameConvolution, "part.convolution", "convolution", "conv1d"),
    "normalisation over time": (OverTime, "part.norm", "statistics", "group_norm"),
    "router by the mean": (MeanRouter, "part", "summary", "mean"),
    "softmax over queries": (OverQueries, "part", "attention", "softmax"),
    "weights between positions": (BetweenPositions, "part.between", "weights", "linear"),
    "experts that choose": (TopPositions, "part", "other", "topk"),
}


def place_of(make, **options):
    found = future_leak(model(make, **options), rows())
    assert isinstance(found, Finding)
    return found.evidence["place"]


@pytest.mark.parametrize(("part", "module", "mixing", "operation"), KINDS.values(), ids=KINDS.keys())
def test_the_module_and_the_operation_that_mix_positions_are_named(part, module, mixing, operation):
    place = place_of(lambda: Around(part()))
    assert (place["module"], place["mixing"], place["operation"]) == (module, mixing, operation)
    assert place["source"].startswith(("test_leak_place.py:", "leak_models.py:"))


def test_the_first_of_several_places_is_named():
    assert place_of(lambda: Decoder(causal, full, full))["module"] == "layers.1"


def test_a_leak_in_long_rows_alone_is_placed_in_a_module():
    place = place_of(lambda: Decoder(causal, past_a_length))
    assert (place["module"], place["mixing"]) == ("layers.1", "attention")


def test_torchs_own_layers_are_named_by_what_calls_them():
    place = place_of(lambda: Around(nn.TransformerEncoderLayer(WIDTH, 2, 32, batch_first=True)))
    assert place["module"] in {"part", "part.self_attn"}
    assert place["mixing"] == "attention"


def test_another_kind_of_leak_has_another_remedy():
    remedies = {future_leak(model(lambda p=part: Around(p())), rows()).remedy for part, *_ in KINDS.values()}
    assert len(remedies) == len({mixing for _, _, mixing, _ in KINDS.values()})
