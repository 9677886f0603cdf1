"""A folder as a user has one: a module of their own, a manifest, and three problems. And how to score it quickly."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from forked_command import run_forked

ROOT = Path(__file__).resolve().parent.parent

Run = Callable[..., subprocess.CompletedProcess[str]]

QUICK = ("--problems", "mine/own.jsonl", "--samples", "2", "--max-new-tokens", "40")
"""A score of the small model that takes seconds."""

MODEL = '''
import torch
from torch import nn


class Model(nn.Module):
    """Predicts the next character from the last few; writes the same line over and over."""

    def __init__(self, vocabulary, context_length=256):
        super().__init__()
        self.context_length = context_length
        self.embedding = nn.Embedding(vocabulary, 16)
        self.mix = nn.Conv1d(16, 16, 4)
        self.head = nn.Linear(16, vocabulary)

    def forward(self, ids):
        x = self.embedding(ids).transpose(1, 2)
        x = torch.tanh(self.mix(nn.functional.pad(x, (3, 0))))
        return self.head(x.transpose(1, 2))


class Characters:
    """One token a character: printable ASCII and the newline."""

    vocab_size = 96

    def encode(self, text):
        return [self._id(c) for c in text]

    def _id(self, c):
        if c != "\\n" and not " " <= c <= "~":
            raise ValueError(f"no token for {c!r}")
        return 95 if c == "\\n" else ord(c) - 32

    def decode(self, ids):
        return "".join("\\n" if i == 95 else chr(i + 32) for i in ids)


def build(vocabulary=96, context_length=256):
    return Model(vocabulary, context_length)


def tokenizer():
    return Characters()
'''

MANIFEST = """
[model]
factory = "my_model.py:build"
tokenizer = "my_model.py:tokenizer"
end_tokens = []

[data]
validation = "val.jsonl"

[log]
path = "train.log"
"""

PROBLEMS = [
    {
        "task_id": f"own/{i}",
        "prompt": f'def {name}(a, b):\n    """Return {what}."""\n',
        "entry_point": name,
        "canonical_solution": f"    return {what}\n",
        "test": f"def check(f):\n    assert f(2, 3) == {of_2_3}\n    assert f(7, 7) == {of_7_7}\n",
    }
    for i, (name, what, of_2_3, of_7_7) in enumerate(
        [("add", "a + b", 5, 14), ("mul", "a * b", 6, 49), ("sub", "a - b", -1, 0)]
    )
]


def make_model_folder(above: Path) -> Path:
    """The same in a folder of one's own choice, for tests that share one."""
    import torch

    folder = above / "mine"
    folder.mkdir()
    (folder / "my_model.py").write_text(MODEL)
    (folder / "evalharness.toml").write_text(MANIFEST)
    scope: dict = {}
    exec(compile(MODEL, "my_model.py", "exec"), scope)
    torch.manual_seed(0)
    torch.save(scope["build"]().state_dict(), folder / "model.pt")
    rows = [{"prompt": p["prompt"], "completion": p["canonical_solution"]} for p in PROBLEMS]
    (folder / "val.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "train.log").write_text("Step 10/20 | Loss: 4.5\n  [EVAL] Step 20 | Val Loss: 4.4\n")
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    return folder


def runner(folder: Path) -> Run:
    """Run the command ``evalharness`` in this folder."""

    def run_command(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
        return run_forked([*map(str, arguments)], **{"cwd": folder, **more})  # type: ignore[arg-type]

    return run_command
