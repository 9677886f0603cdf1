"""Files of data, whatever their form, as JSON-like records: bounded, and what was left out is said."""

from __future__ import annotations

import gzip
import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from evalharness.errors import EvalHarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
    """Read JSONL (``.gz`` too), a JSON list, parquet, plain text, or a folder that ``datasets`` saved.

    ``say`` is told where only a part was read: it is drawn evenly from the whole file. Plain text comes as
    ``{"text": …}`` in stretches that end at blank lines. Raises :class:`EvalHarnessError` with the file and the line.
    """
    with _readable(path):
        if path.is_dir():
            count, size = _arrow_size(path)
            wanted = _drawn(count, size)
            records, total = [r for i, r in enumerate(_arrow_rows(path)) if i in wanted], count
        elif _suffix(path) == ".parquet":
            count, size = _parquet_size(path)
            wanted = _drawn(count, size)
            records, total = [r for i, r in enumerate(_parquet_rows(path)) if i in wanted], count
        elif is_plain_text(path):
            records, total = _stretches(path)
        elif _is_list(path):
            records, total = _list(path)
        else:
            records, total = _lines(path)
    if not records:
        raise EvalHarnessError(f"{path}: no data rows in it")
    if total > len(records):
        unit = "stretches of text" if is_plain_text(path) else "rows"
        say(f"{path.name}: {len(records):,} of {total:,} {unit} are read, evenly drawn from the whole file")
    return records


def each_record(path: Path) -> Iterator[Record]:
    """Every record of a file, one after another and none left out, for what has to be looked for in all of it.

    Lines and parquet are read as they come; a JSON list and plain text are held in memory. Raises as
    :func:`read_records`.
    """
    with _readable(path):
        if path.is_dir():
            yield from _arrow_rows(path)
        elif _suffix(path) == ".parquet":
            yield from _parquet_rows(path)
        elif is_plain_text(path):
            for i, stretch in enumerate(_text_stretches(path), 1):
                yield f"stretch {i}", {"text": stretch}
        elif _is_list(path) and (rows := _whole_list(path)) is not None:
            yield from ((f"row {i}", row) for i, row in enumerate(rows, 1))
        else:
            for number, line in enumerate(_text_lines(path), 1):
                if line.strip():
                    yield f"line {number}", _parsed(path, f"line {number}", line)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What goes wrong with a file is told as a fault of the data."""
    try:
        yield
    except (OSError, UnicodeDecodeError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EvalHarnessError(f"{path}: can't be read as data rows: {reason}") from error


def _suffix(path: Path) -> str:
    return next((suffix for suffix in reversed(path.suffixes) if suffix != ".gz"), "").lower()


def _text_lines(path: Path) -> Iterator[str]:
    """The lines, without their ends: other line ends than these may stand within the strings of a row."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="\n") as file:
        for line in file:
            yield line.removesuffix("\n")


def _is_list(path: Path) -> bool:
    first = next((line.strip()[0] for line in _text_lines(path) if line.strip()), "")
    return first == "[" and _suffix(path) not in {".jsonl", ".ndjson"}


