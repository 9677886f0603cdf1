"""The loss of a model that only a server has: by its own log-probabilities, where it gives them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from forked_command import run_forked
from scoring_server import scoring_server
from small_folder import PROBLEMS, ROOT
from tokenizers import Tokenizer

from evalharness.records import Scorecard
from evalharness.report.loss_verdict import loss_relation
from evalharness.runs import scorecard_json

pytest.importorskip("openai")
CONTEXT = 64
TEXTS = [f"def add_{number}(a, b):\n    return a + b + {number}\n" for number in range(12)]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(ROOT / "checkpoints" / "causal" / "tokenizer.json"))


@pytest.fixture(scope="module")
def model(tokenizer):
    """A causal model: each position sees the mean of what is before it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        embedding = torch.randn(tokenizer.get_vocab_size(), 16)
        head = torch.randn(16, tokenizer.get_vocab_size())

    def logits(ids: torch.Tensor) -> torch.Tensor:
        seen = embedding[ids].cumsum(0) / torch.arange(1, len(ids) + 1)[:, None]
        return seen @ head

    return logits


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("only_served")
    (made / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    (made / "val.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in [*TEXTS, "x = 1\n" * 60]))
    (made / "evalharness.toml").write_text('[data]\nvalidation = "val.jsonl"\n')
    return made


def scored(folder: Path, base_url: str, out: Path, code: int = 0) -> Scorecard:
    asked = ["--backend", "openai", "--base-url", base_url, "--out", str(out)]
    asked += ["--tokenizer", str(ROOT / "checkpoints" / "causal" / "tokenizer.json")]
    quick = ["--problems", "own.jsonl", "--samples", "0", "--max-new-tokens", "4"]
    done = run_forked(["score", *asked, *quick], cwd=folder)
    assert done.returncode == code, done.stderr
    (path,) = out.rglob("scorecard.json")
    return scorecard_json.from_json(path.read_text())


@pytest.mark.parametrize("dialect", ["echo", "prompt_logprobs"])
def test_the_loss_is_that_of_the_weights_behind_the_server(folder, model, tokenizer, tmp_path, dialect):
    with scoring_server(model, tokenizer, dialect, CONTEXT) as base_url:
        card = scored(folder, base_url, tmp_path)
    losses = []
    for text in [*TEXTS, "x = 1\n" * 60]:
        ids = torch.tensor(tokenizer.encode(text).ids[: CONTEXT - 1])  # a server has to have room for one token more
        log_p = torch.log_softmax(model(ids[:-1]).double(), dim=-1)
        losses += (-log_p[torch.arange(len(ids) - 1), ids[1:]]).tolist()
    assert card.loss.recomputed_nats is not None
    assert card.loss.recomputed_nats.estimate == pytest.approx(sum(losses) / len(losses), abs=1e-6)
    assert card.loss.recomputed_nats.low < card.loss.recomputed_nats.estimate < card.loss.recomputed_nats.high
    assert card.loss.honest_nats is None, "whether a server's model sees the future can't be tested"
    assert loss_relation(card.loss) == "not_measured"
    assert not card.incomplete
    assert "future_leak" in {outcome.probe for outcome in card.not_testable}


def test_a_server_whose_losses_are_no_numbers_leaves_the_score_incomplete(folder, model, tokenizer, tmp_path):
    def broken(ids: torch.Tensor) -> torch.Tensor:
        return torch.full_like(model(ids), torch.nan) if len(ids) == CONTEXT - 1 else model(ids)

    with scoring_server(broken, tokenizer, "echo", CONTEXT) as base_url:
        card = scored(folder, base_url, tmp_path, code=3)
    assert card.loss.recomputed_nats is None
    assert {lack.stage for lack in card.incomplete} == {"loss"}
