"""Faults of what the loss measures, in two families of model, and the same models in health."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache, partial

import torch
from plant import Plant
from small_training import FAMILIES, batch, data_rows, encoded, logits_of, subject, train, wrapped
from torch import nn
from torch.nn import functional

from evalharness.diagnosis.catalogue import catalogue
from evalharness.diagnosis.subject import Declared, Split, Subject
from evalharness.records import LossPoint

STEPS = 70
OF_LOSSES = {
    "label_shift", "smoothing_floor", "padding_in_loss", "prompt_in_loss", "loss_mismatch", "easy_tokens",
    "undertrained", "overfit", "no_targets", "diverged",
}  # fmt: skip
LOSS_PROBES = [probe for probe in catalogue() if probe.name in OF_LOSSES]
FEW_ROWS = 24


@cache
def trained(family: str, *, steps: int = STEPS, few: bool = False, count_prompt: bool = True, **how) -> nn.Module:
    torch.manual_seed(0)
    module = FAMILIES[family]()
    rows = encoded(data_rows(200, 1), end=True, count_prompt=count_prompt)
    train(module, rows[:FEW_ROWS] if few else rows, steps=steps, **how)
    return module


def loss_of(
    module: nn.Module, *, count_prompt: bool = True, smoothing: float = 0.0, seed: int = 2, rows: int = 200, **how
) -> float:
    """The loss of all validation rows as a training loop computes it: padded, in one batch."""
    ids, targets = batch(encoded(data_rows(rows, seed), end=True, count_prompt=count_prompt), **how)
    with torch.no_grad():
        logits = logits_of(module, ids).flatten(0, 1)
    return float(functional.cross_entropy(logits, targets.flatten(), ignore_index=-100, label_smoothing=smoothing))


def few_rows(rows: int) -> dict:
    """Splits of so few rows that a test is quick."""
    return {
        name: Split(tuple(data_rows(rows, seed)), encoded(data_rows(rows, seed), end=True), f"{name}.jsonl")
        for name, seed in (("train", 1), ("validation", 2))
    }


def logged(loss_nats: float, step: int = STEPS) -> dict:
    """A log that falls to this loss, and ends there."""
    log = tuple(LossPoint(s, "validation", loss, "log") for s, loss in ((1, loss_nats + 3.0), (step, loss_nats)))
    return {"log": log, "logged": log[-1]}


def healthy(family: str) -> Subject:
    # The log is of the completions alone: a prompt in the loss is a plant of its own.
    module = trained(family)
    return subject(module, end=True, count_prompt=False, **logged(loss_of(module, count_prompt=False)))


def shifted(family: str, shift: int, smoothing: float = 0.0) -> Subject:
    module = trained(family, shift=shift, smoothing=smoothing)
    log = logged(loss_of(module, shift=shift, smoothing=smoothing))
    return subject(module, end=True, **log, declared=Declared(0.0, True, False))


def on_the_floor(family: str) -> Subject:
    module = trained(family, steps=220, count_prompt=False, smoothing=0.1)
    # The manifest lies: nothing was smoothed.
    said = Declared(label_smoothing=0.0)
    return subject(
        module,
        end=True,
        count_prompt=False,
        declared=said,
        **logged(loss_of(module, count_prompt=False, smoothing=0.1)),
    )


def padding_counted(family: str) -> Subject:
    module = trained(family, count_padding=True)
    said = Declared(count_padding=False)
    return subject(module, end=True, **logged(loss_of(module, count_padding=True)), declared=said)


def prompt_counted(family: str) -> Subject:
    module = trained(family)
    said = Declared(count_prompt=False)
    return subject(module, end=True, count_prompt=False, declared=said, **logged(loss_of(module)))


def log_of_another_run(family: str) -> Subject:
    module = trained(family)
    return subject(module, end=True, count_prompt=False, **logged(loss_of(trained(family, steps=25))))


class LayoutUnlearnt(nn.Module):
    """The model before: it knows what it will know, but hardly ever writes a blank or a line end."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner
        self.register_buffer("less", torch.zeros(98).index_fill(0, torch.tensor([0, 95]), 6.0))

    def forward(self, ids):
        return logits_of(self.inner, ids) - self.less


def only_layout_learnt(family: str) -> Subject:
    return replace(healthy(family), base=wrapped(LayoutUnlearnt(trained(family))))


def hardly_trained(family: str) -> Subject:
    module = trained(family, steps=12)
    return subject(module, end=True, count_prompt=False, **logged(loss_of(module, count_prompt=False)))


def ruined(family: str, rate: float = 0.3) -> nn.Module:
    """A model that was trained well, and then on the same rows at a rate that undoes it."""
    module = copy.deepcopy(trained(family)).requires_grad_(requires_grad=True)
    train(module, encoded(data_rows(200, 1), end=True, count_prompt=False), steps=30, rate=rate, seed=3)
    return module


def rate_too_high(family: str) -> Subject:
    module, before = ruined(family), trained(family)
    losses = {0: loss_of(before, count_prompt=False), 30: loss_of(module, count_prompt=False)}
    log = tuple(LossPoint(s, "validation", loss, "log") for s, loss in losses.items())
    return subject(module, end=True, count_prompt=False, base=wrapped(before), log=log, logged=log[-1])


def nothing_counted(family: str) -> Subject:
    """Every label was left out: the loss is 0 from the first step on, and the weights are what they were."""
    log = tuple(LossPoint(step, split, 0.0, "log") for step in (10, 20, 30) for split in ("train", "validation"))
    return subject(trained(family, steps=1), end=True, log=log, logged=log[-1])


def learnt_by_heart(family: str) -> Subject:
    module = trained(family, few=True, steps=250)
    rows = data_rows(200, 1)[:FEW_ROWS]
    known = Split(tuple(rows), encoded(rows, end=True, count_prompt=False), "train.jsonl")
    return subject(module, end=True, count_prompt=False, train=known, **logged(loss_of(module, count_prompt=False)))


_MAKERS = {
    "targets not shifted": ("label_shift", partial(shifted, shift=0), ""),
    "targets not shifted, and smoothed": ("label_shift", partial(shifted, shift=0, smoothing=0.1), ""),
    "targets shifted twice": ("label_shift", partial(shifted, shift=2), ""),
    "on the smoothing floor": ("smoothing_floor", on_the_floor, "no label smoothing"),
    "padding counted": ("padding_in_loss", padding_counted, "padding does not count"),
    "prompt counted": ("prompt_in_loss", prompt_counted, "the prompt does not count"),
    "a log of another step": ("loss_mismatch", log_of_another_run, ""),
    "only layout learnt": ("easy_tokens", only_layout_learnt, ""),
    "hardly trained": ("undertrained", hardly_trained, ""),
    "nothing counted": ("no_targets", nothing_counted, ""),
    "a rate too high": ("diverged", rate_too_high, ""),
    "learnt by heart": ("overfit", learnt_by_heart, ""),
}
PLANTS = {
    f"{family}: {name}": Plant(probe, family, partial(make, family), lie=lie)
    for family in FAMILIES
    for name, (probe, make, lie) in _MAKERS.items()
}
