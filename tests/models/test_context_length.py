"""The longest input of a model is found before a run depends on it."""

from __future__ import annotations

import pytest
import torch

from evalharness.errors import EvaluationError
from evalharness.models.torch.model import UncachedModel

# Each says nothing of its context; what limits it differs.
SILENT = """
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, rows=48, width=8, {argument}=24):
        super().__init__()
        self.embed = nn.Embedding(rows, width)
        {limit}
        self.head = nn.Linear(width, rows)

    def forward(self, ids):
        x = self.embed(ids)
        {use}
        return self.head(x)
"""
LIMITS = {
    "an embedding of positions": (
        "self.where = nn.Embedding({n}, width)",
        "x = x + self.where(torch.arange(ids.shape[1]))",
    ),
    "an embedding of positions from 1 on": (
        "self.where = nn.Embedding({n} + 1, width)",
        "x = x + self.where(torch.arange(1, ids.shape[1] + 1)[None].expand_as(ids))",
    ),
    "a parameter": ("self.where = nn.Parameter(torch.zeros(1, {n}, width))", "x = x + self.where[:, : ids.shape[1]]"),
    "a mask": (
        "self.register_buffer('mask', torch.ones({n}, {n}).tril())",
        "x = (self.mask.masked_fill(self.mask == 0, 0)[: ids.shape[1], : ids.shape[1]] + 0) @ x",
    ),
}


def write(project, argument, limit, use, said="24"):
    project.write(
        "silent.py", SILENT.format(argument=argument, limit=limit.format(n=argument), use=use.format(n=argument))
    )
    project.manifest(f'factory = "silent.py:Model"\nargs = {{ {argument} = {said} }}')
    namespace = {}
    exec((project.folder / "silent.py").read_text(), namespace)
    torch.save(namespace["Model"](**{argument: int(said)}).state_dict(), project.folder / "m.pt")


@pytest.mark.parametrize("limited_by", LIMITS)
@pytest.mark.parametrize("length", ["24", "37"])
def test_the_context_is_found_whatever_limits_it(project, limited_by, length):
    write(project, "amount", *LIMITS[limited_by], said=length)
    assert project.load("m.pt").context_length == int(length)


def test_an_argument_of_the_factory_says_it(project):
    write(project, "block_size", "self.anything = block_size", "x = x * 1")
    assert project.load("m.pt").context_length == 24


def test_a_table_of_positions_is_believed_before_an_attribute_that_is_larger(project):
    limit = "self.context_length = 99; self.where = nn.Embedding({n}, width)"
    write(project, "amount", limit, "x = x + self.where(torch.arange(ids.shape[1]))")
    assert project.load("m.pt").context_length == 24


def test_a_model_without_a_limit_has_none(project):
    write(project, "amount", "self.anything = 0", "x = x.cumsum(1)")
    assert project.load("m.pt").context_length is None


def test_a_model_that_takes_only_some_lengths_gives_no_wrong_limit(project):
    write(project, "amount", "self.anything = 0", "assert ids.shape[1] in (3, 16, 32, 48), 'no such length'")
    assert project.load("m.pt").context_length is None


def test_an_index_error_at_a_length_names_the_key():
    module = torch.nn.Embedding(4, 4)
    model = UncachedModel(
        module, forward=lambda m, ids: m(torch.arange(ids.shape[1])), context_length=None, vocabulary_rows=4
    )
    with pytest.raises(EvaluationError, match=r"\sthan\s9:.*\scontext_length"):
        model.logits(torch.zeros((1, 9), dtype=torch.int64))
