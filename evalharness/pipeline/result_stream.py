"""Results of many programs, on disk as they come: in memory is only where each of them stands."""

from __future__ import annotations

import json
from array import array
from typing import IO, TYPE_CHECKING, Any

from evalharness.pipeline.judges import of_job
from evalharness.pipeline.result_parts import write_parts
from evalharness.pipeline.result_rows import free_name, judged_row
from evalharness.runs.files import write_lines
from evalharness.runs.journal import Journal
from evalharness.runs.json_values import json_line, plain
from evalharness.runs.record_rows import execution_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from evalharness.pipeline.judges import Judges, Ruling
    from evalharness.pipeline.result_parts import Parts
    from evalharness.progress import Watcher
    from evalharness.records import Execution
    from evalharness.sandbox import Job

NOWHERE = -1
Asked = tuple["Job", "Mapping[str, Any]"]
"""A program, and the row that its result is to have."""


class ResultStream(Journal):
    """Results in the order in which programs end, in ``<stem>.partial.jsonl``, for people and for the next run."""

    def __init__(self, folder: Path, stem: str) -> None:
        super().__init__(folder / f"{stem}.partial.jsonl")
        self._folder, self._stem = folder, stem
        self._known_at: dict[bytes, int] = {}
        self._at: array[int] = array("q")
        self._under_way: dict[tuple[str, int], Mapping[str, Any]] = {}

    def remember(self, key: str, record: dict[str, Any], at: int) -> None:
        """Remember where a record of an earlier run stands; what was not judged has no key, and is done again."""
        execution_from(record)
        if key:
            self._known_at[bytes.fromhex(key)] = at

    def line(self, key: str, record: Mapping[str, Any]) -> str:
        """The row of the results, and beside it what the next run reads."""
        execution = execution_from(record)
        row = self._under_way.pop((execution.task_id, execution.completion_id))
        return json_line({**judged_row(row, execution), "key": key, "record": record}, allow_nan=True)

    def judge(self, asked: Callable[[], Iterable[Asked]], count: int, judges: Judges, watcher: Watcher) -> None:
        """Judge each of ``count`` programs that no earlier run has judged; ``asked`` gives all of them, each time."""
        kept = sum(self._known(job, judges) != NOWHERE for job, _ in asked()) if self._known_at else 0
        if kept:
            watcher.say(f"{kept} of {count} programs were judged by the earlier run")
        watcher.stage("running", count - kept)
        for ruling in judges.run(self._missing(asked(), judges)):
            self._keep(ruling)
            watcher.advance()

    def write(
        self, asked: Callable[[], Iterable[Asked]], count_in: Callable[[Execution], object], parts: Parts
    ) -> Path:
        """Write ``<stem>.jsonl``, or parts: the row of each program, and its verdict, in the order of the programs.

        ``count_in`` is called with each execution. Results of other programs are kept: the name gets a number.
        """
        rows = self._judged_rows(asked(), count_in)
        if not parts.is_one_file:
            return write_parts(self._folder, self._stem, rows, parts)
        name = free_name(self._folder, self._stem, lambda: (row for _, row in asked()))
        return write_lines(self._folder / name, (json_line(row, allow_nan=True) for row in rows))

    def _missing(self, asked: Iterable[Asked], judges: Judges) -> Iterator[tuple[int, Job]]:
        for number, (job, row) in enumerate(asked):
            self._at.append(self._known(job, judges))
            if self._at[number] == NOWHERE:
                self._under_way[job.task_id, job.completion_id] = row
                yield number, job

    def _known(self, job: Job, judges: Judges) -> int:
        """Where the execution of a program by an earlier run stands."""
        if not self._known_at:
            return NOWHERE
        places = (self._known_at.get(bytes.fromhex(place.key(job)), NOWHERE) for place in judges.places)
        return max(places, default=NOWHERE)

    def _keep(self, ruling: Ruling) -> None:
        self._at[ruling.number] = self.size_bytes
        is_judged = ruling.execution.verdict != "not_judged"
        self.append(ruling.key if is_judged else "", plain(ruling.execution))

    def _judged_rows(
        self, asked: Iterable[Asked], count_in: Callable[[Execution], object]
    ) -> Iterator[Mapping[str, Any]]:
        with self._path.open("rb") as file:
            for (job, row), at in zip(asked, self._at, strict=True):
                execution = of_job(_execution_at(file, at), job)
                count_in(execution)
                yield judged_row(row, execution)


def _execution_at(file: IO[bytes], at: int) -> Execution:
    file.seek(at)
    return execution_from(json.loads(file.readline())["record"])
