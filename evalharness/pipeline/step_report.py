"""The report of one scored checkpoint: what it is made from beside the scorecard, kept in the folder and read again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.errors import StoreError
from evalharness.pipeline.browsing import browser_of, problem_texts
from evalharness.runs import paths, scorecard_json, shown_beside
from evalharness.runs import record_rows as rows
from evalharness.runs.folder import RunFolder
from evalharness.runs.run_record import read_run_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from evalharness.progress import Watcher
    from evalharness.records import LossPoint, Scorecard
    from evalharness.report import Evidence, Scored
    from evalharness.report.figures.canvas import FigureFormat
    from evalharness.report.parts import Part


@dataclass(frozen=True, slots=True)
class RenewedReport:
    """A report that was written anew: the path of its ``report.md``, and its parts."""

    path: Path
    document: tuple[Part, ...]


def keep_evidence(folder: RunFolder, evidence: Evidence) -> None:
    """Write what the report needs beside the scorecard and the completions."""
    from evalharness import report

    shown_beside.write_problem_texts(folder, _problem_texts(evidence))
    shown_beside.write_token_texts(folder, _token_texts(evidence))
    rows.write_examples(folder, report.examples(evidence.scored, evidence.token_text))
    rows.write_step_log(folder, evidence.log)
    rows.write_passage(folder, evidence.passage)


def write_step_report(
    folder: RunFolder,
    card: Scorecard,
    evidence: Evidence,
    formats: Sequence[FigureFormat] = (),
    drawn_before: Mapping[str, bytes] | None = None,
) -> RenewedReport:
    """Write ``report.md``, ``report.html`` and the figures, each as such files of ``formats``, too.

    ``drawn_before`` are figures that can't be drawn any more. The same arguments give the same bytes.
    """
    from evalharness import report

    figures = {**(drawn_before or {}), **report.figures_of(card, evidence)}
    others = (report.figures_of(card, evidence, file_format) for file_format in formats)
    for files in (figures, *others):
        for name, content in files.items():
            folder.write(name, content)
    document = report.checkpoint_document(card, evidence, figures)
    browser = browser_of({report.checkpoint_name(card.checkpoint): folder.path})
    folder.write_pages(report.to_pages(document, browser))
    return RenewedReport(folder.write(paths.REPORT, report.to_markdown(document)), document)


def renew_step(folder: Path, formats: Sequence[FigureFormat], watcher: Watcher) -> RenewedReport:
    """Write the same from the records alone. Raises :class:`StoreError` if one is missing, broken or too old."""
    card = scorecard_json.read(folder)
    evidence = _evidence(folder, card)
    watcher.stage("writing the report", 1)
    with RunFolder(folder) as step:
        return write_step_report(step, card, evidence, formats, _drawn_before(folder))


def _drawn_before(folder: Path) -> dict[str, bytes]:
    """The figures that an older version drew, and whose data it did not keep."""
    data = {"figures/losses.svg": paths.STEP_LOG, "figures/passage.svg": paths.PASSAGE}
    drawn = {figure: folder / figure for figure, kept in data.items() if not (folder / kept).exists()}
    return {figure: file.read_bytes() for figure, file in drawn.items() if file.is_file()}


def _evidence(folder: Path, card: Scorecard) -> Evidence:
    from evalharness.report import Evidence, Read

    texts = shown_beside.read_token_texts(folder)
    return Evidence(
        scored={info.name: tuple(_scored(folder, info.name)) for info in card.protocol.problems},
        log=tuple(_log(folder)),
        token_text=lambda token_id: texts.get(token_id, f"<{token_id}>"),
        passage=tuple(rows.read_passage(folder, Read)),
        questions=dict(questions_beside(folder.parent)),
    )


def questions_beside(run: Path) -> tuple[tuple[str, str], ...]:
    """What each probe asks, as the record of a run has it; without one as the probes say, which takes torch."""
    record = read_run_record(run)
    return questions() if record is None else record.questions


def questions() -> tuple[tuple[str, str], ...]:
    """What each probe of the catalogue asks, in the order in which they are asked."""
    from evalharness.diagnosis.catalogue import catalogue

    return tuple((probe.name, probe.question) for probe in catalogue())


def _scored(folder: Path, problems: str) -> Iterator[Scored]:
    """Every completion of one problem set with all that is known of it. Raises :class:`StoreError`."""
    from evalharness.report import Scored
    from evalharness.runs.degenerations import read_degenerations

    texts = {text.task_id: text for text in problem_texts(folder) if text.problems == problems}
    for group in paths.groups_in(folder):
        if group.problems != problems:
            continue
        completions, executions = rows.read_completions(folder, group), rows.read_executions(folder, group)
        analyses = read_degenerations(folder, group)
        if not len(completions) == len(executions) == len(analyses):
            raise StoreError(f"{folder / group.executions}: expected a row for each completion; score it again")
        for completion, execution, analysis in zip(completions, executions, analyses, strict=True):
            yield Scored(_text_of(texts, completion.task_id, folder), completion, execution, analysis)


def _text_of(texts: Mapping[str, shown_beside.ProblemText], task_id: str, folder: Path) -> shown_beside.ProblemText:
    if task_id not in texts:
        raise StoreError(f"{folder / paths.PROBLEMS}: has no {task_id}: written by an older version; score it again")
    return texts[task_id]


def _log(folder: Path) -> list[LossPoint]:
    """The logged losses up to the step; a folder of an older version has none of its own, but its run may."""
    own = rows.read_step_log(folder)
    if own or (step := paths.step_in(folder)) is None:
        return own
    return [point for point in rows.read_logged_losses(folder.parent) if point.step <= step]


def _problem_texts(evidence: Evidence) -> list[shown_beside.ProblemText]:
    """Each problem that completions are of, once."""
    texts = {
        (name, item.problem.task_id): shown_beside.ProblemText(
            name, item.problem.task_id, item.problem.prompt, item.problem.canonical_solution
        )
        for name, members in evidence.scored.items()
        for item in members
    }
    return list(texts.values())


def _token_texts(evidence: Evidence) -> dict[int, str]:
    """What each token id that was written is as text, decoded alone."""
    ids = {token_id for item in evidence.all_scored() for token_id in item.completion.token_ids or ()}
    return {token_id: evidence.token_text(token_id) for token_id in ids}