def _drawn(count: int, bytes_of_all: int) -> range | frozenset[int]:
    """Which of ``count`` rows are read, evenly from all of them."""
    limit = min(MOST_ROWS, max(1, count * MOST_BYTES // max(1, bytes_of_all)))
    return range(count) if count <= limit else frozenset(i * count // limit for i in range(limit))


def _lines(path: Path) -> tuple[list[Record], int]:
    sizes = [len(line) for line in _text_lines(path) if line.strip()]
    wanted = _drawn(len(sizes), sum(sizes))
    lines = ((number, line) for number, line in enumerate(_text_lines(path), 1) if line.strip())
    chosen = [(number, line) for i, (number, line) in enumerate(lines) if i in wanted]
    return [(f"line {number}", _parsed(path, f"line {number}", line)) for number, line in chosen], len(sizes)


def _list(path: Path) -> tuple[list[Record], int]:
    rows = _whole_list(path)
    if rows is None:
        return _lines(path)
    wanted = _drawn(len(rows), path.stat().st_size)
    return [(f"row {i + 1}", row) for i, row in enumerate(rows) if i in wanted], len(rows)


def _whole_list(path: Path) -> list[Any] | None:
    """A JSON list has to be parsed whole; None where it is no list after all, but lines that begin with lists."""
    try:
        rows: list[Any] = json.loads("\n".join(_text_lines(path)))
    except (json.JSONDecodeError, RecursionError):
        return None
    return rows


def _parquet_size(path: Path) -> tuple[int, int]:
    """How many rows, and how many bytes they are."""
    with _parquet_file(path) as file:
        metadata = file.metadata
        return metadata.num_rows, sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))


def _parquet_rows(path: Path) -> Iterator[Record]:
    with _parquet_file(path) as file:
        rows = (row for batch in file.iter_batches(1024) for row in batch.to_pylist())
        yield from ((f"row {i}", row) for i, row in enumerate(rows, 1))


@contextmanager
def _parquet_file(path: Path) -> Iterator[Any]:
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415 - heavy, and only for who has such files
    except ImportError as error:
        raise EvalHarnessError(
            f"{path}: parquet files need pyarrow, which is not installed: pip install 'evalharness[parquet]'"
        ) from error
    try:
        with parquet.ParquetFile(path) as file:
            yield file
    except (ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise EvalHarnessError(f"{path}: can't be read as parquet: {str(error).splitlines()[0]}") from error


def _arrow_size(folder: Path) -> tuple[int, int]:
    """How many rows a folder of ``datasets`` has, and how many bytes its files are."""
    files = _arrow_files(folder)
    return sum(table.num_rows for table in _tables(files)), sum(file.stat().st_size for file in files)


def _arrow_rows(folder: Path) -> Iterator[Record]:
    tables = _tables(_arrow_files(folder))
    rows = (row for table in tables for batch in table.to_batches(1024) for row in batch.to_pylist())
    yield from ((f"row {i}", row) for i, row in enumerate(rows, 1))


def _arrow_files(folder: Path) -> list[Path]:
    """The files that ``save_to_disk`` wrote, in the order of the rows."""
    if splits := sorted(child.name for child in folder.iterdir() if (child / "state.json").is_file()):
        raise EvalHarnessError(f"{folder}: holds the splits {', '.join(splits)}: name the folder of one of them")
    try:
        named = json.loads((folder / "state.json").read_text(encoding="utf-8"))["_data_files"]
        files = [folder / item["filename"] for item in named]
    except (OSError, ValueError, KeyError, TypeError):
        files = sorted(folder.glob("*.arrow"))
    if not files:
        raise EvalHarnessError(f"{folder}: is a folder without a data set: it has no .arrow file")
    return files


def _tables(files: list[Path]) -> Iterator[Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - heavy, and only for who has such files
    except ImportError as error:
        raise EvalHarnessError(
            f"{files[0]}: arrow files need pyarrow, which is not installed: pip install 'evalharness[parquet]'"
        ) from error
    for file in files:
        try:
            with pa.memory_map(str(file)) as mapped:
                yield pa.ipc.open_stream(mapped).read_all()
        except pa.ArrowException as error:
            raise EvalHarnessError(f"{file}: can't be read as arrow: {str(error).splitlines()[0]}") from error


def _stretches(path: Path) -> tuple[list[Record], int]:
    """The stretches of a text, and how many it has; of too large a text only some, evenly drawn from all of it."""
    stretches = _text_stretches(path)
    wanted = _drawn(len(stretches), sum(map(len, stretches)))
    return [(f"stretch {i + 1}", {"text": s}) for i, s in enumerate(stretches) if i in wanted], len(stretches)


def _text_stretches(path: Path) -> list[str]:
    """Blocks between blank lines, put together up to ``STRETCH_CHARACTERS``; blank lines within stay as they are."""
    return [s for s in stretches_of("\n".join(_text_lines(path))) if s.strip()]


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
