"""Files of data, whatever their form, as JSON-like records: bounded, and what was left out is said."""

from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING, Any

from evalharness.errors import EvalHarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    Say = Callable[[str], None]
    Record = tuple[str, Any]
    """Where it stands in the file ("line 3"), and what is there."""

MOST_ROWS = 10_000
"""Rows that are read of one file: the share of any kind of row is then known to within 1 % (Wilson)."""
MOST_BYTES = 64 * 2**20
"""And so much text of it at most, so that a file of any size is read in memory and time of some seconds."""
STRETCH_CHARACTERS = 20_000
"""Plain text is taken in stretches of about this length: several contexts of most small models, and quick to encode."""
PLAIN_TEXT = frozenset({".txt", ".text", ".md", ".py"})
_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")


def is_plain_text(path: Path) -> bool:
    """Whether a file is running text by its name, and not rows."""
    return _suffix(path) in PLAIN_TEXT


def read_records(path: Path, say: Say) -> list[Record]:
    """Read JSONL (``.gz`` too), a JSON list, parquet or plain text; ``say`` is told where only a part was read.

    The part is drawn evenly from the whole file. Plain text comes as ``{"text": …}`` in stretches that end at blank
    lines. Raises :class:`EvalHarnessError` with the file and the line.
    """
    try:
        if _suffix(path) == ".parquet":
            records, found = _parquet(path)
        elif is_plain_text(path):
            records, found = _stretches(path)
        elif _begins_with(path) == "[" and _suffix(path) not in {".jsonl", ".ndjson"}:
            records, found = _list(path)
        else:
            records, found = _lines(path)
    except (OSError, UnicodeDecodeError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EvalHarnessError(f"{path}: can't be read as data rows: {reason}") from error
    if not records:
        raise EvalHarnessError(f"{path}: no data rows in it")
    if found > len(records):
        what = "stretches of text" if is_plain_text(path) else "rows"
        say(f"{path.name}: {len(records):,} of {found:,} {what} are read, evenly drawn from the whole file")
    return records


def _suffix(path: Path) -> str:
    return next((suffix for suffix in reversed(path.suffixes) if suffix != ".gz"), "").lower()


def _text_lines(path: Path) -> Iterator[str]:
    """The lines, without their ends: other line ends than these may stand within the strings of a row."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="\n") as file:
        for line in file:
            yield line.removesuffix("\n")


def _begins_with(path: Path) -> str:
    return next((line.strip()[0] for line in _text_lines(path) if line.strip()), "")


def _drawn(count: int, bytes_of_all: int) -> range | frozenset[int]:
    """Which of ``count`` rows are read, evenly from all of them."""
    most = min(MOST_ROWS, max(1, count * MOST_BYTES // max(1, bytes_of_all)))
    return range(count) if count <= most else frozenset(i * count // most for i in range(most))


def _lines(path: Path) -> tuple[list[Record], int]:
    sizes = [len(line) for line in _text_lines(path) if line.strip()]
    wanted = _drawn(len(sizes), sum(sizes))
    lines = ((number, line) for number, line in enumerate(_text_lines(path), 1) if line.strip())
    chosen = [(number, line) for i, (number, line) in enumerate(lines) if i in wanted]
    return [(f"line {number}", _parsed(path, f"line {number}", line)) for number, line in chosen], len(sizes)


def _list(path: Path) -> tuple[list[Record], int]:
    """A JSON list has to be parsed whole; one that is no list after all is lines that begin with lists."""
    text = "\n".join(_text_lines(path))
    try:
        rows = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return _lines(path)
    wanted = _drawn(len(rows), len(text))
    return [(f"row {i + 1}", row) for i, row in enumerate(rows) if i in wanted], len(rows)


def _parquet(path: Path) -> tuple[list[Record], int]:
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415 - heavy, and only for who has such files
    except ImportError as error:
        raise EvalHarnessError(
            f"{path}: parquet files need pyarrow, which is not installed: pip install 'evalharness[parquet]'"
        ) from error
    try:
        with parquet.ParquetFile(path) as file:
            metadata = file.metadata
            size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
            wanted = _drawn(metadata.num_rows, size)
            return _kept((row for batch in file.iter_batches(1024) for row in batch.to_pylist()), wanted)
    except (ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise EvalHarnessError(f"{path}: can't be read as parquet: {str(error).splitlines()[0]}") from error


def _kept(rows: Iterable[Any], wanted: Collection[int]) -> tuple[list[Record], int]:
    records, count = [], 0
    for count, row in enumerate(rows, 1):
        if count - 1 in wanted:
            records.append((f"row {count}", row))
    return records, count


def _stretches(path: Path) -> tuple[list[Record], int]:
    """Blocks between blank lines, put together up to ``STRETCH_CHARACTERS``; blank lines within stay as they are.

    Of a text that is too large, so many stretches are read at places evenly drawn from all of it.
    """
    stretches = [s for s in stretches_of("\n".join(_text_lines(path))) if s.strip()]
    wanted = _drawn(len(stretches), sum(map(len, stretches)))
    return [(f"stretch {i + 1}", {"text": s}) for i, s in enumerate(stretches) if i in wanted], len(stretches)


def stretches_of(text: str) -> list[str]:
    """``text`` in pieces that end at blank lines once they are ``STRETCH_CHARACTERS`` long; joined, they are it."""
    pieces, begin = [], 0
    for blank in _BLANK_LINES.finditer(text):
        if blank.end() - begin >= STRETCH_CHARACTERS:
            pieces.append(text[begin : blank.end()])
            begin = blank.end()
    return [*pieces, text[begin:]] if begin < len(text) else pieces


def _parsed(path: Path, place: str, line: str) -> Any:
    try:
        return json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise EvalHarnessError(f"{path}: {place} is not JSON: {error}") from error
