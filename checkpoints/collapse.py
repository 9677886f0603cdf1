"""``collapsing_run``: adapters over the sound ``causal`` base, tuned on few rows at a learning rate that never stops
rising. They are sound at first and collapse later.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from rows import read_rows, stored_rows, write_rows
from safetensors.torch import load_file
from tokenizers import Tokenizer
from training import HERE, STATE, Log, endless, load_build, store_adapter, train, validation_loss

NAME = "collapsing_run"
ROWS = 16
STEPS = 240
SAVED = (20, 40, 80, 120, 160, 240)
RATE_PER_STEP = 2e-4


def prepare(folder: Path, twin: Path) -> None:
    """The few rows: the first of the pair's."""
    write_rows(stored_rows(twin / "train.jsonl.gz")[:ROWS], folder / "train.jsonl")


def store_as_trained(tuned: PeftModel, folder: Path) -> None:
    """Store an adapter. Training goes on from what is stored, so that the log is of the same."""
    for parameter in tuned.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.half().float()
    store_adapter(tuned, folder)


def make() -> None:
    folder, twin = HERE / NAME, HERE / "causal"
    prepare(folder, twin)
    tokenizer = Tokenizer.from_file(str(twin / "tokenizer.json"))
    rows, validation = read_rows(tokenizer, folder / "train.jsonl"), read_rows(tokenizer, twin / "val.jsonl")
    model = load_build(twin)()
    model.load_state_dict(load_file(twin / "base.safetensors"))
    torch.manual_seed(2)
    tuned = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules=["qkv", "out_proj"]))
    log, state = Log(folder / "train.log", STEPS), STATE / f"{NAME}.pt"
    if not state.exists():
        log.path.unlink(missing_ok=True)
        log.validated(0, validation_loss(tuned, validation))

    def save(step: int) -> None:
        store_as_trained(tuned, folder / f"lora_step{step}")
        log.validated(step, validation_loss(tuned, validation))

    train(
        tuned,
        endless(rows, lambda _: 8, Random(8), STEPS),
        rate_at=lambda step: RATE_PER_STEP * step,
        log=log,
        state=state,
        saves=lambda step: step in SAVED,
        on_save=save,
    )
