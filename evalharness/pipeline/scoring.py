"""One checkpoint, from a path to its scorecard and its folder; or its diagnosis alone."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from evalharness.pipeline.assembling import scorecard_of
from evalharness.pipeline.attention import probe_attention
from evalharness.pipeline.completing import complete
from evalharness.pipeline.diagnosing import behaviour_known, diagnose_subject, measured_of, what_it_writes
from evalharness.pipeline.fitting_time import fit_into_time, say_exceeded, time_limit
from evalharness.pipeline.formats import compare_formats
from evalharness.pipeline.freshness import kept_folder, kept_scorecard, stamp_of
from evalharness.pipeline.judging import judge_completions
from evalharness.pipeline.loading import check_k, load
from evalharness.pipeline.measuring import behaviour_of, measure_behaviour, measure_loss
from evalharness.pipeline.spreading.ray_cluster import joined
from evalharness.pipeline.target import find_target
from evalharness.pipeline.writing import write
from evalharness.progress import Silent, Watcher
from evalharness.runs import paths
from evalharness.runs.files import turn
from evalharness.runs.owner import Owner, claimed, numbered
from evalharness.runs.stamps import write_stamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from evalharness.degeneration import Judgement
    from evalharness.diagnosis import Diagnosis, Measured, PassageToken, RowLoss
    from evalharness.generation import Settings
    from evalharness.pipeline.shared import Shared
    from evalharness.pipeline.target import Target
    from evalharness.pipeline.work import Work
    from evalharness.progress.time_limit import TimeLimit
    from evalharness.records import CheckpointInfo, Incomplete, Loss, Scorecard
    from evalharness.runs.folder import RunFolder
    from evalharness.settings.manifest import Manifest

    KnownLoss = tuple[Loss, tuple[RowLoss, ...]]
    Examined = tuple[Diagnosis, Loss, tuple[RowLoss, ...]]


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """A scorecard and where its files are."""

    scorecard: Scorecard
    folder: Path


@dataclass(frozen=True, slots=True)
class DiagnosisResult:
    """What a diagnosis alone established of a checkpoint; ``incomplete`` has an entry for each thing that failed."""

    checkpoint: CheckpointInfo
    loss: Loss
    judgement: Judgement
    diagnosis: Diagnosis
    incomplete: tuple[Incomplete, ...]


def score(
    path: Path | str | None, asked: Mapping[str, Any], watcher: Watcher | None = None, shared: Shared | None = None
) -> ScoreResult:
    """Score one checkpoint and write its folder; without a path, the model of the server that ``asked`` names.

    ``asked`` holds settings by their names; what it leaves out comes from the manifest, then from the defaults.
    ``shared`` is what the steps of one run have in common. Raises :class:`EvalHarnessError`; what was already written
    stays, and the same call goes on from there.
    """
    begun, watcher = time.monotonic(), watcher or Silent()
    return _scored(find_target(None if path is None else Path(path), asked, watcher), watcher, begun, shared)


def _scored(target: Target, watcher: Watcher, begun: float, shared: Shared | None = None) -> ScoreResult:
    check_k(target.options, watcher)
    limit = time_limit(target.options, begun)
    with joined(target.options.ray):
        return _scored_whole(target, watcher, limit, shared)


def _scored_whole(target: Target, watcher: Watcher, limit: TimeLimit | None, shared: Shared | None) -> ScoreResult:
    from evalharness.generation import fastest_threads

    work = replace(load(target, watcher, shared), limit=limit)
    stamp = stamp_of(work)
    with _folder_of(work) as folder, fastest_threads(work.checkpoint.model):
        settings = probe_attention(work)
        fit_into_time(work, settings)
        early = None if limit is None else _loss_first(work, settings)
        completions = complete(work, folder, settings)
        executions = judge_completions(work, folder, completions)
        formats = compare_formats(work, folder, settings, executions) if limit is None else None
        behaviour = replace(measure_behaviour(work, completions, executions), formats=formats)
        measured, known = early or (measured_of(work, settings, behaviour), None)
        behaviour_known(work, measured, behaviour)
        diagnosis, loss, by_row = _examined(work, measured, known)
        card = scorecard_of(work, settings, behaviour, diagnosis, loss)
        watcher.stage("writing the report", 1)
        write(work, folder, card, behaviour, by_row, _passage(measured))
        if not card.incomplete:
            write_stamp(folder, stamp)
        say_exceeded(work)
        return ScoreResult(card, folder.path)


def _loss_first(work: Work, settings: Settings) -> tuple[Measured, KnownLoss]:
    """The loss before anything is written: in a limited time it is the cheapest thing that tells much."""
    from evalharness.models.torch.stopping import stopped_by

    measured = measured_of(work, settings, behaviour_of({}, {}, {}, work.options.seed))
    limit = cast("TimeLimit", work.limit)
    with stopped_by(limit.part(limit.left_s / 2), work.checkpoint.model, measured.subject.base):
        return measured, measure_loss(work, measured)


def _examined(work: Work, measured: Measured, known: KnownLoss | None = None) -> Examined:
    """The diagnosis, the loss, and the loss by row. In a limited time the loss comes first: probes may be left out."""
    from evalharness.models.torch.stopping import stopped_by

    with stopped_by(work.limit, work.checkpoint.model, measured.subject.base):
        if work.limit is not None:
            known = known or measure_loss(work, measured)
        diagnosis = diagnose_subject(work, measured)
        loss, by_row = known or measure_loss(work, measured)
        return diagnosis, loss, by_row


def _passage(measured: Measured) -> tuple[PassageToken, ...]:
    """A passage with both losses of each token; in a limited time only where one pass gives both.

    None of a model that gives no logits, such as a server's.
    """
    from evalharness.diagnosis import passage

    if "full_logits" not in measured.subject.model.capabilities:
        return ()
    return passage(measured) if measured.limit is None or measured.is_causal else ()


def score_once(path: Path | str, asked: Mapping[str, Any], watcher: Watcher | None = None) -> ScoreResult:
    """The same, but what was scored and has not changed since is not scored again, and no torch is loaded for it.

    Of several processes that ask for one checkpoint at a time one scores it, and the others wait.
    """
    watcher = watcher or Silent()
    target = find_target(Path(path), asked, watcher)
    kept = _kept(target)
    if kept is not None:
        return kept
    with turn(target.options.out / target.run_name / paths.TURN_LOCK):
        return _kept(target) or _scored(target, watcher, time.monotonic())


def checkpoint_at(path: Path, manifest: Manifest, revision: str | None = None) -> Path:
    """The one checkpoint that a path means, told without loading it. Raises CheckpointError where there is none."""
    from evalharness.models.torch import locate

    return locate(path, manifest, revision=revision).path


def _kept(target: Target) -> ScoreResult | None:
    folder = kept_folder(target)
    card = None if folder is None else kept_scorecard(folder)
    if folder is None or card is None:
        return None
    # Called what it is called now: the same checkpoint may have been scored under another path to it.
    return ScoreResult(replace(card, checkpoint=replace(card.checkpoint, path=str(target.path))), folder)


def diagnose(path: Path | str, asked: Mapping[str, Any], watcher: Watcher | None = None) -> DiagnosisResult:
    """Establish why one checkpoint's loss and behaviour disagree, where they do; run no program and write no report.

    ``asked`` is as for :func:`score`. A few greedy completions are made for it, or taken from an earlier score's
    folder, and kept there.
    """
    begun, watcher = time.monotonic(), watcher or Silent()
    target = find_target(Path(path), {**asked, "samples": 0, "replicas": 1}, watcher)
    limit = time_limit(target.options, begun)
    # torch takes seconds to import, and they count.
    from evalharness.generation import fastest_threads

    work = replace(load(target, watcher), limit=limit)
    with _folder_of(work) as folder, fastest_threads(work.checkpoint.model):
        settings, completions = what_it_writes(work, folder)
        behaviour = measure_behaviour(work, completions, {})
        measured = measured_of(work, settings, behaviour)
        diagnosis, loss, _ = _examined(work, measured)
        say_exceeded(work)
        return DiagnosisResult(work.checkpoint.info, loss, behaviour.judgement, diagnosis, tuple(work.incomplete))


def _folder_of(work: Work) -> AbstractContextManager[RunFolder]:
    """The checkpoint's own folder, held by this process."""
    target, info = work.target, work.checkpoint.info
    member = target.located.member if info.step is None else numbered(info.step)
    owner = Owner(str(target.source), member, info.fingerprint)
    inner = paths.step_folder(info.step, target.member_name)
    return claimed(target.options.out, target.run_name, inner, owner, work.watcher.say)
