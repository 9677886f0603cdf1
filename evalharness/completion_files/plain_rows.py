"""Anybody's rows: a text under one of the usual keys, with an id or without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.completion_files.fields import completion_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.completion_files.entry import Entry, FileCompletion, Memory

FORM = "texts"
PRIORITY = 90
TEXT_KEYS = ("completion", "solution", "output", "generated", "text")


def recognises(content: Any) -> bool:
    """An object with a text under one of the usual keys."""
    return isinstance(content, dict) and any(key in content for key in TEXT_KEYS)


def read(entry: Entry, memory: Memory) -> Iterator[FileCompletion]:  # noqa: ARG001 - every reader takes a memory
    """Yield the text under the first of the usual keys that holds one."""
    key = next((k for k in TEXT_KEYS if isinstance(entry.content.get(k), str)), None)
    if key is None:
        key = next(k for k in TEXT_KEYS if k in entry.content)
    yield completion_of(entry, entry.content, key, holds_prompt=key == "solution")
