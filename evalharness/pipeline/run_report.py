"""The report of a whole run: the records that it is made of, and the document that is made of them alone."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.errors import StoreError
from evalharness.pipeline.run_facts import Fact, facts_of
from evalharness.runs.folder import RunFolder
from evalharness.runs.frames import LOG_NAME, last_scorecard, load_run
from evalharness.runs.json_values import json_line, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from evalharness.progress import Watcher
    from evalharness.records import LossPoint
    from evalharness.report import Example, OtherRun, Run
    from evalharness.report.parts import Part
    from evalharness.runs.frames import RunFrames
    from evalharness.settings.manifest import Manifest

NAME = "run.json"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """``run.json``: what a run's report holds beside the scores of its steps.

    ``failures`` are pairs of a step and why it could not be scored; ``facts`` what is said under "Approach";
    ``questions`` what each probe asks, in their order.
    """

    name: str
    path: str
    failures: tuple[tuple[int, str], ...]
    facts: tuple[Fact, ...]
    questions: tuple[tuple[str, str], ...]


def keep_records(
    folder: Path, path: Path, manifest: Manifest, last: Path, failures: Sequence[tuple[int, str]], watcher: Watcher
) -> bool:
    """Write ``run.json`` and ``log.jsonl``; False where they were there and are the same. ``last`` is the last step."""
    from evalharness.pipeline.loading import log_files, training_log

    log = training_log(path, manifest.log, watcher)
    facts = tuple(facts_of(manifest, last, log, log_files(path, manifest.log)))
    record = RunRecord(folder.name, str(path), tuple(failures), facts, _questions())
    texts = {
        NAME: json.dumps(plain(record), indent=2, ensure_ascii=False) + "\n",
        LOG_NAME: "".join(json_line(_with_null(point)) for point in log),
    }
    if all(_same(folder / name, text) for name, text in texts.items()):
        return False
    with RunFolder(folder) as held:
        for name, text in texts.items():
            held.write(name, text)
    return True


def write_run_report(folder: Path) -> Path:
    """Write ``report.md`` and its figures from the records in ``folder`` alone; the same records, the same bytes.

    Raises :class:`StoreError` where there are none.
    """
    from evalharness import report

    run = _run(folder)
    figures = report.figures_of_run(run.frames)
    with RunFolder(folder) as held:
        for name, svg in figures.items():
            held.write(name, svg)
        return held.write("report.md", report.to_markdown(report.run_document(run, figures)))


def read_report(folder: Path) -> tuple[Part, ...]:
    """The report of a run without its figures, from the records in ``folder`` alone.

    Raises :class:`StoreError` if there are none.
    """
    from evalharness import report

    return report.run_document(_run(folder), {})


def _run(folder: Path) -> Run:
    """Everything that the report of a run is made from."""
    from evalharness.report import Run

    record, frames = read_record(folder), load_run(folder)
    return Run(
        frames=frames,
        name=record.name,
        path=record.path,
        facts=record.facts,
        failures=record.failures,
        others=_others(folder),
        examples=_examples(frames.folders[frames.last_step]),
        questions=dict(record.questions),
        files=tuple(_files(frames)),
    )


def renew_report(folder: Path) -> Path:
    """Write a run's report anew and return its path; of a single step the path of the report that is there.

    Raises :class:`StoreError` where there is neither.
    """
    if not (folder / "scorecard.json").is_file():
        return write_run_report(folder)
    path = folder / "report.md"
    if not path.is_file():
        raise StoreError(f"{path}: no such file; evalharness score writes it")
    return path


def read_record(folder: Path) -> RunRecord:
    """Read ``run.json``; where there is none, an empty one, for scores that were made one by one."""
    try:
        held = json.loads((folder / NAME).read_text(encoding="utf-8"))
        facts = tuple((str(a), str(b), str(c)) for a, b, c in held["facts"])
        failures = tuple((int(step), str(reason)) for step, reason in held["failures"])
        questions = tuple((str(a), str(b)) for a, b in held["questions"])
        return RunRecord(held["name"], held["path"], failures, facts, questions)
    except FileNotFoundError:
        return RunRecord(folder.name, str(folder), (), (), _questions())
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder / NAME}: broken: {error}") from error


def _with_null(point: LossPoint) -> dict[str, Any]:
    """JSON has no NaN; null stands for every loss that is not finite."""
    row: dict[str, Any] = plain(point)
    return row


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _examples(step: Path) -> tuple[Example, ...]:
    """The completions that the report of the step in this folder shows first."""
    from evalharness.report import example_from

    file = step / "examples.jsonl"
    if not file.is_file():
        return ()
    return tuple(example_from(json.loads(line)) for line in file.read_text(encoding="utf-8").split("\n") if line)


def _files(frames: RunFrames) -> Iterator[tuple[str, str]]:
    """The files of the run that are there, relative to its report, each with what it is."""
    told = [(f"{path.name}/report.md", "the report of this step") for _, path in sorted(frames.folders.items())]
    told += [
        (NAME, "what is known of the run beside its scores"),
        (LOG_NAME, "the losses as they were read from the training logs"),
    ]
    return ((name, what) for name, what in told if (frames.folder / name).is_file())


def _others(folder: Path) -> tuple[OtherRun, ...]:
    """The last scorecard of each other run beside this one; those of other versions are left out."""
    from evalharness.report import OtherRun

    found = []
    for path in sorted(folder.parent.glob(f"*/{NAME}")):
        if path.parent != folder:
            with contextlib.suppress(StoreError):
                step, card = last_scorecard(path.parent)
                found.append(OtherRun(path.parent.name, step, card))
    return tuple(found)


def _questions() -> tuple[tuple[str, str], ...]:
    from evalharness.diagnosis.catalogue import catalogue

    return tuple((probe.name, probe.question) for probe in catalogue())
