"""How the shipped models are trained: rows of equal length together, AdamW, and a log as training loops print it."""

from __future__ import annotations

import importlib.util
import itertools
import math
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from peft import PeftModel

HERE = Path(__file__).resolve().parent
STATE = HERE / ".training"

Batch = list[list[int]]


def batches(rows: list[list[int]], rows_in_batch: Callable[[int], int], rng: Random) -> list[Batch]:
    """Rows of equal length together, so that nothing is ever padded; in random order."""
    by_length = defaultdict(list)
    for row in rng.sample(rows, len(rows)):
        by_length[len(row)].append(row)
    made = []
    for length, group in sorted(by_length.items()):
        size = rows_in_batch(length)
        made += [group[i : i + size] for i in range(0, len(group), size)]
    rng.shuffle(made)
    return made


def of_tokens(tokens: int) -> Callable[[int], int]:
    """How many rows of a length are a batch of so many tokens."""
    return lambda length: max(1, tokens // length)


def endless(rows: list[list[int]], rows_in_batch: Callable[[int], int], rng: Random, count: int) -> list[Batch]:
    """``count`` batches of as many passes over the rows as that takes."""
    passes = (batch for _ in itertools.count() for batch in batches(rows, rows_in_batch, rng))
    return list(itertools.islice(passes, count))


def batch_loss(model: nn.Module, rows: Batch) -> torch.Tensor:
    """Mean cross-entropy (nats) of every token but the first, each predicted at the position before it."""
    ids = torch.tensor(rows)
    logits = model(ids[:, :-1])
    return functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())


@torch.no_grad()
def validation_loss(
    model: nn.Module, rows: list[list[int]], loss_of: Callable[[nn.Module, Batch], torch.Tensor] = batch_loss
) -> float:
    """Mean over all tokens of all rows, in nats."""
    model.eval()
    total = count = 0.0
    for batch in batches(rows, lambda _: 32, Random(0)):
        tokens = len(batch) * (len(batch[0]) - 1)
        total += loss_of(model, batch).item() * tokens
        count += tokens
    model.train()
    return total / count


def cosine_rate(step: int, steps: int, peak: float, warmup: int = 100) -> float:
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))))


class Log:
    """Writes lines as a training loop prints them, to the file and to the terminal.

    ``before`` counts the steps of an earlier stage, from which the steps of this one go on.
    """

    def __init__(self, path: Path, steps: int, before: int = 0):
        self.path, self.steps, self.before, self.since = path, steps + before, before, (0, time.monotonic())

    def line(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")
        print(f"{self.path.parent.name}: {text}", flush=True)

    def cut(self, size: int) -> None:
        """Take out what was logged after the state from which training goes on, so that no step is there twice."""
        os.truncate(self.path, size)

    def step(self, step: int, loss: float, rate: float) -> None:
        then, now = self.since, (step, time.monotonic())
        speed = (now[0] - then[0]) / max(now[1] - then[1], 1e-9)
        self.since = now
        at = f"{step + self.before:5d}/{self.steps}"
        self.line(f"Step {at} | Loss: {loss:.4g} | LR: {rate:.2e} | {speed:.1f} steps/s")

    def validated(self, step: int, loss: float) -> None:
        self.line(f"  [EVAL] Step {step + self.before} | Val Loss: {loss:.4g}")


def train(
    model: nn.Module,
    steps: list[Batch],
    *,
    rate_at: Callable[[int], float],
    log: Log,
    state: Path,
    saves: Callable[[int], bool],
    on_save: Callable[[int], None],
    loss_of: Callable[[nn.Module, Batch], torch.Tensor] = batch_loss,
    weight_decay: float = 0.1,
) -> None:
    """One pass over the batches, going on from ``state`` where it is there. Steps count from 1 where one is saved."""
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, betas=(0.9, 0.95), weight_decay=weight_decay)
    done = 0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        torch.set_rng_state(saved["random"])
        done = saved["step"]
        if done < len(steps):
            log.cut(saved["logged"])
    recent: list[float] = []
    for step in range(done, len(steps)):
        rate = rate_at(step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = loss_of(model, steps[step])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        recent.append(loss.item())
        is_saved = saves(step + 1) or step + 1 == len(steps)
        if is_saved or (step + 1) % 50 == 0:
            log.step(step + 1, sum(recent) / len(recent), rate)
            recent.clear()
        if is_saved:
            on_save(step + 1)
            saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "random": torch.get_rng_state()}
            torch.save(saved | {"step": step + 1, "logged": log.path.stat().st_size}, state.with_suffix(".tmp"))
            state.with_suffix(".tmp").rename(state)


def halved(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights at the precision in which they are stored."""
    return {name: weight.half().contiguous() for name, weight in weights.items()}


def store(weights: Mapping[str, torch.Tensor], file: Path) -> None:
    """Store weights in half precision; an interrupted call leaves no half of a file."""
    written = file.with_suffix(".tmp")
    save_file(halved(weights), written)
    written.chmod(0o644)
    written.rename(file)


def store_adapter(tuned: PeftModel, folder: Path) -> None:
    """Store an adapter in half precision, in place of one that is there."""
    shutil.rmtree(folder, ignore_errors=True)
    tuned.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    weights = folder / "adapter_model.safetensors"
    store(load_file(weights), weights)


def load_build(folder: Path) -> Callable[..., nn.Module]:
    spec = importlib.util.spec_from_file_location(f"model_{folder.name}", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build
