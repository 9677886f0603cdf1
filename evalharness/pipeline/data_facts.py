"""What the data of a run is: where it is from, its form, an example row, and how its texts begin and end."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from evalharness.errors import EvalHarnessError
from evalharness.runs.run_record import DataFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from evalharness.records import Split
    from evalharness.settings.manifest import Manifest

ORIGIN_KEYS = ("source", "dataset", "origin", "subset", "dataset_name")
ID_KEYS = ("id", "task_id", "name", "uid", "idx")
MOST_ORIGINS = 12
"""A field with more values than these does not say where rows are from."""
SHOWN_CHARACTERS = 2_000
"""Kept of an example row's prompt, and of its completion."""
ENDS_KEPT = 50
"""Of the beginnings of solutions and the endings of prompts, the most frequent are kept: no more are shown."""
_ID_PREFIX = re.compile(r"([A-Za-z][A-Za-z+._-]*?)[_/:.\- ]*\d+")


def data_files(manifest: Manifest, shown: Callable[[Path], str]) -> tuple[DataFile, ...]:
    """Read the training and the validation file of ``manifest``; one that can't be read is left out.

    ``shown`` is how a path is written.
    """
    splits: tuple[tuple[Split, Path | None], ...] = (
        ("train", manifest.data.train),
        ("validation", manifest.data.validation),
    )
    read = []
    for split, path in splits:
        with contextlib.suppress(EvalHarnessError):
            read += [] if path is None else [_data_file(split, path, manifest, shown(path))]
    return tuple(read)


def _data_file(split: Split, path: Path, manifest: Manifest, shown: str) -> DataFile:
    from evalharness.diagnosis.data.data_files import read_records
    from evalharness.diagnosis.data.rows import read_rows
    from evalharness.report.text_ends import beginning, ending, most_frequent

    records = [record for _, record in read_records(path, lambda _: None)]
    rows = read_rows(path, manifest.data.prompt_key, manifest.data.completion_key)
    prompted = [row for row in rows if row.prompt]
    return DataFile(
        split=split,
        path=shown,
        rows=_count(path, len(records)),
        fields=_fields(records[0]),
        origins=_origins(records),
        prompt=rows[0].prompt[:SHOWN_CHARACTERS],
        completion=rows[0].completion[:SHOWN_CHARACTERS],
        read=len(prompted),
        prompt_endings=most_frequent((ending(row.prompt) for row in prompted), ENDS_KEPT),
        completion_beginnings=most_frequent((beginning(row.completion) for row in prompted), ENDS_KEPT),
    )


def _count(path: Path, read: int) -> int:
    """How many rows the file has: of a large one only some are read."""
    from evalharness.diagnosis.data.data_files import MOST_BYTES, MOST_ROWS, each_record

    is_small = path.is_file() and path.stat().st_size < MOST_BYTES and read < MOST_ROWS
    return read if is_small else sum(1 for _ in each_record(path))


def _fields(record: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(key), type(value).__name__) for key, value in record.items()) if isinstance(record, dict) else ()


def _origins(records: Sequence[Any]) -> tuple[tuple[str, int], ...]:
    """Where the rows are from and how many each: by a field that says it, else by what their ids begin with."""
    rows = [record for record in records if isinstance(record, dict)]
    for fewest, values in _said_origins(rows):
        counts = Counter(values)
        if len(values) == len(records) and fewest <= len(counts) <= MOST_ORIGINS:
            return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return ()


def _said_origins(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[int, list[str]]]:
    """For each field that may say where rows are from, what it says, and how many different values say something.

    Ids that all begin alike name the file and no source.
    """
    for key in ORIGIN_KEYS:
        yield 1, [row[key] for row in rows if isinstance(row.get(key), str)]
    for key in ID_KEYS:
        ids = [row[key] for row in rows if isinstance(row.get(key), str)]
        yield 2, [match[1] for of_row in ids if (match := _ID_PREFIX.fullmatch(of_row))]
