"""Logits that are larger or smaller than in training: what is most probable stays so, and the loss is another.

Cohere multiplies its logits by a number, Granite divides them by one; a loss that is computed elsewhere, or code of
another family, leaves it out.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn

from evalharness.diagnosis.losses.counted_losses import rows_with_end
from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.kept_values import kept_values
from evalharness.diagnosis.trials.other_value import four_digits, other_value
from evalharness.diagnosis.trials.scaled_logits import scaled_logits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.diagnosis.subject import Subject

NAMES = ("logits_scaling", "logit_scale", "logits_scale", "logit_multiplier", "lm_head_multiplier", "output_multiplier")
ROWS, TOKENS = 4, 128
"""A scale shows on the begin of a few rows: half of it, or twice, costs much."""
POWERS = range(-6, 7)
LEAST_GAIN = 0.05
"""By how much of itself the loss has to fall: a model that knows its rows by heart is too sure by less."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """Of all scales the one that the logits fit best, if it is not that of the checkpoint.

    What is trained is as sure as it is right, so that its loss is lowest at the scale of training, and only this one
    is tried: the log has no say in it. Costs a pass for each of a few rows.
    """
    module = subject.torch_model.module
    kept = kept_values(module, NAMES, int, float)
    times = _best(subject, [*kept.values()])
    if times == 1.0:
        return
    for place, own in list(kept.items())[:1]:
        for value in (own * times, own / times):
            yield _with_value(kept, place, value)
    if not kept:
        yield Repair(
            kind="logit_scale",
            words=f"logits {times:.4g} times as large",
            place="what the forward pass returns",
            remedy=f"Return logits that are {times:.4g} times as large, as in training.",
            all_or_nothing=True,
            change=partial(scaled_logits, times=times),
        )


def _with_value(kept: dict[str, float], place: str, value: float) -> Repair:
    key = place.rpartition(".")[2]
    remedy = (
        f"Set `{key}` to {value:.4g}, which the loss of training was computed with (it is {kept[place]:.4g}), or train "
        f"again with a loss of the logits that the model returns."
    )
    return other_value(kept, value, kind="logit_scale", shown=four_digits, remedy=remedy)


def _best(subject: Subject, kept: list[float]) -> float:
    """The scale at which the loss of a few rows is lowest; 1 if none is clearly better than that of the checkpoint."""
    split = subject.validation
    rows = rows_with_end(subject, split, split.encoded[:ROWS]) if split is not None else ()
    losses = dict.fromkeys(_scales(subject.torch_model.module, kept), 0.0)
    for row in rows:
        if len(row.ids) > 1:
            _add(losses, subject, row.ids[: TOKENS + 1])
    best = min(losses, key=lambda times: losses[times])
    return best if losses[best] < (1 - LEAST_GAIN) * losses[1.0] else 1.0


def _add(losses: dict[float, float], subject: Subject, ids: Sequence[int]) -> None:
    """Add the loss of a row at each scale: one row at a time, for logits of a large vocabulary take much memory."""
    model = subject.torch_model
    given = torch.tensor([ids], device=model.device)
    logits, targets = model.logits(given[:, :-1])[0], given[0, 1:]
    for times in losses:
        losses[times] += float(nn.functional.cross_entropy(logits * times, targets, reduction="sum"))


def _scales(module: nn.Module, kept: list[float]) -> list[float]:
    widths = {part.embedding_dim for part in module.modules() if isinstance(part, nn.Embedding)}
    roots = {math.sqrt(width) for width in widths}
    known = {abs(float(own)) for own in kept if own}
    return sorted({1.0, *(2.0**power for power in POWERS), *(one**sign for one in roots | known for sign in (1, -1))})
