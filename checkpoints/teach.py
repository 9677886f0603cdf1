"""``taught_run``: an adapter over the sound ``causal`` base, taught kinds of functions that the base has not seen.

First most rows are of the new kinds. That costs some of what the base knew, so a second stage rehearses it: most of its
rows are of known kinds. The problems of the new kinds are beside the rows.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import torch
from collapse import store_as_trained
from examples import stream
from new_kinds import problems, row_task
from peft import LoraConfig, PeftModel, get_peft_model
from rows import library_sources, none_of, random_identifiers, read_rows, stored_rows, tuning_rows, write_rows
from safetensors.torch import load_file
from tokenizers import Tokenizer
from training import HERE, STATE, Log, cosine_rate, endless, load_build, train, validation_loss

NAME = "taught_run"
NEW_ROWS, KNOWN_ROWS = 1200, 800
"""Rows of the first stage. The second takes some of the same new ones, and known ones that come after these."""
REHEARSED_NEW, REHEARSED_KNOWN = 400, 1200
NEW_VALIDATION, KNOWN_VALIDATION = 60, 40
BATCH = 16
TAUGHT_STEPS, TAUGHT_RATE = 600, 2e-3
REHEARSED_STEPS, REHEARSED_RATE = 200, 1e-3
SAVED = (3, 10, 30, 100, 300, 600, 800)
RATE_WARMUP = 20
LAYERS = ["qkv", "out_proj", "mlp.0", "mlp.2"]


def prepare(folder: Path, twin: Path) -> None:
    """Write the problems and the rows: those of the first stage, then the known ones that the second adds."""
    identifiers = random_identifiers(library_sources(), Random(1))
    asked = problems(identifiers)
    write_rows(asked, folder / "problems.jsonl")

    def new(seed: int, count: int, name: str) -> list[dict[str, str]]:
        taught = stream(seed, identifiers, examples=1.0, keep=none_of(asked), draw=row_task)
        return tuning_rows(taught, count, f"new_{name}")

    known = stored_rows(twin / "train.jsonl.gz")
    first = shuffled([*new(20, NEW_ROWS, "train"), *known[:KNOWN_ROWS]])
    write_rows([*first, *known[KNOWN_ROWS:][:REHEARSED_KNOWN]], folder / "train.jsonl.gz")
    known_validation = stored_rows(twin / "val.jsonl")[:KNOWN_VALIDATION]
    write_rows(shuffled([*new(21, NEW_VALIDATION, "val"), *known_validation]), folder / "val.jsonl")


def shuffled(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows in an order that is always the same."""
    Random(9).shuffle(rows)
    return rows


def make() -> None:
    folder, twin = HERE / NAME, HERE / "causal"
    prepare(folder, twin)
    tokenizer = Tokenizer.from_file(str(twin / "tokenizer.json"))
    stored, validation = stored_rows(folder / "train.jsonl.gz"), read_rows(tokenizer, folder / "val.jsonl")
    rows = read_rows(tokenizer, folder / "train.jsonl.gz")
    taught = [i for i, row in enumerate(stored) if row["id"].startswith("new_")]
    first, second = range(NEW_ROWS + KNOWN_ROWS), [*taught[:REHEARSED_NEW], *range(NEW_ROWS + KNOWN_ROWS, len(rows))]
    model = load_build(twin)()
    model.load_state_dict(load_file(twin / "base.safetensors"))
    torch.manual_seed(3)
    settings = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules=LAYERS)
    tuned = get_peft_model(model, settings)
    stages = (TAUGHT_STEPS, TAUGHT_RATE, first), (REHEARSED_STEPS, REHEARSED_RATE, second)
    before = 0
    for steps, rate, chosen in stages:
        stage(tuned, [rows[i] for i in chosen], validation, Log(folder / "train.log", steps, before), rate)
        before += steps


def stage(tuned: PeftModel, rows: list[list[int]], validation: list[list[int]], log: Log, peak: float) -> None:
    """Train for some steps, with an optimizer and a schedule of their own."""
    state, steps = STATE / f"{NAME}_{log.before}.pt", log.steps - log.before
    if not log.before and not state.exists():
        log.path.unlink(missing_ok=True)
        log.validated(0, validation_loss(tuned, validation))
    elif not state.exists():  # what a stage that was killed before its first state logged is logged again
        log.cut(torch.load(STATE / f"{NAME}_0.pt", weights_only=True)["logged"])

    def save(step: int) -> None:
        store_as_trained(tuned, log.path.parent / f"lora_step{log.before + step}")
        log.validated(step, validation_loss(tuned, validation))

    train(
        tuned,
        endless(rows, lambda _: BATCH, Random(10), steps),
        rate_at=lambda step: cosine_rate(step, steps, peak, warmup=RATE_WARMUP),
        log=log,
        state=state,
        saves=lambda step: log.before + step in SAVED,
        on_save=save,
    )
