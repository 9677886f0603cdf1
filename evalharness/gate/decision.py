"""Whether a scored checkpoint passes the checks that are required, and the exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.errors import EvaluationError
from evalharness.gate import baseline as baselines
from evalharness.gate.checks import (
    BASELINE_CHECK,
    CHECKS,
    CheckResult,
    healthy,
    max_loop_rate,
    min_pass_at_1,
    pass_rate_not_below_baseline,
)
from evalharness.runs.files import write_file
from evalharness.runs.json_values import plain
from evalharness.settings.declaration import names_held_equal

if TYPE_CHECKING:
    from pathlib import Path

    from evalharness.gate.baseline import Baseline
    from evalharness.pipeline import ScoreResult
    from evalharness.records import Incomplete
    from evalharness.settings.gate import GateOptions
    from evalharness.settings.score import ScoreOptions

PASSED, FAILED, NOT_EVALUATED = 0, 1, 3


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a gate found; ``incomplete`` is what the score itself could not evaluate."""

    results: tuple[CheckResult, ...]
    scored: ScoreResult

    @property
    def incomplete(self) -> tuple[Incomplete, ...]:
        """What could not be evaluated in the score, whatever was asked."""
        return self.scored.scorecard.incomplete

    @property
    def exit_code(self) -> int:
        """1 where something does not hold, else 3 where something could not be evaluated, else 0."""
        outcomes = {result.outcome for result in self.results}
        if "failed" in outcomes:
            return FAILED
        return PASSED if outcomes <= {"passed"} and not self.incomplete else NOT_EVALUATED


def hold_to(scored: ScoreResult, options: GateOptions, baseline: Baseline | None) -> GateResult:
    """Run every check that is asked for. Raises :class:`BaselineError` for a baseline that can't be compared."""
    card = scored.scorecard
    results = [run_check(name, scored, options, baseline) for name in options.names]
    if options.require == "healthy":
        results.append(healthy(card))
    if options.min_pass_at_1 is not None:
        results.append(min_pass_at_1(card, options.min_pass_at_1, options.judge_by))
    if options.max_loop_rate is not None:
        results.append(max_loop_rate(card, options.max_loop_rate, options.judge_by))
    if options.max_greedy_loop_rate is not None:
        results.append(max_loop_rate(card, options.max_greedy_loop_rate, options.judge_by, "greedy"))
    return GateResult(tuple(results), scored)


def run_check(name: str, scored: ScoreResult, options: GateOptions, baseline: Baseline | None) -> CheckResult:
    """Run one check by its name."""
    if name != BASELINE_CHECK:
        return CHECKS[name](scored.scorecard)
    comparison = None
    if baseline is not None and options.baseline is not None:
        now = baselines.baseline_of(scored.scorecard, scored.folder)
        comparison = baselines.compare(options.baseline, baseline, now)
        solved = baselines.solved(baseline)
        if 0.5**solved > options.level:
            reason = (
                f"the baseline passes {solved} problems: even a loss of them all would be no fall that is significant "
                f"at {options.level:g}"
            )
            return CheckResult(BASELINE_CHECK, "not_evaluated", reason)
    return pass_rate_not_below_baseline(scored.scorecard, comparison, level=options.level, tolerance=options.tolerance)


def refuse_early(path: Path, baseline: Baseline, options: ScoreOptions) -> None:
    """Raise BaselineError for what can be told before the minutes of a score: other problems, decoding or seed."""
    from evalharness.pipeline.loading import load_problem_sets  # noqa: PLC0415 - imports the problem sets

    now = plain(options)
    sets = [{"name": s.name, "problems": len(s.problems), "digest": s.digest} for s in load_problem_sets(options)]
    known = {name: now[name] for name in names_held_equal(type(options)) if now[name] is not None}
    baselines.refuse(path, baseline, {**baseline.protocol, **known, "problems": sets})


def save_baseline(scored: ScoreResult, path: Path) -> None:
    """Write the baseline of a score. Raises :class:`EvaluationError` for an incomplete one."""
    if scored.scorecard.incomplete:
        lacks = "; ".join(map(str, scored.scorecard.incomplete))
        raise EvaluationError(f"{path}: not written: the score is incomplete: {lacks}")
    write_file(path, baselines.to_json(baselines.baseline_of(scored.scorecard, scored.folder)))
