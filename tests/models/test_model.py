import pytest
import torch
from torch import nn

from evalharness.models.torch.model import UncachedModel


class Greedy(nn.Module):
    """Needs more memory than there is for more than two rows; as a device says it, or as the CPU does."""

    def __init__(self, error):
        super().__init__()
        self.embedding, self.error = nn.Embedding(5, 5), error

    def forward(self, ids):
        if len(ids) > 2:
            raise self.error
        return self.embedding(ids)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_where_memory_runs_out_rows_are_run_in_halves_with_the_same_logits(error):
    module = Greedy(error)
    model = UncachedModel(module, context_length=8, vocabulary_rows=5)
    ids = torch.arange(36).reshape(9, 4) % 5
    assert torch.equal(model.logits(ids), module.embedding(ids))
    assert model.fewest_rows == 1
