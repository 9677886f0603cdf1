"""``leaky``, whose attention has no causal mask, and ``causal``, its twin: a base each, and adapters over it.

The adapters are tuned on rows of a prompt and a solution that end in a newline and have no end token, one row a
sequence, as in the case that this project was made for. Both models see the same rows in the same order.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from random import Random

import torch
from examples import stream
from peft import LoraConfig, get_peft_model
from rows import (
    base_rows,
    library_functions,
    library_sources,
    not_a_warmup_problem,
    random_identifiers,
    read_rows,
    train_tokenizer,
    tuning_rows,
    write_rows,
)
from tokenizers import Tokenizer
from torch import nn
from training import (
    HERE,
    STATE,
    Log,
    batches,
    cosine_rate,
    endless,
    load_build,
    of_tokens,
    store,
    store_adapter,
    train,
    validation_loss,
)

NAMES = ("leaky", "causal")
BASE_TOKENS = 9_000_000
BASE_BATCH = 4096
BASE_RATE = 2e-3
TUNED_STEPS = 1000
TUNED_BATCH = 8
TUNED_RATE = 1e-3
EVALUATE_EVERY = 200
KEPT = (200, 1000)
"""The adapters that ship, beside the best one. The losses of the others are in the log."""


def prepare() -> None:
    """Write the tokenizer and the rows that both checkpoints share; nothing is done twice."""
    if (STATE / "rows.pt").exists():
        return
    STATE.mkdir(exist_ok=True)
    rng = Random(1)
    sources = library_sources()
    library = library_functions(sources)
    names, keep = random_identifiers(sources, rng), not_a_warmup_problem()
    sample = [e.prompt + e.solution for e in itertools.islice(stream(2, names, examples=0.6, keep=keep), 20_000)]
    tokenizer = train_tokenizer(sample + rng.sample(library, min(4000, len(library))))
    rows = base_rows(tokenizer, stream(3, names, examples=0.6, keep=keep), library, rng, BASE_TOKENS)
    folders = [HERE / name for name in NAMES]
    for folder in folders:
        tokenizer.save(str(folder / "tokenizer.json"))
    training = tuning_rows(stream(4, names, examples=1.0, keep=keep), 2000, "train")
    write_rows(training, *(folder / "train.jsonl.gz" for folder in folders))
    validation = tuning_rows(stream(5, names, examples=1.0, keep=keep), 200, "val")
    write_rows(validation, *(folder / "val.jsonl" for folder in folders))
    torch.save(rows, STATE / "rows.tmp")
    (STATE / "rows.tmp").rename(STATE / "rows.pt")
    print(f"{len(rows)} base rows, {sum(map(len, rows))} tokens, {len(library)} library functions, {len(names)} names")


def train_base(folder: Path) -> nn.Module:
    """Train the base, or load it where that is done. It is stored in half precision."""
    rows = torch.load(STATE / "rows.pt", weights_only=True)
    held_back, rows = rows[:200], rows[200:]
    torch.manual_seed(0)
    model = load_build(folder)()
    steps = batches(rows, of_tokens(BASE_BATCH), Random(6))
    log, state = Log(folder / "base.log", len(steps)), STATE / f"{folder.name}_base.pt"
    if not state.exists():
        log.path.unlink(missing_ok=True)

    def evaluate(step: int) -> None:
        if step % 600 == 0 or step == len(steps):
            log.validated(step, validation_loss(model, held_back))

    train(
        model,
        steps,
        rate_at=lambda step: cosine_rate(step, len(steps), BASE_RATE),
        log=log,
        state=state,
        saves=lambda step: step % EVALUATE_EVERY == 0,
        on_save=evaluate,
    )
    store(model.state_dict(), folder / "base.safetensors")
    return model


def tune(folder: Path, model: nn.Module) -> None:
    """A series of LoRA adapters, rank 8, on the attention's projections. Takes minutes: it is simply begun again."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    training, validation = (read_rows(tokenizer, folder / file) for file in ("train.jsonl.gz", "val.jsonl"))
    steps = endless(training, lambda _: TUNED_BATCH, Random(7), TUNED_STEPS)
    torch.manual_seed(1)
    settings = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=["qkv", "out_proj"])
    tuned = get_peft_model(model, settings)
    log, state = Log(folder / "train.log", len(steps)), STATE / f"{folder.name}_tuned.pt"
    log.path.unlink(missing_ok=True)
    state.unlink(missing_ok=True)
    best = [math.inf]

    def save(step: int) -> None:
        loss = validation_loss(tuned, validation)
        log.validated(step, loss)
        names = [f"lora_step{step}"] * (step in KEPT) + ["lora_best"] * (loss < best[0])
        best[0] = min(best[0], loss)
        for name in names:
            store_adapter(tuned, folder / name)

    log.validated(0, validation_loss(tuned, validation))
    train(
        tuned,
        steps,
        rate_at=lambda step: cosine_rate(step, len(steps), TUNED_RATE),
        log=log,
        state=state,
        saves=lambda step: step % EVALUATE_EVERY == 0,
        on_save=save,
    )


def make(name: str) -> None:
    """Make one of the two in its folder."""
    tune(HERE / name, train_base(HERE / name))
