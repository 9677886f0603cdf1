"""Rows with all completions of a task in one list: ``{"task_id": …, "samples": ["…", "…"]}``, under several names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.completion_files.fields import completion_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.completion_files.entry import Entry, FileCompletion, Memory


FORM = "lists of texts"
PRIORITY = 18
KEYS = (
    *("samples", "generated_codes", "completions", "generations", "generation", "outputs", "responses"),
    *("predictions", "completion", "solution", "output", "output_list", "code_list"),
)


def recognises(content: Any) -> bool:
    """A row with a list of texts under one of the usual keys."""
    return isinstance(content, dict) and _key(content) is not None


def read(entry: Entry, memory: Memory) -> Iterator[FileCompletion]:  # noqa: ARG001 - every reader takes a memory
    """Yield the texts of a row in their order, each with a row of its own."""
    key = _key(entry.content) or ""
    for text in entry.content[key]:
        # A list under ``solution`` is EvalPlus's, of whole programs.
        yield completion_of(entry, {**entry.content, key: text}, key, holds_prompt=key == "solution")


def _key(row: Mapping[str, Any]) -> str | None:
    return next((key for key in KEYS if _is_texts(row.get(key))), None)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)
