"""The rows that a model was trained or validated on, as text and as ids."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.errors import EvalHarnessError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evalharness.interfaces import Tokenizer

MEASURED_ROWS = 64
"""Rows of each split that losses are measured on: enough for an interval, and a bounded number of forwards."""
COMPLETION_KEYS = ("completion", "solution", "response", "output")


@dataclass(frozen=True, slots=True)
class DataRow:
    """One row of training or validation data. ``prompt`` is empty where a row is one text."""

    prompt: str
    completion: str


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One row as ids, the prompt and the completion encoded apart, cut to the context.

    Targets before ``first_target`` don't count. The first ``prompt_tokens`` ids are the prompt's (begin tokens among
    them), ``row`` is the index of the text, and ``tokens`` how many ids it has uncut.
    """

    ids: tuple[int, ...]
    first_target: int
    prompt_tokens: int = 0
    row: int = 0
    tokens: int = 0

    @property
    def was_cut(self) -> bool:
        """Whether the context was too short for the whole row."""
        return self.tokens > len(self.ids)


def read_rows(path: Path, prompt_key: str | None = None, completion_key: str | None = None) -> list[DataRow]:
    """Read JSONL rows of ``prompt`` and ``completion`` (or ``solution``, …; keys can be named), or of ``text``.

    Raises :class:`EvalHarnessError` with the file, the line and the keys that were found.
    """
    try:
        # Other line ends than these may stand within the strings of a row.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise EvalHarnessError(
            f"{path}: can't be read as data rows: {getattr(error, 'strerror', None) or error}"
        ) from error
    rows = [_row(path, i, line, prompt_key, completion_key) for i, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise EvalHarnessError(f"{path}: no data rows in it")
    return rows


def _row(path: Path, number: int, line: str, prompt_key: str | None, completion_key: str | None) -> DataRow:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise EvalHarnessError(f"{path}: line {number} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise EvalHarnessError(f"{path}: line {number} is a {type(row).__name__}, expected an object")
    keys = (completion_key,) if completion_key else COMPLETION_KEYS
    completion = next((k for k in keys if isinstance(row.get(k), str)), None)
    prompt = row.get(prompt_key or "prompt")
    if completion is not None and isinstance(prompt, str):
        return DataRow(prompt, row[completion])
    if isinstance(row.get("text"), str) and not prompt_key and not completion_key:
        return DataRow("", row["text"])
    named = prompt_key or completion_key
    expected = (
        f"{prompt_key or 'prompt'} and {completion_key or 'completion'}" if named else "prompt and completion, or text"
    )
    raise EvalHarnessError(
        f"{path}: line {number} has the keys {', '.join(row) or 'none'}; expected {expected} "
        "([data] prompt_key and completion_key in the manifest name them)"
    )


def tokenize(
    rows: Sequence[DataRow],
    tokenizer: Tokenizer,
    *,
    context_length: int | None,
    begin: Sequence[int],
    count_prompt: bool,
) -> list[TokenRow]:
    """Encode rows as they are trained on: prompt and completion apart, cut to the context; no targets, no row.

    Raises :class:`EvalHarnessError` where the vocabulary can't spell a row.
    """
    encoded = []
    for number, row in enumerate(rows, 1):
        try:
            prompt = [*begin, *(tokenizer.encode(row.prompt) if row.prompt else [])]
            whole = (*prompt, *tokenizer.encode(row.completion))
        except ValueError as error:
            raise EvalHarnessError(f"data row {number}: {error}; is this the tokenizer of this data?") from error
        first = 1 if count_prompt else max(1, len(prompt))
        ids = whole[:context_length]
        if len(ids) > first:
            encoded.append(TokenRow(ids, first, min(len(prompt), len(ids)), number - 1, len(whole)))
    return encoded


def measured_rows(rows: Sequence[TokenRow]) -> tuple[TokenRow, ...]:
    """``MEASURED_ROWS`` of ``rows``, evenly from all of them: neighbours are often alike."""
    if len(rows) <= MEASURED_ROWS:
        return tuple(rows)
    return tuple(rows[i * len(rows) // MEASURED_ROWS] for i in range(MEASURED_ROWS))
