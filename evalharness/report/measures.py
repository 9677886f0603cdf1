"""The tables of how completions ended and of what they are like, on average and with intervals over problems."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from evalharness.records import NOT_BEGUN
from evalharness.report.escaping import table
from evalharness.report.wording import DECODINGS
from evalharness.statistics import mean_over_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalharness.report.evidence import Evidence, Scored


def _mean_entropy(scored: Scored) -> float | None:
    predictions = scored.analysis.measures.predictions
    return None if predictions is None else predictions.mean_nats


MEASURES: dict[str, Callable[[Scored], float | None]] = {
    "tokens written": lambda s: len(s.completion.token_ids),
    "longest run of one token": lambda s: s.analysis.measures.longest_token_run,
    "longest run of newlines": lambda s: s.analysis.measures.longest_newline_run,
    "share of whitespace": lambda s: s.analysis.measures.whitespace_share,
    "entropy of the text's tokens, nats": lambda s: s.analysis.measures.text_entropy_nats,
    "entropy of the predictions, nats": _mean_entropy,
    **{f"seq-rep-{n}": (lambda s, n=n: s.analysis.measures.seq_rep[n - 1]) for n in (1, 2, 3, 4)},  # type: ignore[misc]
}


def measures(evidence: Evidence) -> str:
    """Return the table of the means of each measure by decoding, or nothing where no completion was begun."""
    by_decoding = _begun(evidence)
    rows = [
        [name, *(_mean(by_decoding[decoding], measure) for decoding in by_decoding)]
        for name, measure in MEASURES.items()
    ]
    return table(["Mean over completions", *by_decoding], rows, _columns(by_decoding)) if by_decoding else ""


def endings(evidence: Evidence) -> str:
    """Return the table of why generation ended, or nothing where no completion was begun."""
    by_decoding = _begun(evidence)
    counts = {d: Counter(s.completion.stop_reason for s in members) for d, members in by_decoding.items()}
    reasons = sorted({reason for counted in counts.values() for reason in counted})
    rows = [[reason.replace("_", " "), *(f"{counted[reason]:,}" for counted in counts.values())] for reason in reasons]
    return table(["Generation ended by", *by_decoding], rows, _columns(by_decoding)) if rows else ""


def _begun(evidence: Evidence) -> dict[str, list[Scored]]:
    begun: dict[str, list[Scored]] = {decoding: [] for decoding in DECODINGS}
    for scored in evidence.all_scored():
        if scored.completion.stop_reason not in NOT_BEGUN:
            begun[scored.completion.decoding].append(scored)
    return {decoding: members for decoding, members in begun.items() if members}


def _columns(by_decoding: dict[str, list[Scored]]) -> frozenset[int]:
    return frozenset(range(1, 1 + len(by_decoding)))


def _mean(members: Sequence[Scored], measure: Callable[[Scored], float | None]) -> str:
    """Mean with its interval over problems: completions of one problem are not independent."""
    by_problem: dict[str, list[float]] = defaultdict(list)
    for scored in sorted(members, key=lambda s: (s.problem.task_id, s.completion.completion_id)):
        value = measure(scored)
        if value is not None:
            by_problem[scored.problem.task_id].append(value)
    if not by_problem:
        return "–"
    mean = mean_over_rows(dict(enumerate(by_problem.values())), seed=0)
    if len(by_problem) == 1:
        return f"{mean.estimate:.2f}"
    return f"{mean.estimate:.2f} [{mean.low:.2f}, {mean.high:.2f}]"
