"""What a subject leaves out is given to it, soundly, so that every probe has what it needs."""

from __future__ import annotations

from dataclasses import replace

import torch
from behaving import observing, unseen_problems

from evalharness.diagnosis.subject import Subject
from evalharness.records import LossPoint

STEP = 100
PROBLEMS = 16


def whole(subject: Subject) -> Subject:
    """The subject with problems, what the model writes for them, and a log that ends in the loss that it has."""
    if not is_finite(subject):
        return subject
    if not subject.problems:
        subject = observing(subject, unseen_problems(PROBLEMS))
    return subject if subject.log else replace(subject, **log_of(subject))


def is_finite(subject: Subject) -> bool:
    """Whether the model can write anything: one that returns NaN can't."""
    assert subject.validation is not None
    ids = torch.tensor([subject.validation.encoded[0].ids])
    return bool(subject.model.logits(ids).isfinite().any(dim=-1).all())


def log_of(subject: Subject) -> dict:
    """A log of the loss of the completions, as a loop without padding computes it."""
    assert subject.validation is not None
    total, count = 0.0, 0
    for row in subject.validation.encoded:
        ids = torch.tensor([row.ids])
        log_p = torch.log_softmax(subject.model.logits(ids[:, :-1])[0].double(), dim=-1)
        first = max(row.first_target, row.prompt_tokens)
        total -= float(log_p.gather(1, ids[0, 1:, None])[first - 1 :].sum())
        count += len(row.ids) - first
    falls = ((1, total / count + 3.0), (STEP, total / count))
    log = tuple(LossPoint(step, "validation", loss, "log") for step, loss in falls)
    return {"log": log, "logged": log[-1]}
