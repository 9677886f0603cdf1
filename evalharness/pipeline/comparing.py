"""Two scores beside each other, paired by problem: what changed, which problems flipped, what could have been seen."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.errors import StoreError
from evalharness.progress import Silent, Watcher
from evalharness.records import DECODINGS, NOT_BEGUN, Interval, Measure
from evalharness.runs import paths
from evalharness.runs.frames import load_run
from evalharness.runs.newer_settings import value_under
from evalharness.settings.declaration import names_held_equal
from evalharness.settings.score import ScoreOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from evalharness.records import Protocol, Scorecard
    from evalharness.report.parts import Part
    from evalharness.statistics import Comparison


COMPLETION_SUFFIXES = frozenset({".json", ".jsonl", ".gz", ".tar", ".eval"})
"""Of files with completions of any tool; none of them is that of weights."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: what it is called, its scorecard and its completions (see :mod:`evalharness.runs.frames`)."""

    name: str
    card: Scorecard
    completions: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Compared:
    """Two checkpoints: by measure (``warmup, greedy, pass@1``) how they differ, paired by problem.

    ``notes`` say where they were not scored alike, so that a difference may be of the protocol.
    """

    first: Side
    second: Side
    measures: Mapping[Measure, Comparison]
    notes: tuple[str, ...]

    @property
    def document(self) -> tuple[Part, ...]:
        """The comparison as typed parts of a report."""
        from evalharness.report import comparison_document

        names, cards = (self.first.name, self.second.name), (self.first.card, self.second.card)
        return comparison_document(names, cards, self.measures, self.notes)

    def _repr_html_(self) -> str:
        """For notebooks."""
        from evalharness.report.writers.html_parts import parts_html

        return str(parts_html(self.document, {})[0])


def compare(
    paths: Sequence[Path], asked: Mapping[str, Any], watcher: Watcher | None = None, *, seed: int = 0
) -> list[Compared]:
    """Compare the first with each other: scorecards, folders of scores or of runs (their last step), checkpoints.

    A checkpoint that was not scored yet is scored now, with ``asked``; a file of completions that any tool wrote is
    converted, for the first of the problem sets that ``asked`` names. Raises :class:`EvalHarnessError` where one is
    none of these, or two have no problems in common.
    """
    sides = [_side(path, asked, watcher or Silent()) for path in paths]
    if len({side.name for side in sides}) < len(sides):
        sides = [replace(side, name=str(path)) for side, path in zip(sides, paths, strict=True)]
    return [_compared(sides[0], other, seed) for other in sides[1:]]


def _side(path: Path, asked: Mapping[str, Any], watcher: Watcher) -> Side:
    folder = _only_run_in(path.parent if paths.is_scorecard(path) else path)
    if _may_hold_completions(path):
        folder = _converted(path, asked, watcher)
    elif not paths.holds_score(folder) and not paths.scored_steps(folder):
        from evalharness.pipeline.scoring import score

        folder = score(path, asked, watcher).folder
    from evalharness.report import checkpoint_name

    frames = load_run(folder)
    step = frames.last_step
    completions = frames.completions[frames.completions["step"] == step]
    return Side(checkpoint_name(frames.scorecards[step].checkpoint), frames.scorecards[step], completions)


def _may_hold_completions(path: Path) -> bool:
    return path.is_file() and not paths.is_scorecard(path) and path.suffix in COMPLETION_SUFFIXES


def _converted(path: Path, asked: Mapping[str, Any], watcher: Watcher) -> Path:
    """The folder of the score of completions: judged here, and kept as ``convert`` keeps them."""
    from evalharness.pipeline.importing import convert

    chosen = {name: asked[name] for name in ("workers", "sandbox", "packages", "problem_paths") if name in asked}
    (problems, *_) = asked.get("problems") or ("humaneval",)
    return convert([path], problems, Path(asked.get("out", "reports")), watcher=watcher, **chosen)[1]


def _only_run_in(folder: Path) -> Path:
    """The run in a folder of reports (``--out``), if it holds one; the folder itself if it holds none."""
    if not folder.is_dir() or paths.holds_score(folder) or paths.scored_steps(folder):
        return folder
    runs = sorted(child for child in folder.iterdir() if child.is_dir() and paths.scored_steps(child))
    if len(runs) > 1:
        raise StoreError(f"{folder}: holds {len(runs)} runs ({', '.join(run.name for run in runs)}): name one of them")
    return runs[0] if runs else folder


