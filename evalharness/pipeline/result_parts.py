"""Results of many programs in parts: a folder of files with so many rows each, as JSONL or Parquet."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any, Literal

from evalharness.errors import StoreError
from evalharness.runs.files import cannot_write, write_lines
from evalharness.runs.json_values import json_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Form = Literal["jsonl", "parquet"]
ROWS = 100_000
"""Of a part, if nobody says otherwise: some hundred megabytes at most in memory."""
COLUMNS = ("task_id", "passed", "verdict", "result", "base_passed", "base_verdict")
"""Of a Parquet file; a last column has the whole row as JSON, for rows of one file may have other keys and types."""


@dataclass(frozen=True, slots=True)
class Parts:
    """How results are written: ``rows`` in a file, or all in one if it is None, which Parquet never is."""

    form: Form = "jsonl"
    rows: int | None = None

    @property
    def is_one_file(self) -> bool:
        """Whether all results go into one file beside the completions."""
        return self.form == "jsonl" and self.rows is None

    def check(self) -> None:
        """Raise StoreError, with the way to install it, if a library is missing."""
        if self.form == "parquet":
            _pyarrow()


def write_parts(folder: Path, name: str, rows: Iterable[Mapping[str, Any]], parts: Parts) -> Path:
    """Write rows into a new folder of this name, which gets a number if it is there; it appears once it is whole.

    Raises StoreError.
    """
    temporary = folder / f".{secrets.token_hex(8)}.tmp"
    left = iter(rows)
    try:
        temporary.mkdir()
        for number in count():
            part = list(islice(left, parts.rows or ROWS))
            if not part:
                break
            _write_part(temporary / f"part-{number:05}.{parts.form}", part)
        target = _free(folder, name)
        temporary.replace(target)
    except OSError as error:
        raise cannot_write(folder / name, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _free(folder: Path, name: str) -> Path:
    names = (f"{name}{number}" for number in chain([""], map("_{}".format, count(2))))
    return next(folder / free for free in names if not (folder / free).exists())


def _write_part(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    if file.suffix == ".jsonl":
        write_lines(file, (json_line(row, allow_nan=True) for row in rows))
        return
    pyarrow = _pyarrow()
    text, flag = pyarrow.string(), pyarrow.bool_()
    types = {name: flag if name.endswith("passed") else text for name in COLUMNS}
    columns = {name: pyarrow.array([row.get(name) for row in rows], kind) for name, kind in types.items()}
    lines = [json_line(row, allow_nan=True).rstrip("\n") for row in rows]
    pyarrow.parquet.write_table(pyarrow.table({**columns, "row": pyarrow.array(lines, text)}), file)


def _pyarrow() -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError as error:
        raise StoreError("results as Parquet need pyarrow: pip install 'evalharness[parquet]'") from error
    return pa
