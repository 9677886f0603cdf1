"""A model with a chat template is asked in both formats of the prompt, and both pass rates stand on its card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import evalharness
from evalharness import pipeline
from evalharness.records import FormatComparison
from evalharness.report.shares import FORMAT_OPTIONS

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
ANSWER = "```python\ndef add(a, b):\n    return a + b\n```"
MODEL = """
import torch
from torch import nn


class Answering(nn.Module):
    \"\"\"After the marker it writes its answer and an end; without one it writes newlines.\"\"\"

    def __init__(self, rows, marker, answer, newline):
        super().__init__()
        self.context_length = 1024
        self.marker, self.newline = marker, newline
        self.logits = nn.Parameter(20 * torch.eye(rows))
        self.register_buffer("answer", torch.tensor(answer), persistent=False)

    def forward(self, ids):
        places = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
        begins = torch.where(ids == self.marker, places, -1).cummax(1).values
        said = self.answer[(places - begins).clamp(0, len(self.answer) - 1)]
        return self.logits[torch.where(begins < 0, self.newline, said)]


def build(**args):
    return Answering(**args)
"""
PROBLEMS = 12


@pytest.fixture
def folder(tmp_path: Path, monkeypatch):
    """A model that solves its problems in the chat alone; ``eos`` decides whether it counts as tuned on the chat."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    monkeypatch.chdir(tmp_path)

    def make(eos: str) -> str:
        characters = ["<end>", *(chr(i) for i in range(33, 127)), "Ġ", "Ċ"]
        made = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(characters)}, merges=[]))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        made.decoder = decoders.ByteLevel()
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=made)
        tokenizer.add_special_tokens({"additional_special_tokens": ["<|user|>", "<|assistant|>", "<|end|>"]})
        tokenizer.eos_token, tokenizer.chat_template = eos, TEMPLATE
        tokenizer.save_pretrained("model/tokenizer")
        args = {
            "rows": len(tokenizer),
            "marker": tokenizer.convert_tokens_to_ids("<|assistant|>"),
            "answer": tokenizer.encode(ANSWER + "<|end|>"),
            "newline": tokenizer.encode("\n")[0],
        }
        scope: dict = {}
        exec(MODEL, scope)
        torch.save(scope["build"](**args).state_dict(), "model/model.pt")
        Path("model/my_model.py").write_text(MODEL)
        shown = ", ".join(f"{name} = {value}" for name, value in args.items())
        Path("model/evalharness.toml").write_text(
            f'[model]\nfactory = "my_model.py:build"\nargs = {{ {shown} }}\ntokenizer = "tokenizer"\n'
        )
        rows = [
            {
                "task_id": f"own/{i}",
                "prompt": f'def add(a, b):\n    """Return {i} and the sum, without {i}."""\n',
                "entry_point": "add",
                "canonical_solution": "    return a + b\n",
                "test": f"def check(f):\n    assert f({i}, 3) == {i + 3}\n",
            }
            for i in range(PROBLEMS)
        ]
        Path("own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return "model"

    return make


def scored(path, **settings):
    return evalharness.score(path, problems="own.jsonl", samples=0, max_new_tokens=60, **settings)


def test_an_instruct_model_has_both_pass_rates_of_the_same_problems(folder):
    card = scored(folder("<|end|>"))
    found = card.formats
    assert isinstance(found, FormatComparison)
    assert (found.scored, found.other, found.problems) == ("chat", "plain", PROBLEMS)
    assert (found.as_scored.estimate, found.otherwise.estimate, found.difference.estimate) == (1, 0, -1)
    assert found.differ
    assert card.pass_at_k["own"]["greedy"]["1"] == found.as_scored
    assert all(finding.probe != "prompt_format" for finding in card.findings), "the better way is the one in use"
    (cleared,) = (item for item in card.ruled_out if item.probe == "prompt_format")
    assert cleared.evidence["pass_rate_otherwise"] == 0
    (report,) = Path("reports").rglob("report.md")
    assert FORMAT_OPTIONS["plain"] in report.read_text()

    # A second score makes nothing anew, and a format that the user chose is not the only one that is asked.
    journal = report.parent / ".journal/completions.jsonl"
    made = journal.read_bytes().count(b"\n")
    assert made == 2 * PROBLEMS
    assert scored("model").formats == found
    assert journal.read_bytes().count(b"\n") == made
    chosen = scored("model", chat="never", out="plain")
    assert (chosen.formats.scored, chosen.formats.difference.estimate) == ("plain", 1)
    assert [item.severity for item in chosen.findings if item.probe == "prompt_format"] == ["contributing"]


def test_a_model_that_is_asked_plainly_and_solves_more_in_its_chat_is_told_so(folder):
    card = scored(folder("<end>"))
    assert (card.formats.scored, card.formats.difference.estimate) == ("plain", 1)
    (finding,) = (item for item in card.findings if item.probe == "prompt_format")
    assert finding.severity == "contributing"
    assert (finding.evidence["pass_rate_as_scored"], finding.evidence["pass_rate_otherwise"]) == (0, 1)
    assert FORMAT_OPTIONS["chat"] in finding.remedy
    assert scored("model", chat="always", out="chat").pass_at_k["own"]["greedy"]["1"].estimate == 1


def test_a_diagnosis_alone_asks_the_other_way_what_is_degenerate_as_scored(folder):
    done = pipeline.diagnose(Path(folder("<end>")), {"problems": ("own.jsonl",), "max_new_tokens": 60})
    (outcome,) = (item for item in done.diagnosis.ruled_out if item.probe == "prompt_format")
    assert outcome.evidence["in the tokenizer's chat template"]["degenerate_before"] == 1
