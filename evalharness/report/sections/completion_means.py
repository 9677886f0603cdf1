"""The tables of what completions are like on average, with confidence intervals over problems."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from evalharness.report.evidence import by_problem
from evalharness.report.numbers import nats
from evalharness.report.parts import Paragraph, Table
from evalharness.statistics import mean_over_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evalharness.degeneration import Predictions
    from evalharness.report.evidence import Evidence, Scored
    from evalharness.report.parts import Part

    Measure = Callable[[Scored], float | None]


def _of_predictions(measure: Callable[[Predictions], float | None]) -> Measure:
    """The measure of the model's predictions, None where they are not known."""

    def measured(scored: Scored) -> float | None:
        predictions = scored.analysis.measures.predictions
        return None if predictions is None else measure(predictions)

    return measured


def _seq_rep(n: int) -> Measure:
    return lambda scored: scored.analysis.measures.seq_rep[n - 1]


def _words_seq_rep(n: int) -> Measure:
    return lambda scored: scored.analysis.measures.ratios.seq_rep[n - 1]


def _top_ngram(n: int) -> Measure:
    return lambda scored: scored.analysis.measures.ratios.top_ngram_characters[n - 2]


LENGTHS: dict[str, Measure] = {
    "tokens written": lambda s: len(s.completion.token_ids or ()),
    "longest run of one token": lambda s: s.analysis.measures.longest_token_run,
    "longest run of newlines": lambda s: s.analysis.measures.longest_newline_run,
}
ENTROPIES: dict[str, Measure] = {
    "of the text's own tokens": lambda s: s.analysis.measures.text_entropy_nats,
    "of the predictions, mean": _of_predictions(lambda p: p.mean_nats),
    "of the predictions, smallest": _of_predictions(lambda p: p.min_nats),
    "of the predictions, trend in nats per token": _of_predictions(lambda p: p.trend_nats_per_token),
    "of the predictions before a loop": _of_predictions(lambda p: p.before_loop_nats),
    "of the predictions in a loop": _of_predictions(lambda p: p.in_loop_nats),
}
RATIOS: dict[str, Measure] = {
    "characters that are whitespace": lambda s: s.analysis.measures.whitespace_share,
    **{f"seq-rep-{n}, of tokens": _seq_rep(n) for n in (1, 2, 3, 4)},
    **{f"seq-rep-{n}, of words and signs": _words_seq_rep(n) for n in (1, 2, 3, 4)},
    "diversity": lambda s: s.analysis.measures.ratios.diversity,
    "compression": lambda s: s.analysis.measures.ratios.compression,
    "repeated lines": lambda s: s.analysis.measures.ratios.repeated_lines,
    "characters in repeated lines": lambda s: s.analysis.measures.ratios.repeated_line_characters,
    **{f"characters in the commonest {n}-gram": _top_ngram(n) for n in (2, 3, 4)},
}


def _tokens(value: float) -> str:
    return f"{value:,.1f}"


def _ratio(value: float) -> str:
    return f"{value:.3f}"


GROUPS: dict[str, tuple[dict[str, Measure], Callable[[float], str]]] = {
    "Length, in tokens": (LENGTHS, _tokens),
    "Entropy, in nats": (ENTROPIES, nats),
    "Ratio": (RATIOS, _ratio),
}
"""By the heading of its table: what is measured, and how its numbers are written."""


_ABOUT = (
    "The average completion, with 95 % confidence intervals over problems. Entropies of predictions are those of "
    "the model's own distribution at temperature 1; those before and in a loop are over the completions that have "
    "one. An empty completion counts as 0 in lengths, in the entropy of its text and in ratios; it has no predictions, "
    "and is left out of their means. The ratios are those of the literature; the verdict uses none of them."
)


def means(evidence: Evidence) -> Iterator[Part]:
    """Yield the tables of the mean of each measure by decoding; nothing if no completion was begun."""
    begun = evidence.begun()
    if begun:
        yield Paragraph(_ABOUT)
        yield from (_table(heading, begun) for heading in GROUPS)


def _table(heading: str, begun: dict[str, list[Scored]]) -> Table:
    measured, write = GROUPS[heading]
    rows = tuple(
        (name, *(_mean(members, measure, write) for members in begun.values())) for name, measure in measured.items()
    )
    return Table((heading, *begun), rows, frozenset(range(1, 1 + len(begun))))


def _mean(members: Sequence[Scored], measure: Measure, write: Callable[[float], str]) -> str:
    """Mean with its interval over problems: completions of one problem are not independent."""
    measured = by_problem(members, measure).values()
    known = [values for of_problem in measured if (values := [value for value in of_problem if value is not None])]
    if not known:
        return "–"
    mean = mean_over_rows(dict(enumerate(known)), seed=0)
    if not math.isfinite(mean.low):
        return f"{write(mean.estimate)} (no interval)"
    return f"{write(mean.estimate)} [{write(mean.low)}, {write(mean.high)}]"
