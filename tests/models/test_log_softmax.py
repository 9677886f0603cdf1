"""Log-probabilities of targets: the same in parts as over all logits, however large the vocabulary is."""

import pytest
import torch

from evalharness.models.log_softmax import in_chunks, log_probabilities_of


@pytest.mark.parametrize("positions", [0, 1, 7, 20])
@pytest.mark.parametrize("chunk", [1, 50, 10**6])
def test_chunks_give_what_all_logits_give(monkeypatch, positions, chunk):
    monkeypatch.setattr("evalharness.models.log_softmax.CHUNK", chunk)
    random = torch.Generator().manual_seed(positions)
    logits = 9 * torch.randn(positions, 17, generator=random)
    targets = torch.randint(17, (positions,), generator=random)
    expected = torch.log_softmax(logits.double(), dim=-1)[torch.arange(positions), targets]
    assert torch.equal(log_probabilities_of(logits, targets), expected)
    parts = list(in_chunks(logits))
    assert max((part.numel() for _, part in parts), default=0) <= max(chunk, 17)
    assert [places.start for places, _ in parts] == list(range(0, positions, max(1, chunk // 17)))
