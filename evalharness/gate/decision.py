"""Whether a scored checkpoint is what it is held to: the settings of a gate, its checks, and the exit code."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from evalharness.errors import EvalHarnessError, EvaluationError
from evalharness.gate import baseline as baselines
from evalharness.gate.checks import (
    BASELINE_CHECK,
    CHECKS,
    LEVEL,
    NAMES,
    TOLERANCE,
    CheckResult,
    JudgeBy,
    max_loop_rate,
    min_pass_at_1,
    pass_rate_not_below_baseline,
    unknown_names,
)
from evalharness.runs.files import write_file
from evalharness.settings.environment import from_environment
from evalharness.settings.manifest import GateSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from evalharness.gate.baseline import Baseline
    from evalharness.pipeline import ScoreResult
    from evalharness.records import Incomplete
    from evalharness.settings.score_options import ScoreOptions

PASSED, FAILED, NOT_EVALUATED = 0, 1, 3
_CAN_FAIL: Mapping[str, tuple[Callable[[float], bool], str]] = {
    "min_pass_at_1": (lambda share: 0 < share <= 1, "a share of 1, above 0: no checkpoint passes less than none"),
    "max_loop_rate": (lambda share: 0 <= share < 1, "a share of 1, below 1: no checkpoint has more than all"),
    "level": (lambda level: 0.0001 <= level <= 0.5, "from 0.0001 to 0.5: at less nothing is ever significant"),
    "tolerance": (lambda share: 0 <= share < 1, "a share of 1, below 1: no checkpoint falls by more than all"),
}
"""What a gate can be asked, and why not more: a condition that can't fail is none."""


@dataclass(frozen=True, slots=True)
class GateOptions:
    """The thresholds of a gate; see :class:`evalharness.settings.manifest.GateSettings`. None: not checked."""

    no_collapse: bool = False
    checks: tuple[str, ...] = ()
    min_pass_at_1: float | None = None
    max_loop_rate: float | None = None
    judge_by: JudgeBy = "point"
    baseline: Path | None = None
    level: float = LEVEL
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        """Gather every fault and raise once."""
        faults = [
            f"--{name.replace('_', '-')} {value:g}: expected {expected}"
            for name, (holds, expected) in _CAN_FAIL.items()
            if (value := getattr(self, name)) is not None and not holds(value)
        ]
        if self.judge_by not in get_args(JudgeBy):
            faults.append(f"--judge-by {self.judge_by}: expected point or bound")
        unknown = unknown_names(self.checks)
        if unknown:
            faults.append(f"--checks {', '.join(unknown)}: expected {', '.join(NAMES)}")
        if faults:
            raise EvalHarnessError("; ".join(faults))

    @property
    def names(self) -> tuple[str, ...]:
        """The named checks that are asked for; a baseline that is given is one to be held to."""
        named = [*(["no_mode_collapse"] if self.no_collapse else []), *self.checks]
        named += [BASELINE_CHECK] if self.baseline is not None else []
        return tuple(dict.fromkeys(named))

    @property
    def asks_for_something(self) -> bool:
        """Whether there is anything that could fail."""
        return bool(self.names) or self.min_pass_at_1 is not None or self.max_loop_rate is not None


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


def resolve_gate(
    asked: Mapping[str, Any], manifest: GateSettings, environment: Mapping[str, str] | None = None
) -> GateOptions:
    """Lay ``asked`` over ``EVALHARNESS_*`` over ``[gate]`` over the defaults; raises as ``options.resolve`` does."""
    said = from_environment(GateSettings, os.environ if environment is None else environment)
    written = {item.name: getattr(manifest, item.name) for item in dataclasses.fields(manifest)}
    values = {**written, **said, **{name: value for name, value in asked.items() if value is not None}}
    return GateOptions(**{name: value for name, value in values.items() if value is not None})


def hold_to(scored: ScoreResult, options: GateOptions, baseline: Baseline | None) -> GateResult:
    """Run every check that is asked for. Raises :class:`BaselineError` for a baseline that can't be compared."""
    card = scored.scorecard
    results = [run_check(name, scored, options, baseline) for name in options.names]
    if options.min_pass_at_1 is not None:
        results.append(min_pass_at_1(card, options.min_pass_at_1, options.judge_by))
    if options.max_loop_rate is not None:
        results.append(max_loop_rate(card, options.max_loop_rate, options.judge_by))
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

    now = dataclasses.asdict(options)
    sets = [{"name": s.name, "problems": len(s.problems), "digest": s.digest} for s in load_problem_sets(options)]
    known = {name: now[name] for name in baseline.protocol if now.get(name) is not None}
    baselines.refuse(path, baseline, {**baseline.protocol, **known, "problems": sets})


def save_baseline(scored: ScoreResult, path: Path) -> None:
    """Write the baseline of a score. Raises :class:`EvaluationError` for an incomplete one."""
    if scored.scorecard.incomplete:
        lacks = "; ".join(map(str, scored.scorecard.incomplete))
        raise EvaluationError(f"{path}: not written: the score is incomplete: {lacks}")
    write_file(path, baselines.to_json(baselines.baseline_of(scored.scorecard, scored.folder)))
