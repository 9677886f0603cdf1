"""``--within``: how many problems, samples and rows fit into the time, by passes of this model on this machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from evalharness.errors import EvalHarnessError
from evalharness.pipeline.completing import pace_of
from evalharness.pipeline.completing_in_time import longest_completing_s
from evalharness.pipeline.estimating import token_s
from evalharness.pipeline.loading import load_problem_sets
from evalharness.progress import duration
from evalharness.progress.time_limit import TimeLimit
from evalharness.settings.amounts import seconds_of

if TYPE_CHECKING:
    from evalharness.diagnosis import Split
    from evalharness.generation import Pace, Settings
    from evalharness.pipeline.work import Work
    from evalharness.settings.score import ScoreOptions

LEAK_CHECK, LOSSES, TRIAL = 0.1, 0.15, 0.05
"""Shares of the time: of the search for a leak, of the passes over rows of data, of timing how fast the model writes.
Completions have theirs; loading, judging and the other probes take the rest."""
FEW = 10
"""Problems of a set below which samples are given up first."""
FEWEST_ROWS = 16
LONG_PASSES = 8
"""What the search for a leak costs beside its short rows, in passes over its longest one."""
SHORTEST_LONG = 128
SECOND = 1.0


def time_limit(options: ScoreOptions, begun: float) -> TimeLimit | None:
    """The limit that the settings name, from ``begun`` on, as :func:`time.monotonic` counts.

    Raises :class:`EvalHarnessError` for completions of another engine.
    """
    if options.within is None:
        return None
    if options.backend != "torch":
        raise EvalHarnessError(
            "--within: how fast another engine writes is not known; give --limit and --samples instead"
        )
    return TimeLimit(options.within, seconds_of(options.within), begun)


def say_exceeded(work: Work) -> None:
    """Say by how much the time was exceeded, if it was: loading and judging are not cut short."""
    if work.limit is not None and work.limit.exceeded_s >= SECOND:
        over = duration(work.limit.exceeded_s)
        work.watcher.say(f"within {work.limit.words}: exceeded by {over}: loading and judging are not cut short")


def longest_leak_row(work: Work, longest: int) -> int:
    """How many tokens the longest row has in which a leak is sought: up to ``longest``, as far as there is time."""
    if work.limit is None:
        return longest
    affordable = work.limit.share_s(LEAK_CHECK) / (LONG_PASSES * token_s(work))
    return max(min(SHORTEST_LONG, longest), min(longest, int(affordable)))


def fit_into_time(work: Work, settings: Settings) -> None:
    """Leave out of ``work`` what there is no time for, and say so; without a limit nothing is left out."""
    if work.limit is None:
        return
    rows = max(FEWEST_ROWS, int(work.limit.share_s(LOSSES) / token_s(work)) // _mean_length(work))
    work.train, work.validation = (_fewer_rows(split, rows) for split in (work.train, work.validation))
    if work.validation is not None:
        measured, every = len(work.validation.measured), len(work.validation.encoded)
        work.watcher.say(f"within {work.limit.words}: losses are measured on {measured} of {every} validation rows")
    work.pace = pace_of(work, settings, work.limit.part(work.limit.share_s(TRIAL)))
    fit_completions(work, settings, work.pace)


def fit_completions(work: Work, settings: Settings, pace: Pace) -> None:
    """Leave out the problems, and where these are few the samples, that there is no time for at this pace.

    If completions have the usual length, there is. Where they are longer, fewer are made.
    """
    limit = cast("TimeLimit", work.limit)
    allowed_s = longest_completing_s(limit)
    every = problems, samples = max(len(s.problems) for s in work.sets), work.options.samples
    while (problems, samples) != (1, 0):
        needed_s = _usual_s(work, settings, pace, problems, samples)
        if needed_s <= allowed_s:
            break
        problems, samples = _fewer(problems, samples, allowed_s / needed_s)
    if (problems, samples) == every:
        return
    work.options = replace(work.options, limit=problems, samples=samples)
    work.sets = load_problem_sets(work.options)
    left_out = f"{every[0] - problems} problems of the largest set, {every[1] - samples} samples of each problem"
    work.watcher.say(f"within {limit.words}: --limit {problems} --samples {samples}; left out: {left_out}")


def _fewer(problems: int, samples: int, share: float) -> tuple[int, int]:
    """Fewer completions, ``share`` of them or more: fewer problems, but samples first where problems are few."""
    scaled = min(problems - 1, int(problems * share))
    if problems > FEW:
        return max(FEW, scaled), samples
    return (problems, samples // 2) if samples else (max(1, scaled), 0)


def _usual_s(work: Work, settings: Settings, pace: Pace, problems: int, samples: int) -> float:
    """Seconds that completions of the usual length take."""
    prompts = sum(min(problems, len(s.problems)) for s in work.sets)
    return pace.usual_s(prompts, prompts * (1 + samples), settings.max_new_tokens)


def _mean_length(work: Work) -> int:
    """Tokens of a row of data, of either split."""
    lengths = [len(row.ids) for split in (work.validation, work.train) if split for row in split.encoded]
    return max(1, round(sum(lengths) / max(1, len(lengths))))


def _fewer_rows(split: Split | None, rows: int) -> Split | None:
    return None if split is None else replace(split, most_measured=min(rows, len(split.measured)))
