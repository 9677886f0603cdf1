"""How long the stages take that run the model on rows: said before they begin, from a timed pass of this model here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.progress import duration

if TYPE_CHECKING:
    from evalharness.pipeline.work import Work

WORTH_SAYING_S = 5
"""Whoever waits a few seconds needs no estimate."""
TIMED_TOKENS = 64
LEAK_ROWS = 8
"""What the search for a leak and for noise costs, in passes over its longest row."""
READ_AGAIN = 2
"""How often probes read the rows that losses are measured on, all their passes counted in such tokens: 1.5 to 2.0 times
for 400 training and 100 validation rows, with a log whose loss they give and without a log."""


def token_s(work: Work) -> float:
    """Seconds that a pass takes for each token of a row, measured once."""
    from evalharness.generation import pass_s

    if work.token_s is None:
        length = min(TIMED_TOKENS, work.checkpoint.context_length or TIMED_TOKENS)
        work.token_s = pass_s(work.checkpoint.model, 1, length) / length
    return work.token_s


def say_attention(work: Work, longest: int) -> None:
    """Say about how long the model's attention is probed."""
    _say(work, "probing the attention", LEAK_ROWS * longest)


def say_diagnosing(work: Work) -> None:
    """Say about how long the probes take if the log is that of the data; a fault is looked into further."""
    if "module" not in work.checkpoint.model.capabilities:
        return
    splits = [split for split in (work.validation, work.train) if split is not None]
    tokens = sum(len(row.ids) for split in splits for row in split.measured)
    _say(work, "diagnosing", READ_AGAIN * tokens)


def _say(work: Work, stage: str, tokens: int) -> None:
    seconds = tokens * token_s(work)
    if seconds >= WORTH_SAYING_S:
        work.watcher.say(f"{stage} takes about {duration(seconds)}, longer if a fault is found")
