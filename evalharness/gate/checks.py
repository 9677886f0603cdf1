"""The checks of a checkpoint, each a pure function of its scorecard.

``passed`` means that it was tested and holds. What could not be tested is ``not_evaluated``, and never passes; where
the data or the baseline that it needs are not there it is ``skipped``, which a gate counts as not evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evalharness.degeneration.verdict import (
    COLLAPSED_SAMPLED_SHARE,
    is_collapse_likely,
    is_collapse_ruled_out,
    is_too_early_to_tell,
)
from evalharness.records import Interval
from evalharness.report.numbers import percent_interval
from evalharness.report.shares import verdict_words
from evalharness.settings.gate import LEVEL, TOLERANCE
from evalharness.statistics import exact_share, has_fallen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from evalharness.records import DecodingName, DegenerationRate, Finding, Incomplete, Scorecard, Stage
    from evalharness.settings.gate import JudgeBy
    from evalharness.statistics import Comparison

CheckOutcome = Literal["passed", "failed", "skipped", "not_evaluated"]
BASELINE_CHECK = "pass_rate_not_below_baseline"

ENDS_BY_ITSELF_SHARE = 0.5
"""A model that was taught where an answer ends stops by itself nearly always (the shipped causal one: 96 %), one that
was not hardly ever (the leaky one: 0 %); in between nothing is known to lie, and half is halfway."""

MEANS_COLLAPSE = f"more than {COLLAPSED_SAMPLED_SHARE:.0%} of sampled completions degenerate"

ABOUT_THE_LOSS: frozenset[Stage] = frozenset({"loss", "diagnosis", "not_recorded"})
"""Where a score must be complete before its loss can be called honest."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How one check went, and why, in a sentence with its numbers."""

    name: str
    outcome: CheckOutcome
    reason: str


def no_mode_collapse(card: Scorecard) -> CheckResult:
    """The verdict is not "collapsed", and a collapse is ruled out by the interval of the sampled completions.

    If nothing was sampled, the greedy ones rule it out. If most of those are degenerate, the check fails unless the
    sampled ones rule a collapse out.
    """
    likely = is_collapse_likely(card)
    untold = not likely and not is_collapse_ruled_out(card)
    is_open = card.verdict != "collapsed" and (likely or untold)
    reason = f"a collapse ({MEANS_COLLAPSE}) is not ruled out; {_verdict(card)}" if is_open else _verdict(card)
    return _result("no_mode_collapse", not likely, reason, untold=untold)


def healthy(card: Scorecard) -> CheckResult:
    """The verdict is "healthy"."""
    untold = is_too_early_to_tell(card)
    return _result("healthy", card.verdict == "healthy", _verdict(card), untold=untold)


def _verdict(card: Scorecard) -> str:
    return f"{verdict_words(card.verdict)}: {card.verdict_reason}"


def loss_is_honest(card: Scorecard) -> CheckResult:
    """Nothing was established that makes the loss mislead: no finding of severity "cause"."""
    name = "loss_is_honest"
    if card.cause is not None:
        return CheckResult(name, "failed", f"{card.cause.probe}: {card.cause.claim}")
    untested = [item.reason for item in card.not_testable if item.probe == "future_leak"]
    if card.protocol.attention == "not_testable":
        return CheckResult(name, "not_evaluated", f"future_leak: {'; '.join(untested) or 'not tested'}")
    broken = [lack for lack in card.incomplete if lack.stage in ABOUT_THE_LOSS]
    if broken:
        return CheckResult(name, "not_evaluated", _lines(broken))
    if card.loss.recomputed_nats is None:
        return CheckResult(name, "skipped", f"no cause was found, but the loss was {card.loss.convention}")
    return CheckResult(name, "passed", f"no cause found, {len(card.ruled_out)} ruled out")


def ends_by_itself(card: Scorecard) -> CheckResult:
    """Most completions end with an end token or a stop sequence, not in a loop or at the limit."""
    rate = card.degeneration.get("sampled") or card.degeneration.get("greedy")
    share = None if rate is None else rate.shares.get("ended_by_itself")
    if rate is None or share is None:
        return CheckResult("ends_by_itself", "not_evaluated", "no completion was begun")
    reason = (
        f"{percent_interval(share)} of {rate.completions} completions end with an end token or a stop sequence, "
        f"at least {_whole(ENDS_BY_ITSELF_SHARE)} should"
    )
    return _result("ends_by_itself", share.estimate >= ENDS_BY_ITSELF_SHARE, reason)


