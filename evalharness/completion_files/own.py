"""evalharness's own completions: ``completions/*.jsonl`` of a run, and the journal that it keeps while it works.

The journal is append-only, so its last line may be torn; that completion is made again by the run itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.completion_files.fields import completion_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.completion_files.entry import Entry, FileCompletion, Memory


FORM = "evalharness"
PRIORITY = 10


def recognises(content: Any) -> bool:
    """A row, or an entry of the journal, that says how it was decoded and in which tokens."""
    if not isinstance(content, dict):
        return False
    row, key = (content["record"], "text") if isinstance(content.get("record"), dict) else (content, "completion")
    return all(name in row for name in ("task_id", key, "token_ids", "decoding"))


def read(entry: Entry, memory: Memory) -> Iterator[FileCompletion]:  # noqa: ARG001 - every reader takes a memory
    """Yield the completion of a line."""
    if isinstance(entry.content.get("record"), dict):
        yield completion_of(entry, entry.content["record"], "text")
    else:
        yield completion_of(entry, entry.content, "completion")
