"""evalharness's own completions: those of a scored checkpoint, and the journal that is kept while they are made.

The journal is append-only, so its last line may be torn; that completion is made again by the run itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.completion_files.fields import completion_of
from evalharness.runs.record_rows import completion_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.completion_files.entry import Entry, FileCompletion, Memory


FORM = "evalharness"
PRIORITY = 10


def recognises(content: Any) -> bool:
    """A row, or an entry of the journal, that says how it was decoded and in which tokens."""
    return completion_in(content) is not None


def read(entry: Entry, memory: Memory) -> Iterator[FileCompletion]:  # noqa: ARG001 - every reader takes a memory
    """Yield the completion of a line."""
    fields = completion_in(entry.content)
    if fields is not None:
        yield completion_of(entry, *fields)
