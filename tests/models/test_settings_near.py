"""What makes a model of bare weights is found where a run keeps its settings, or it is said what is not known."""

import argparse
import base64
import dataclasses
import json

import pytest
import torch
import yaml

from evalharness.models.torch.projects import Place
from evalharness.models.torch.projects.matching import match
from evalharness.models.torch.saved_values import plain_values
from evalharness.models.torch.tokenizer_lookup import lone_ranks

CODE = """
from torch import nn


class Net(nn.Module):
    def __init__(self, vocab_size=17, width=8, n_head=2):
        super().__init__()
        self.n_head = n_head
        self.wte, self.out = nn.Embedding(vocab_size, width), nn.Linear(width, vocab_size)

    def forward(self, ids):
        return self.out(self.wte(ids))
"""
SETTINGS = {"vocab_size": 17, "width": 8, "n_head": 4}


def run_of(folder, saved=None):
    """The code, and a checkpoint in a folder of its own below it; its file."""
    (folder / "pyproject.toml").touch()
    (folder / "net.py").write_text(CODE)
    model: dict = {}
    exec(CODE, model)
    weights = folder / "checkpoint_3" / "state.pt"
    weights.parent.mkdir()
    torch.save({"net": model["Net"](**SETTINGS).state_dict(), **(saved or {})}, weights)
    return weights


@pytest.mark.parametrize(("suffix", "text"), [("yaml", yaml.safe_dump), ("yml", yaml.safe_dump), ("json", json.dumps)])
def test_settings_lie_in_a_file_above_the_checkpoint(tmp_path, suffix, text):
    weights = run_of(tmp_path)
    (tmp_path / f"config.{suffix}").write_text(text({"model": SETTINGS, "lr": 0.001}))
    proposal = match(Place(weights, tmp_path, trust=True))
    assert (proposal.args, proposal.notes) == (SETTINGS, ())


def test_the_nearer_file_of_settings_counts(tmp_path):
    weights = run_of(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**SETTINGS, "n_head": 8}))
    (weights.parent / "config.yaml").write_text(yaml.safe_dump(SETTINGS))
    assert match(Place(weights, tmp_path, trust=True)).args == SETTINGS


def test_settings_are_those_of_argparse_that_were_saved(tmp_path):
    weights = run_of(tmp_path, {"args": argparse.Namespace(**SETTINGS, data="a.txt")})
    assert match(Place(weights, tmp_path, trust=True)).args == SETTINGS


def test_a_number_of_heads_that_nothing_tells_is_named(tmp_path):
    proposal = match(Place(run_of(tmp_path), tmp_path, trust=True))
    assert "n_head" not in proposal.args
    (note,) = proposal.notes
    assert "n_head" in note.split(": ")


def test_a_dataclass_holds_settings_as_a_table_does():
    record = dataclasses.make_dataclass("Config", SETTINGS)(**SETTINGS)
    assert plain_values({"config": record, "type": type(record)}) == SETTINGS


def test_ranks_are_taken_under_any_name_if_no_others_lie_there(tmp_path):
    for name, found in (("a.tiktoken", True), ("b.tiktoken", False)):
        (tmp_path / name).write_text(f"{base64.b64encode(b'a').decode()} 0\n")
        assert bool(lone_ranks(tmp_path)) == found