def not_contaminated(card: Scorecard) -> CheckResult:
    """None of the problems is in the training data, or so few that they make no difference to the score."""
    name = "not_contaminated"
    finding = _finding(card, "contamination")
    if finding is not None:
        return _result(name, finding.severity == "note", finding.claim)
    cleared = [item.claim for item in card.ruled_out if item.probe == "contamination"]
    if cleared:
        return CheckResult(name, "passed", cleared[0])
    untested = [item.reason for item in card.not_testable if item.probe == "contamination"]
    if untested:
        return CheckResult(name, "skipped", untested[0])
    return CheckResult(name, "not_evaluated", _lines(card.incomplete) or "the probe was not asked")


CHECKS: dict[str, Callable[[Scorecard], CheckResult]] = {
    "no_mode_collapse": no_mode_collapse,
    "loss_is_honest": loss_is_honest,
    "ends_by_itself": ends_by_itself,
    "not_contaminated": not_contaminated,
}
NAMES = (*CHECKS, BASELINE_CHECK)
"""Every check by its name; that of the pass rate takes a baseline, too."""


def pass_rate_not_below_baseline(
    card: Scorecard, comparison: Comparison | None, *, level: float = LEVEL, tolerance: float = TOLERANCE
) -> CheckResult:
    """pass@1 has not fallen below the baseline: not significantly at ``level``, or by no more than ``tolerance``.

    ``comparison`` has the baseline first, paired by problem; None where there is no baseline.
    """
    if comparison is None:
        return CheckResult(BASELINE_CHECK, "skipped", "there is no baseline")
    if card.incomplete:
        return CheckResult(BASELINE_CHECK, "not_evaluated", _lines(card.incomplete))
    change = comparison.difference
    reason = (
        f"pass@1 {percent_interval(comparison.first)} in the baseline, {percent_interval(comparison.second)} now, over "
        f"{comparison.problems} problems: {100 * change.estimate:+.1f} points "
        f"[{100 * change.low:+.1f}, {100 * change.high:+.1f}], p {comparison.p_fall:.2g} of a fall by chance "
        f"(level {level:g}, tolerance {100 * tolerance:g} points)"
    )
    return _result(BASELINE_CHECK, not has_fallen(comparison, level=level, tolerance=tolerance), reason)


def min_pass_at_1(card: Scorecard, least: float, judge_by: JudgeBy = "point") -> CheckResult:
    """The greedy pass@1 over all problems that were named is at least ``least``: its point, or its lower bound."""
    counts = [by_decoding.get("greedy", {}) for by_decoding in card.outcomes.values()]
    judged = sum(sum(of_set.values()) - of_set.get("not_judged", 0) for of_set in counts)
    if not judged:
        return CheckResult("min_pass_at_1", "not_evaluated", "no greedy completion was judged")
    share = exact_share(sum(of_set.get("passed", 0) for of_set in counts), judged)
    value = share.estimate if judge_by == "point" else share.low
    reason = (
        f"greedy pass@1 {percent_interval(share)} over {judged} problems, {_whole(least)}{_by(judge_by, 'lower')} asked"
    )
    return _result("min_pass_at_1", value >= least, reason)


def max_loop_rate(
    card: Scorecard, allowed: float, judge_by: JudgeBy = "point", decoding: DecodingName = "sampled"
) -> CheckResult:
    """The share of completions that are degenerate in any way is at most ``allowed``: its point, or its upper bound.

    Loops that follow a finished answer count as well.
    """
    name = "max_loop_rate" if decoding == "sampled" else "max_greedy_loop_rate"
    rate = card.degeneration.get(decoding)
    if rate is None:
        return CheckResult(name, "not_evaluated", f"no {decoding} completion was begun")
    share = Interval(rate.rate, rate.low, rate.high)
    value = share.estimate if judge_by == "point" else share.high
    reason = (
        f"{percent_interval(share)} of {rate.completions} {decoding} completions are degenerate{_kinds(rate)}, "
        f"allowed {_whole(allowed)}{_by(judge_by, 'upper')}"
    )
    return _result(name, value <= allowed, reason)


def _result(name: str, holds: bool, reason: str, *, untold: bool = False) -> CheckResult:
    return CheckResult(name, "not_evaluated" if untold else "passed" if holds else "failed", reason)


def _lines(lacks: Iterable[Incomplete]) -> str:
    return "; ".join(map(str, lacks))


def _finding(card: Scorecard, probe: str) -> Finding | None:
    return next((finding for finding in card.findings if finding.probe == probe), None)


def _kinds(rate: DegenerationRate) -> str:
    counts = sorted(((kind.completions, name) for name, kind in rate.kinds.items()), reverse=True)
    return f" ({', '.join(f'{count} {name}' for count, name in counts)})" if counts else ""


def _by(judge_by: JudgeBy, side: str) -> str:
    return f" of the {side} bound" if judge_by == "bound" else ""


def _whole(share: float) -> str:
    return f"{100 * share:g} %"


def unknown_names(names: Iterable[str]) -> list[str]:
    """Those that are the name of no check."""
    return [name for name in names if name not in NAMES]
