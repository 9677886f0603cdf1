"""What the solutions of the training data begin with, beside what the model writes first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from evalharness.records import DECODINGS, NOT_BEGUN
from evalharness.report.loop_rows import marked
from evalharness.report.numbers import percent
from evalharness.report.parts import Code, Table
from evalharness.report.text_ends import BLANK, beginning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.report.parts import Text
    from evalharness.report.run_evidence import Run

OF_TRAINING, OF_COMPLETIONS = 4, 3
"""Rows of the table: the most frequent beginnings in training, and those of each decoding that are not among them."""


def beginnings_table(run: Run) -> Table | None:
    """Return the most frequent beginnings with their shares; None without training rows that have a prompt."""
    trained = next((file for file in run.data if file.split == "train" and file.completion_beginnings), None)
    written = {decoding: counts for decoding in DECODINGS if (counts := _written(run, decoding))}
    if trained is None or not written:
        return None
    of_training = dict(trained.completion_beginnings)
    shown = dict.fromkeys([*of_training][:OF_TRAINING])
    for counts in written.values():
        shown |= dict.fromkeys(text for text, _ in counts.most_common(OF_COMPLETIONS))
    rows = tuple(
        (
            _name(text),
            _share(of_training, text, trained.read),
            *(_share(counts, text, counts.total()) for counts in written.values()),
        )
        for text in shown
    )
    of_completions = (f"{decoding} ({counts.total():,} completions)" for decoding, counts in written.items())
    header = ("Begins with", f"Training ({trained.read:,} solutions)", *of_completions)
    return Table(header, rows, frozenset(range(1, len(header))))


def _written(run: Run, decoding: str) -> Counter[str]:
    """How often each beginning stands in the completions of the last step; equal counts in the order of the texts."""
    completions = run.frames.completions
    of_last = completions[
        (completions["step"] == run.last_step)
        & (completions["decoding"] == decoding)
        & ~completions["stop_reason"].isin(NOT_BEGUN)
    ]
    return Counter(sorted(map(beginning, of_last["text"])))


def _name(text: str) -> Text:
    return "only whitespace" if text == BLANK else Code(marked(text))


def _share(counts: Mapping[str, int], text: str, of_all: int) -> str:
    """The share of a beginning; of one that is not among the kept ones, how much it is at most."""
    if text in counts or sum(counts.values()) == of_all:
        return percent(counts.get(text, 0) / of_all)
    return f"at most {percent(min(counts.values()) / of_all)}"