def _compared(first: Side, second: Side, seed: int) -> Compared:
    from evalharness.statistics import compare_pass_at_k, compare_shares

    measures: dict[Measure, Comparison] = {}
    digests = [{info.name: info.digest for info in side.card.protocol.problems} for side in (first, second)]
    common = [name for name in digests[0] if name in digests[1]]
    for name in common:
        for decoding in DECODINGS:
            before, after = (_passed(side.completions, name, decoding) for side in (first, second))
            if before.keys() & after.keys():
                for k in _ks(first.card, second.card, name, decoding):
                    measures[Measure(decoding, name, k)] = compare_pass_at_k(before, after, k, seed=seed)
    for decoding in DECODINGS:
        was, now = (_degenerate(side.completions, decoding, common) for side in (first, second))
        if was.keys() & now.keys():
            compared = compare_shares(was, now, seed=seed)
            whole = was.keys() == now.keys() and digests[0].keys() == digests[1].keys()
            measures[Measure(decoding)] = _as_scored(compared, first, second, decoding) if whole else compared
    if not measures:
        sets = [", ".join(digests_by_set) for digests_by_set in digests]
        raise StoreError(f"{first.name} and {second.name} have no problems in common: {sets[0]} against {sets[1]}")
    notes = (*_other_problems(digests), *_other_protocol(first.card.protocol, second.card.protocol))
    return Compared(first, second, measures, notes)


def _ks(first: Scorecard, second: Scorecard, name: str, decoding: str) -> list[int]:
    sides = [set(card.pass_at_k.get(name, {}).get(decoding, {})) for card in (first, second)]
    return sorted(map(int, sides[0] & sides[1]))


def _passed(completions: pd.DataFrame, name: str, decoding: str) -> dict[str, tuple[int, int]]:
    """``(n, c)`` of each problem; what could not be judged counts as nothing."""
    chosen = completions[(completions["problems"] == name) & (completions["decoding"] == decoding)]
    counts: dict[str, tuple[int, int]] = {}
    for row in chosen.dropna(subset=["passed"]).itertuples():
        n, c = counts.get(row.task_id, (0, 0))
        counts[row.task_id] = (n + 1, c + bool(row.passed))
    return counts


def _degenerate(completions: pd.DataFrame, decoding: str, sets: Sequence[str]) -> dict[str, list[bool]]:
    chosen = completions[(completions["decoding"] == decoding) & completions["problems"].isin(sets)]
    flags: dict[str, list[bool]] = defaultdict(list)
    for row in chosen[~chosen["stop_reason"].isin(NOT_BEGUN)].itertuples():
        flags[row.task_id].append(bool(row.degenerate))
    return flags


def _as_scored(comparison: Comparison, first: Side, second: Side, decoding: str) -> Comparison:
    """With the shares as the two's own reports give them, so that one share has one interval everywhere.

    Where a problem has more completions than another the compared share, in which each problem counts alike, is another
    than the reported one, and stays.
    """
    rates = [side.card.degeneration.get(decoding) for side in (first, second)]
    as_reported = [
        compared
        if rate is None or not isclose(rate.rate, compared.estimate, abs_tol=1e-9)
        else Interval(compared.estimate, rate.low, rate.high)
        for rate, compared in zip(rates, (comparison.first, comparison.second), strict=True)
    ]
    return replace(comparison, first=as_reported[0], second=as_reported[1])


def _other_problems(digests: Sequence[Mapping[str, str]]) -> Iterator[str]:
    first, second = digests
    for name in first.keys() ^ second.keys():
        yield f"only one of the two was scored on {name}"
    for name in first.keys() & second.keys():
        if first[name] != second[name]:
            yield f"{name} is not the same set of problems in both: the problems of one name are compared"


def _other_protocol(first: Protocol, second: Protocol) -> Iterator[str]:
    for name in names_held_equal(ScoreOptions):
        one, other = value_under(first, name), value_under(second, name)
        if one != other:
            yield f"{name.replace('_', ' ')}: {one} against {other}"
