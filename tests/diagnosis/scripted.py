"""Models whose every prediction is written down, for probes that ask about little else."""

from __future__ import annotations

from collections.abc import Callable

import torch
from small_training import CONTEXT, VOCABULARY, Characters, data_rows, encoded
from torch import nn

from evalharness.degeneration import analyse
from evalharness.diagnosis.data.rows import DataRow
from evalharness.diagnosis.subject import Observed, Split, Subject
from evalharness.models.torch.model import UncachedModel
from evalharness.records import Completion, Problem


class Scripted(nn.Module):
    """``logits_after(ids)`` gives the logits of the next id after each prefix, as a dict; all others are 0."""

    def __init__(self, logits_after: Callable[[list[int]], dict[int, float]]) -> None:
        super().__init__()
        self.logits_after = logits_after

    def forward(self, ids):
        logits = torch.zeros(*ids.shape, VOCABULARY)
        for i, row in enumerate(ids.tolist()):
            for t in range(len(row)):
                for token_id, value in self.logits_after(row[: t + 1]).items():
                    logits[i, t, token_id] = value
        return logits


def scripted(logits_after=lambda _: {}, *, context_length: int | None = CONTEXT) -> UncachedModel:
    return UncachedModel(Scripted(logits_after), context_length=context_length, vocabulary_rows=VOCABULARY)


def follower(rows, more=lambda _: {}):
    """Knows which id usually follows which in ``rows``; ``more`` adds to that."""
    pairs: dict[int, dict[int, float]] = {}
    for row in rows:
        for a, b in zip(row.ids, row.ids[1:], strict=False):
            pairs.setdefault(a, {})[b] = 6.0
    return lambda ids: {**pairs.get(ids[-1], {}), **more(ids)}


def split(rows: list[DataRow] | None = None, *, end: bool = False, source: str = "train.jsonl") -> Split:
    rows = data_rows(20, 1) if rows is None else rows
    return Split(tuple(rows), encoded(rows, end=end), source)


def subject(model: UncachedModel | None = None, **more) -> Subject:
    return Subject(model or scripted(), Characters(), **more)


def problem(task_id: str, prompt: str, solution: str = "    return 1\n", stop=()) -> Problem:
    return Problem(task_id, prompt, None, solution, "", stop)


def seen(of: Problem, text: str, *, passed=None, reason="max_new_tokens", decoding="greedy") -> Observed:
    ids = tuple(Characters().encode(text))
    completion = Completion(of.task_id, 0, text, ids, reason, decoding, (0.0,) * len(ids))
    return Observed(of, completion, analyse(text, ids, stop_reason=reason, prompt=of.prompt), passed)
