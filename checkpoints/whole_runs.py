"""``leaky_run`` and ``causal_run``: two small twins from the first step on, for what a run shows over its steps.

The base sees functions of numbers and lists only. Then an adapter is tuned on functions of texts, words and
dictionaries as well: rows that the base has not seen. Validation is on rows of all kinds in both stages. Each step is
stored as whole weights in half precision, those of the second stage with the adapter merged, and its logged loss is
that of the weights as they are stored.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import torch
from examples import ARGUMENTS, Example, stream
from peft import LoraConfig, get_peft_model
from rows import CONTEXT_LENGTH, not_a_warmup_problem, read_rows, tuning_rows, write_rows
from tokenizers import Tokenizer
from torch import nn
from training import (
    HERE,
    STATE,
    Log,
    cosine_rate,
    endless,
    halved,
    load_build,
    of_tokens,
    store,
    train,
    validation_loss,
)

NAMES = ("leaky_run", "causal_run")
ROWS = HERE / "causal_run"
"""Where the rows of both are."""
SIZE = {"width": 48, "layers": 2, "heads": 3}
BASE_ROWS = 15_000
BASE_STEPS = 1500
BASE_SAVED = (1, 3, 10, 30, 100, 250, 600, 1500)
BASE_BATCH = 2048
BASE_RATE = 6e-3
SEEN_BY_THE_BASE = set("npl")
"""Kinds of arguments: numbers, positive numbers, lists of numbers."""
TUNED_ROWS = 600
TUNED_STEPS = 500
TUNED_SAVED = (100, 500)
TUNED_RATE = 4e-3


@dataclass(frozen=True, slots=True)
class Run:
    """One of the two: its own folder, and that of the model of the pair whose code it takes."""

    folder: Path
    twin: Path

    def build(self) -> nn.Module:
        return load_build(self.twin)(**SIZE)

    def rows_of(self, file: str) -> list[list[int]]:
        return read_rows(tokenizer(), ROWS / file)

    def state(self, stage: str) -> Path:
        return STATE / f"{self.folder.name}_{stage}.pt"

    def log(self, steps: int, before: int = 0) -> Log:
        return Log(self.folder / "train.log", steps, before)


def prepare() -> None:
    """Write the rows that both runs share; nothing is done twice."""
    file = STATE / "small_rows.pt"
    if file.exists():
        return
    names, is_new = sorted(set().union(*ARGUMENTS.values())), not_a_warmup_problem()
    write_rows(tuning_rows(stream(14, names, examples=1.0, keep=is_new), TUNED_ROWS, "train"), ROWS / "train.jsonl.gz")
    write_rows(tuning_rows(stream(15, names, examples=1.0, keep=is_new), 100, "val"), ROWS / "val.jsonl")
    generated = stream(12, names, examples=0.5, keep=lambda e: set(e.kinds) <= SEEN_BY_THE_BASE and is_new(e))
    rows = [tokenizer().encode(text).ids for text in itertools.islice(with_next_heads(generated), BASE_ROWS)]
    torch.save([row for row in rows if len(row) <= CONTEXT_LENGTH], file.with_suffix(".tmp"))
    file.with_suffix(".tmp").rename(file)


def with_next_heads(generated: Iterator[Example]) -> Iterator[str]:
    """Each function with the first line of another after it, so that the end of a body is learned."""
    for one, other in itertools.pairwise(generated):
        yield f"{one.prompt}{one.solution}\n\n{other.prompt.splitlines()[0]}\n"


@cache
def tokenizer() -> Tokenizer:
    """The pair's."""
    return Tokenizer.from_file(str(HERE / "causal" / "tokenizer.json"))


def saver(run: Run, log: Log, weights: Callable[[], Mapping[str, torch.Tensor]]) -> Callable[[int], None]:
    """What stores a step and logs its loss; ``weights`` are those of the whole model now."""
    validation, stored = run.rows_of("val.jsonl"), run.build()

    def save(step: int) -> None:
        now = weights()
        stored.load_state_dict(halved(now))
        log.validated(step, validation_loss(stored, validation))
        store(now, run.folder / f"step_{log.before + step}.safetensors")

    return save


def train_base(run: Run) -> nn.Module:
    rows = torch.load(STATE / "small_rows.pt", weights_only=True)
    steps = endless(rows, of_tokens(BASE_BATCH), Random(6), BASE_STEPS)
    torch.manual_seed(0)
    model = run.build()
    log = run.log(len(steps))
    if not run.state("base").exists():
        log.path.unlink(missing_ok=True)
    train(
        model,
        steps,
        rate_at=lambda step: cosine_rate(step, len(steps), BASE_RATE),
        log=log,
        state=run.state("base"),
        saves=lambda step: step in BASE_SAVED,
        on_save=saver(run, log, model.state_dict),
    )
    return model


def tune(run: Run, model: nn.Module) -> None:
    """An adapter of rank 8 on all linear layers of the blocks, stored as the weights that it makes."""
    steps = endless(run.rows_of("train.jsonl.gz"), lambda _: 8, Random(7), TUNED_STEPS)
    torch.manual_seed(1)
    layers = ["qkv", "out_proj", "mlp.0", "mlp.2"]
    tuned = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=layers))
    log = run.log(len(steps), before=BASE_STEPS)
    if not run.state("tuned").exists():
        log.cut(torch.load(run.state("base"), weights_only=True)["logged"])
    train(
        tuned,
        steps,
        rate_at=lambda step: cosine_rate(step, len(steps), TUNED_RATE),
        log=log,
        state=run.state("tuned"),
        saves=lambda step: step in TUNED_SAVED,
        on_save=saver(run, log, lambda: copy.deepcopy(tuned).merge_and_unload().state_dict()),
    )


def make(name: str) -> None:
    """Make one of the two in its folder."""
    run = Run(HERE / name, HERE / name.removesuffix("_run"))
    tune(run, train_base(run))
