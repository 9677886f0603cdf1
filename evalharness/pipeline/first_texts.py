"""The strings in the first rows of a data file, for what counts tokens and needs no torch."""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PLAIN_TEXT = frozenset({".txt", ".text", ".md", ".py"})
ROWS = 20_000


def first_texts(file: Path, characters: int) -> Iterator[str]:
    """Yield strings of the first rows until they have so many characters, or of the first lines of plain text.

    Reads plain text, JSONL, a list in JSON and parquet, the first three also as ``.gz``. Raises ``ValueError`` for what
    is none of these, such as a file of token ids, and ``ImportError`` for parquet without pyarrow.
    """
    for text in _texts(file):
        yield text
        characters -= len(text)
        if characters < 0:
            return


def _texts(file: Path) -> Iterator[str]:
    suffix = Path(file.name.removesuffix(".gz")).suffix.lower()
    if suffix in PLAIN_TEXT:
        yield from _lines(file)
        return
    for row in islice(_parquet(file) if suffix == ".parquet" else _json_rows(file), ROWS):
        yield from _strings(row)


def _strings(row: Any) -> Iterable[str]:
    """The texts of one row: its own strings, as a row of ids or of conversations has none."""
    return (value for value in row.values() if isinstance(value, str)) if isinstance(row, dict) else ()


def _json_rows(file: Path) -> Iterator[Any]:
    """The rows of JSONL, or of one list."""
    lines = (line for line in _lines(file) if line.strip())
    first = next(lines, "")
    if first.lstrip().startswith("["):
        yield from json.loads("".join([first, *lines]))
    elif first:
        yield json.loads(first)
        yield from map(json.loads, lines)


def _lines(file: Path) -> Iterator[str]:
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8-sig") as lines:
        yield from lines


def _parquet(file: Path) -> Iterator[Any]:
    from pyarrow import parquet

    with parquet.ParquetFile(file) as rows:
        for batch in rows.iter_batches(1024):
            yield from batch.to_pylist()
