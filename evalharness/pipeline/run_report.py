"""The report of a whole run: the records that it is made of, and the document that is made of them alone."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from evalharness.errors import StoreError
from evalharness.pipeline.run_facts import facts_of
from evalharness.pipeline.run_inputs import run_inputs
from evalharness.pipeline.step_report import RenewedReport, questions, renew_step
from evalharness.progress import Silent
from evalharness.runs import paths
from evalharness.runs.folder import RunFolder
from evalharness.runs.frames import last_scorecard, load_run
from evalharness.runs.run_record import RunRecord, read_run_record, write_run_record
from evalharness.settings.manifest import as_seen_from_here

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from evalharness.models.torch import SeriesStep
    from evalharness.progress import Watcher
    from evalharness.report import OtherRun, Run
    from evalharness.report.figures.canvas import FigureFormat
    from evalharness.report.parts import Part
    from evalharness.runs.frames import RunFrames
    from evalharness.settings.manifest import Manifest


def keep_records(
    folder: Path,
    called: str,
    place: Path,
    manifest: Manifest,
    steps: Sequence[SeriesStep],
    failures: Sequence[tuple[int, str]],
    watcher: Watcher,
    given: tuple[Path, ...] = (),
) -> bool:
    """Write what is known of a run beside its scores; False if that was there and is the same.

    ``called`` is how the run was named, ``place`` the folder of its checkpoints, ``steps`` those that were scored, the
    last one last; ``given`` the training logs that were given.
    """
    from evalharness.pipeline.data_facts import data_files
    from evalharness.pipeline.loading import read_choice
    from evalharness.pipeline.log_choice import choose_log

    log = read_choice(choose_log(place, manifest, given), manifest.log, watcher)
    losses, entropies = (log.points, log.entropies) if log else ((), ())
    data = data_files(manifest, as_seen_from_here)
    record = RunRecord(
        name=folder.name,
        path=called,
        failures=tuple(failures),
        facts=tuple(facts_of(manifest, steps[-1].path, log, data, _parameters(folder))),
        questions=questions(),
        data=data,
        inputs=tuple(run_inputs(manifest, place, log)),
        checkpoints=tuple((step.step, as_seen_from_here(step.path)) for step in steps if step.step is not None),
        not_worth_trying=_not_worth_trying(),
    )
    return write_run_record(folder, record, losses, entropies)


def _parameters(folder: Path) -> int | None:
    """How many parameters the model of the last scored step has."""
    with contextlib.suppress(StoreError):
        return last_scorecard(folder)[1].checkpoint.parameters
    return None


def write_run_report(folder: Path, watcher: Watcher | None = None) -> Path:
    """Write ``report.md``, ``report.html`` and the figures from the records in ``folder`` alone.

    The same records give the same bytes. Returns the path of ``report.md``. Raises :class:`StoreError` where there are
    no records.
    """
    return _renew_run(folder, (), watcher or Silent()).path


def _renew_run(folder: Path, formats: Sequence[FigureFormat], watcher: Watcher) -> RenewedReport:
    from evalharness import report

    run = _run(folder)
    if not (folder / paths.RUN_RECORD).is_file():
        watcher.say(f"{folder}: scored step by step; evalharness run CHECKPOINTS records log and data, too")
    watcher.stage("drawing the figures", 1)
    figures = report.figures_of_run(run.frames)
    others = (report.figures_of_run(run.frames, file_format) for file_format in formats)
    with RunFolder(folder) as run_files:
        for files in (figures, *others):
            for name, content in files.items():
                run_files.write(name, content)
        watcher.stage("writing the report", 1)
        document = report.run_document(run, figures)
        run_files.write(paths.REPORT_PAGE, _page(run, document))
        return RenewedReport(run_files.write(paths.REPORT, report.to_markdown(document)), document)


def _page(run: Run, document: tuple[Part, ...]) -> str:
    """The report as a page, which leads to the pages of its steps; older versions wrote none for them."""
    from evalharness import report
    from evalharness.report.run_evidence import step_name

    folders = run.frames.folders
    pages = {step: f"{folders[step].name}/{paths.REPORT_PAGE}" for step in run.steps}
    there = {step: page for step, page in pages.items() if (run.frames.folder / page).is_file()}
    links = {f"{folders[step].name}/{paths.REPORT}": page for step, page in there.items()}
    of_steps = report.pages_of_steps({step_name(step): page for step, page in there.items()})
    return report.to_html((*document, *of_steps), links=links)


def read_versions(folders: Sequence[Path]) -> tuple[Part, ...]:
    """Several runs beside each other, from the records in their folders. Raises :class:`StoreError` if one has none."""
    from evalharness import report

    return report.versions_document([_run(folder) for folder in folders])


def _run(folder: Path) -> Run:
    """Everything that the report of a run is made from."""
    from evalharness.report import Run, read_examples

    frames = load_run(folder)
    record = read_run_record(folder) or RunRecord(folder.name, str(folder), (), (), questions())
    return Run(
        frames=frames,
        name=record.name,
        path=record.path,
        facts=record.facts,
        failures=record.failures,
        others=_others(folder),
        examples=read_examples(frames.folders[frames.last_step]),
        questions=dict(record.questions),
        files=tuple(_files(frames)),
        not_worth_trying=dict(_not_worth_trying() if record.not_worth_trying is None else record.not_worth_trying),
        data=record.data,
        inputs=record.inputs,
        checkpoints=dict(record.checkpoints),
    )


def renew_report(folder: Path, formats: tuple[FigureFormat, ...] = (), watcher: Watcher | None = None) -> RenewedReport:
    """Write the report of a run, or of a step, anew.

    ``formats``: every figure is written as such a file, too. Raises :class:`StoreError` where there are no records.
    """
    if folder.is_file():
        raise StoreError(f"{folder}: is a file; expected the folder of a run (below reports/), or of one step of it")
    renew = renew_step if paths.holds_score(folder) else _renew_run
    return renew(folder, formats, watcher or Silent())


def _files(frames: RunFrames) -> Iterator[tuple[str, str]]:
    """The files of the run that are there, relative to its report, each with what it is."""
    files = [
        *((f"{path.name}/{paths.REPORT}", "the report of this step") for _, path in sorted(frames.folders.items())),
        (paths.RUN_RECORD, "what is known of the run beside its scores"),
        (paths.LOGGED_LOSSES, "the losses as they were read from the training logs"),
        (paths.LOGGED_ENTROPIES, "the entropies as they were read from the training logs"),
    ]
    return ((name, description) for name, description in files if (frames.folder / name).is_file())


def _others(folder: Path) -> tuple[OtherRun, ...]:
    """The last scorecard of each other run beside this one; those of other versions are left out."""
    from evalharness.report import OtherRun

    runs = []
    for other in paths.runs_beside(folder):
        with contextlib.suppress(StoreError):
            step, card = last_scorecard(other)
            runs.append(OtherRun(other.name, step, card))
    return tuple(runs)


def _not_worth_trying() -> tuple[tuple[str, str], ...]:
    from evalharness.diagnosis.catalogue import catalogue

    return tuple((probe.name, probe.not_worth_trying) for probe in catalogue() if probe.not_worth_trying)
