"""Completions that another tool wrote, as JSONL."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.errors import CompletionFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT_KEYS = ("completion", "solution", "output", "generated", "text")
ID_KEYS = ("task_id", "index", "id")


@dataclass(frozen=True, slots=True)
class WrittenCompletion:
    """One line of the file: its text, whose it is, and everything else that the line holds.

    ``has_prompt`` says that the text is a whole program, prompt included, as EvalPlus writes it under ``solution``.
    """

    task_id: str
    completion_id: int
    text: str
    has_prompt: bool
    row: dict[str, Any]


def read_completions(path: Path, key: str | None = None) -> list[WrittenCompletion]:
    """Read a JSONL file (or ``.gz``): the text under ``key`` or one of the usual keys, an id or else the line's number.

    Completions of one task are numbered in the order of the file. Raises :class:`CompletionFileError` with the line.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    except (OSError, EOFError, zlib.error) as error:
        raise CompletionFileError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from error
    completions = list(_completions(path, text, key))
    if not completions:
        raise CompletionFileError(f"{path}: no completions in it")
    return completions


def _completions(path: Path, text: str, key: str | None) -> Iterator[WrittenCompletion]:
    seen: Counter[str] = Counter()
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        row = _row(path, number, line)
        found = next((k for k in ((key,) if key else TEXT_KEYS) if isinstance(row.get(k), str)), None)
        if found is None:
            raise CompletionFileError(
                f"{path}: line {number} has the keys {', '.join(map(str, row)) or 'none'}; "
                f"expected a text under {key or ', '.join(TEXT_KEYS)} (--key names another)"
            )
        task_id = str(next((row[k] for k in ID_KEYS if k in row), number))
        yield WrittenCompletion(task_id, seen[task_id], row[found], found == "solution", row)
        seen[task_id] += 1


def _row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise CompletionFileError(f"{path}: line {number} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise CompletionFileError(f"{path}: line {number} is a {type(row).__name__}, expected an object")
    return row
