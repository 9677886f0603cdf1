"""Completions, executions and analyses counted: pass@k, verdicts, and shares of degenerate completions. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from evalharness.records import (
    ENDED_BY_ITSELF,
    NOT_BEGUN,
    Completion,
    DegenerationRate,
    Execution,
    Interval,
    KindRate,
    MutualInformation,
    Verdict,
)
from evalharness.statistics import mean_over_rows, pass_at_k_interval, share_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from evalharness.degeneration import Degeneration


class Tally:
    """Executions of one decoding, counted one by one."""

    def __init__(self, executions: Iterable[Execution] = ()) -> None:
        self._judged: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._on_base: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._verdicts: Counter[Verdict] = Counter()
        for execution in executions:
            self.add(execution)

    def add(self, execution: Execution) -> None:
        """Count one more."""
        self._verdicts[execution.verdict] += 1
        _count(self._judged, execution.task_id, execution.verdict)
        if execution.base:
            _count(self._on_base, execution.task_id, execution.base)

    def pass_at_k(self, ks: Iterable[int]) -> dict[str, Interval]:
        """See :func:`pass_at_k`."""
        return _pass_at_k(self._judged, ks)

    def base_pass_at_k(self, ks: Iterable[int]) -> dict[str, Interval]:
        """See :func:`base_pass_at_k`."""
        return _pass_at_k(self._on_base, ks)

    def outcomes(self) -> dict[str, int]:
        """See :func:`outcomes`."""
        return {verdict.value: self._verdicts[verdict] for verdict in Verdict if self._verdicts[verdict]}


def _count(counts: dict[str, list[int]], task_id: str, verdict: Verdict) -> None:
    if verdict is not Verdict.NOT_JUDGED:
        counts[task_id][0] += 1
        counts[task_id][1] += verdict is Verdict.PASSED


def _pass_at_k(counts: Mapping[str, Sequence[int]], ks: Iterable[int]) -> dict[str, Interval]:
    pairs = [(n, passed) for n, passed in counts.values()]
    fewest = min((n for n, _ in pairs), default=0)
    return {str(k): pass_at_k_interval(pairs, k) for k in sorted(set(ks)) if k <= fewest}


def pass_at_k(executions: Iterable[Execution], ks: Iterable[int]) -> dict[str, Interval]:
    """pass@k of the executions of one decoding, for each ``k`` that every problem has completions for.

    A prompt that did not fit counts as not passed. What could not be judged counts as nothing: a problem with such
    completions has fewer of them, and one with nothing else drops out. The intervals are by formula: no seed is needed.
    """
    return Tally(executions).pass_at_k(ks)


def base_pass_at_k(executions: Iterable[Execution], ks: Iterable[int]) -> dict[str, Interval]:
    """pass@k on the base tests alone; empty if no problem has such a part."""
    return Tally(executions).base_pass_at_k(ks)


def outcomes(executions: Iterable[Execution]) -> dict[str, int]:
    """How many executions ended in each verdict, in the order of the verdicts; those that none had are left out."""
    return Tally(executions).outcomes()


def degeneration_rate(
    completions: Sequence[Completion], analyses: Sequence[Degeneration], seed: int
) -> DegenerationRate | None:
    """What the completions of one decoding that were begun are like; None where none was."""
    begun = [(c, a) for c, a in zip(completions, analyses, strict=True) if c.stop_reason not in NOT_BEGUN]
    if not begun:
        return None
    knows_ends = all(completion.stop_reason != "not_recorded" for completion, _ in begun)
    whole = _share(begun, lambda analysis: analysis.degenerate)
    kinds = {str(analysis.kind) for _, analysis in begun if analysis.degenerate}
    return DegenerationRate(
        rate=whole.estimate,
        low=whole.low,
        high=whole.high,
        completions=len(begun),
        kinds={kind: _kind_rate(begun, kind) for kind in sorted(kinds)},
        shares={name: _share(begun, has) for name, has in SHARES.items() if knows_ends or name not in ABOUT_ENDS},
        mutual_information=_mutual_information(begun, seed),
    )


SHARES: dict[str, Callable[[Degeneration], bool]] = {
    "ended_by_itself": lambda analysis: analysis.stop_reason in ENDED_BY_ITSELF,
    "parses": lambda analysis: analysis.validity.alone,
    "parses_with_prompt": lambda analysis: bool(analysis.validity.with_prompt),
    "loop_ran_to_limit": lambda analysis: analysis.ran_to_limit,
    "loop_after_answer": lambda analysis: bool(analysis.after_answer),
    "degenerate_without_answer": lambda analysis: analysis.degenerate and not analysis.after_answer,
}
ABOUT_ENDS = frozenset({"ended_by_itself", "loop_ran_to_limit"})
"""Not known of completions that another tool wrote without saying why they ended."""
_Begun = Sequence[tuple[Completion, "Degeneration"]]


def _share(begun: _Begun, has: Callable[[Degeneration], bool]) -> Interval:
    flags: dict[str, list[bool]] = defaultdict(list)
    for completion, analysis in begun:
        flags[completion.task_id].append(has(analysis))
    return share_interval(flags)


def _kind_rate(begun: _Begun, kind: str) -> KindRate:
    share = _share(begun, lambda analysis: analysis.kind == kind)
    return KindRate(sum(a.kind == kind for _, a in begun), share.estimate, share.low, share.high)


def _mutual_information(begun: _Begun, seed: int) -> MutualInformation | None:
    from evalharness.degeneration.dependence import dependence  # it imports scipy: a quarter of a second

    texts: dict[str, list[str]] = defaultdict(list)
    for completion, _ in begun:
        texts[completion.task_id].append(completion.text)
    measured = dependence(texts)
    if measured is None:
        return None
    return MutualInformation(
        nats=mean_over_rows(dict(enumerate(measured.nats.values())), seed=seed),
        ceiling_nats=measured.ceiling_nats,
        own_fits_best=share_interval(measured.own_fits_best),
        problems=len(measured.nats),
    )
