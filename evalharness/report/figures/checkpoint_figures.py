"""The figures of one checkpoint's report: which ones there is data for, and their paths beside the report."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from evalharness.report.figures.passage_plot import passage_figure
from evalharness.report.figures.plots import (
    MIN_COMPLETIONS,
    entropy_at_onset_figure,
    entropy_figure,
    loss_by_class_figure,
    losses_figure,
    onsets_figure,
    pass_at_1_figure,
)
from evalharness.report.shares import pass_rates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evalharness.records import Interval, Scorecard
    from evalharness.report.evidence import Evidence, Scored
    from evalharness.report.figures.canvas import FigureFormat

FOLDER = "figures"


def figures_of(scorecard: Scorecard, evidence: Evidence, file_format: FigureFormat = "svg") -> dict[str, bytes]:
    """Return the figures that there is data for, by their path relative to the report."""
    return {
        f"{FOLDER}/{name}.{file_format}": draw(file_format=file_format) for name, draw in _figures(scorecard, evidence)
    }


def _figures(scorecard: Scorecard, evidence: Evidence) -> Iterator[tuple[str, Callable[..., bytes]]]:
    loss, step = scorecard.loss, scorecard.checkpoint.step
    if len(evidence.log) > 1:
        yield (
            "losses",
            partial(losses_figure, evidence.log, step=step, recomputed=loss.recomputed_nats, honest=loss.honest_nats),
        )
    if loss.by_class:
        yield "loss_by_class", partial(loss_by_class_figure, loss.by_class)
    rows = pass_at_1_rows(scorecard)
    if rows:
        yield "pass_at_1", partial(pass_at_1_figure, rows)
    written = [scored for scored in evidence.all_scored() if scored.completion.token_ids]
    onsets = _onsets(written)
    if onsets:
        longest = max(len(scored.completion.token_ids or ()) for scored in written)
        yield "onsets", partial(onsets_figure, onsets, longest)
    if any(scored.completion.token_entropy_nats for scored in written):
        degenerate, sound = ([_entropy(s) for s in written if s.analysis.degenerate is flag] for flag in (True, False))
        yield "entropy", partial(entropy_figure, degenerate, sound)
    around = [window for scored in written if (window := _around_onset(scored)) is not None]
    if len(around) >= MIN_COMPLETIONS:
        yield "entropy_at_onset", partial(entropy_at_onset_figure, around)
    if evidence.passage:
        yield "passage", partial(passage_figure, evidence.passage)


def pass_at_1_rows(scorecard: Scorecard) -> list[tuple[str, str, Interval]]:
    """Return ``(problem set, decoding, pass@1)`` in the order of the protocol, greedy before sampled."""
    return [(rate.problems, rate.decoding, rate.share) for rate in pass_rates(scorecard) if rate.k == "1"]


def _onsets(written: Sequence[Scored]) -> dict[str, list[int]]:
    onsets: dict[str, list[int]] = defaultdict(list)
    for scored in written:
        if scored.analysis.kind is not None and scored.analysis.loop_tokens is not None:
            onsets[scored.analysis.kind].append(scored.analysis.loop_tokens[0])
    return dict(onsets)


def _entropy(scored: Scored) -> tuple[float, ...]:
    return scored.completion.token_entropy_nats or ()


def _around_onset(scored: Scored) -> tuple[tuple[float, ...], int] | None:
    """The entropies up to the end of the loop, and where it begins; None without them."""
    onset, end = scored.analysis.loop_tokens or (0, 0)
    entropies = _entropy(scored)[:end]
    return (entropies, onset) if len(entropies) > onset else None
