"""A whole training run: every checkpoint of a series scored alike, and the report over all of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.errors import CheckpointError, EvalHarnessError
from evalharness.pipeline.freshness import is_fresh, kept_scorecard
from evalharness.pipeline.shared import Shared
from evalharness.pipeline.spreading.fleet import Abandoned
from evalharness.pipeline.spreading.ray_cluster import joined, on_a_node
from evalharness.progress import SayingOnce, Silent, Watcher
from evalharness.runs import paths
from evalharness.runs.naming import run_name
from evalharness.runs.owner import run_folder
from evalharness.settings.score import NO_CLUSTER, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from evalharness.models.torch import SeriesStep
    from evalharness.records import Scorecard
    from evalharness.settings.manifest import Manifest
    from evalharness.settings.score import ScoreOptions


@dataclass(frozen=True, slots=True)
class Choice:
    """Which steps of a series to score: those in ``steps``, else every N-th of the last M.

    Without ``steps`` the last step is always among them: ``every`` counts back from it.
    """

    every: int | None = None
    last: int | None = None
    steps: tuple[int, ...] | None = None

    def of(self, found: Sequence[SeriesStep]) -> list[SeriesStep]:
        """Pick from the steps of a series. Raises CheckpointError for a step that it does not have."""
        if self.steps is not None:
            missing = sorted(set(self.steps) - {step.step for step in found})
            if missing:
                there = ", ".join(str(step.step) for step in found)
                raise CheckpointError(f"--steps {missing[0]}: the series has no such step; it has {there}")
            return [step for step in found if step.step in self.steps]
        chosen = list(found)
        if self.last is not None:
            chosen = chosen[-self.last :]
        if self.every is not None:
            chosen = chosen[:: -self.every][::-1]
        return chosen


@dataclass(frozen=True, slots=True)
class StepFailure:
    """One checkpoint that could not be scored, and why."""

    step: int
    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class StepEnd:
    """How one step of a series ended: its scorecard, or why there is none; ``is_kept`` if it was there from before."""

    step: int
    outcome: Scorecard | StepFailure
    is_kept: bool = False


@dataclass(frozen=True, slots=True)
class RunResult:
    """The folder of a run, its scorecards by step, and what failed; ``kept`` were there from before and still hold.

    ``report`` is None where nothing was scored, and where the report is written later.
    """

    folder: Path
    scorecards: Mapping[int, Scorecard]
    failures: tuple[StepFailure, ...]
    kept: frozenset[int]
    report: Path | None


def _at_once(write: Callable[[], Path]) -> Path | None:
    return write()


def run_series(
    path: Path,
    asked: Mapping[str, Any],
    choice: Choice,
    watcher: Watcher | None = None,
    *,
    shared: Shared | None = None,
    pace: Callable[[Callable[[], Path]], Path | None] = _at_once,
    ended: Callable[[StepEnd], object] = lambda _: None,
) -> RunResult:
    """Score the steps of a series, each as :func:`evalharness.pipeline.score` does, and write the run's report.

    ``path`` is a folder, or the name of a model of the hub that has one of checkpoints.
    Problems, decoding and seeds are equal for all, so every comparison is paired. A step whose score still holds is not
    scored again, one that fails is reported and the others go on. ``ended`` is called with each step as it ends, those
    that still hold first. ``pace`` is given what writes the report, and calls it now or later; ``shared`` is what steps
    scored before have made. Raises :class:`EvalHarnessError` where there is no series or nothing can be asked for at
    all.
    """
    from evalharness.models.torch import find_on_hub
    from evalharness.pipeline.run_report import keep_records
    from evalharness.settings.manifest import find_manifest

    watcher, shared = SayingOnce(watcher or Silent()), shared or Shared()
    manifest = find_manifest(path)
    options = resolve({name: value for name, value in asked.items() if name != "step"}, manifest.score)
    if options.backend != "torch":
        raise CheckpointError(
            f"--backend {options.backend}: another engine has the weights of one checkpoint, and a series has several: "
            "score each by evalharness score FOLDER --step N, with its own weights in that engine"
        )
    hub = find_on_hub(path, options.revision, series=True, watcher=watcher)
    place, source = (path, path.resolve()) if hub is None else (hub.folder, hub.repository)
    steps = choice.of(steps_of(place, manifest))
    folder = run_folder(options.out, run_name(source if hub is None else Path(hub.name)), str(source))
    kept = {
        _number(step): held
        for step in steps
        if is_fresh(own := folder / paths.step_folder(_number(step)), place, manifest, options)
        and (held := kept_scorecard(own)) is not None
    }
    for number, held in kept.items():
        ended(StepEnd(number, held, is_kept=True))
    to_score = [step for step in steps if step.step not in kept]
    with joined(options.ray):
        if options.ray == NO_CLUSTER:
            ends = list(_scored_each(to_score, path, asked, watcher, shared, ended))
        else:
            ends = list(_scored_on_cluster(to_score, path, asked, watcher, options, ended))
        scored = {end.step: end.outcome for end in ends if not isinstance(end.outcome, StepFailure)}
        failures = tuple(end.outcome for end in ends if isinstance(end.outcome, StepFailure))
        cards = dict(sorted({**kept, **scored}.items()))
        if not cards:
            return RunResult(folder, cards, failures, frozenset(kept), None)
        reasons = [(failure.step, failure.reason) for failure in failures]
        report: Path | None = folder / paths.REPORT
        keep = partial(keep_records, folder, str(path), place, manifest, steps, reasons)
        if options.ray == NO_CLUSTER:
            is_new = keep(watcher, options.log)
        else:  # what a probe asks is known where torch is
            is_new = on_a_node(options.ray, keep, Silent(), options.log)
        if is_new or scored:
            report = pace(partial(_write_report, folder, watcher, options.ray))
        return RunResult(folder, cards, failures, frozenset(kept), report)


def _scored_each(
    steps: Sequence[SeriesStep],
    path: Path,
    asked: Mapping[str, Any],
    watcher: Watcher,
    shared: Shared,
    ended: Callable[[StepEnd], object],
) -> Iterator[StepEnd]:
    """Score the steps one after the other, and tell of each as it ends."""
    from evalharness.pipeline.scoring import score

    for i, step in enumerate(steps, 1):
        number = _number(step)
        watcher.item(f"step {number:,}", i, len(steps))
        outcome: Scorecard | StepFailure
        try:
            outcome = score(path, {**asked, "step": number}, watcher, shared).scorecard
        except EvalHarnessError as error:
            outcome = StepFailure(number, step.path, str(error))
        end = StepEnd(number, outcome)
        ended(end)
        yield end


def _write_report(folder: Path, watcher: Watcher, ray: str) -> Path:
    from evalharness.pipeline.run_report import write_run_report

    watcher.stage("writing the run's report", 1)
    return write_run_report(folder) if ray == NO_CLUSTER else on_a_node(ray, write_run_report, folder)


def _number(step: SeriesStep) -> int:
    assert step.step is not None  # noqa: S101 - steps_of gives no other
    return step.step


def _scored_on_cluster(
    steps: Sequence[SeriesStep],
    path: Path,
    asked: Mapping[str, Any],
    watcher: Watcher,
    options: ScoreOptions,
    ended: Callable[[StepEnd], object],
) -> Iterator[StepEnd]:
    """Score the steps on the nodes of a cluster, several at a time, and tell of each as it ends."""
    from evalharness.pipeline.spreading.ray_steps import score_steps

    by_number = {_number(step): step for step in steps}
    if not by_number:
        return
    watcher.stage("scoring steps", len(by_number))
    for number, scored in score_steps(path, asked, options, [*by_number]):
        outcome: Scorecard | StepFailure
        if isinstance(scored, Abandoned):
            outcome = StepFailure(number, by_number[number].path, scored.reason)
        else:
            outcome = scored
        end = StepEnd(number, outcome)
        ended(end)
        watcher.advance()
        yield end


def steps_of(path: Path, manifest: Manifest) -> list[SeriesStep]:
    """The numbered steps of a series, one a step. Raises CheckpointError where there are none."""
    from evalharness.models.torch import find_series

    if path.is_file():
        raise CheckpointError(
            f"{path}: is a file; run takes the folder of a series, evalharness score {path} scores it"
        )
    if not path.is_dir():
        raise CheckpointError(f"{path}: no such folder; run takes the folder of a series, score takes one checkpoint")
    numbered = {step.step: step for step in reversed(find_series(path, manifest)) if step.step is not None}
    if not numbered:
        raise CheckpointError(
            f"{path}: no checkpoints with a step in their names (step_500, checkpoint-500, ckpt_500.pt); "
            "score takes one checkpoint"
        )
    return [numbered[step] for step in sorted(numbered)]
