"""A run of one's own training loop as it lies in a folder: code, data, tokenizer, weights, log, and a manifest."""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from batches import Batch, in_order, padded
from rows import Data, drawn, write_problems, write_rows
from small_tokenizer import END, Encoded, apart, trained_tokenizer
from training_loop import lines_of, plain_logits, train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tokenizers import Tokenizer
    from torch import nn
    from training_loop import Logits

SMALL_GPT = Path(__file__).with_name("small_gpt.py")
PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class PlainRun:
    """How a run is trained and what is written of it; the defaults are those of a sound one.

    ``code`` has the function ``build(vocabulary, …)`` and may import ``small_gpt``. ``trained_as`` are arguments of
    ``build`` in training alone. ``settings`` are further lines of the manifest's table ``[model]``. With ``problems``
    the model is asked problems of its own kind.
    """

    steps: int
    code: Path = SMALL_GPT
    data: Data = field(default_factory=drawn)
    tokenizer: Tokenizer | None = None
    encode: Callable[[Callable[[str], list[int]], Sequence[Any]], list[Encoded]] = apart
    batch: Callable[[Sequence[Encoded]], Batch] = padded
    logits: Logits = plain_logits
    rows_in_batch: int = 16
    rate: float = 4e-3
    validate_in_eval_mode: bool = True
    trained_as: dict[str, Any] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    problems: bool = False

    def write(self, folder: Path) -> None:
        """Train, and leave everything in ``folder``."""
        tokenizer = self.tokenizer or trained_tokenizer(self.data.train)
        tokenizer.save(str(folder / "tokenizer.json"))
        vocabulary = tokenizer.get_vocab_size()
        write_code(folder, self.code)
        module = built(folder / self.code.name, vocabulary=vocabulary, **self.trained_as)
        train_and_write(self, folder, module, lambda text: tokenizer.encode(text).ids)
        model = [f'tokenizer = "tokenizer.json"\nend_tokens = "{END}"', *self.settings]
        write_manifest(folder, self.code, vocabulary, model, problems=self.problems)


def write_code(folder: Path, code: Path) -> None:
    """The model's file, and the one that it may import."""
    for file in {SMALL_GPT, code}:
        shutil.copy(file, folder / file.name)


def built(code: Path, **arguments: Any) -> nn.Module:
    """What ``build`` of the file makes, seeded."""
    spec = importlib.util.spec_from_file_location("built_model", code)
    assert spec is not None, code
    assert spec.loader is not None, code
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(1)
    made: nn.Module = module.build(**arguments)
    return made


def train_and_write(run: PlainRun, folder: Path, module: nn.Module, encode: Callable[[str], list[int]]) -> None:
    """The rows, the weights after the last step, and the log."""
    write_rows(folder / "train.jsonl", run.data.train)
    write_rows(folder / "validation.jsonl", run.data.validation)
    train_rows, validation_rows = (run.encode(encode, rows) for rows in (run.data.train, run.data.validation))

    def draw(rng: Random) -> Batch:
        return run.batch(rng.sample(train_rows, run.rows_in_batch))

    log = train(
        module,
        draw,
        [run.batch(rows) for rows in in_order(validation_rows)],
        steps=run.steps,
        rate=run.rate,
        logits=run.logits,
        validate_in_eval_mode=run.validate_in_eval_mode,
    )
    torch.save({"model": module.state_dict(), "step": run.steps}, folder / f"step_{run.steps}.pt")
    (folder / "train.log").write_text("\n".join(lines_of(log, run.steps)) + "\n", encoding="utf-8")
    if run.problems:
        write_problems(folder / "problems.jsonl", drawn(1, PROBLEMS, seed=7).validation)


def write_manifest(folder: Path, code: Path, vocabulary: int, model: Sequence[str], *, problems: bool = False) -> None:
    """What evalharness can't find by itself: how the model is built, its tokenizer, its data."""
    lines = [
        "[model]",
        f'factory = "{code.name}:build"',
        f"args = {{ vocabulary = {json.dumps(vocabulary)} }}",
        *model,
        "",
        "[data]",
        'train = "train.jsonl"',
        'validation = "validation.jsonl"',
        *(["", "[score]", 'problems = "problems.jsonl"'] if problems else []),
    ]
    (folder / "evalharness.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
