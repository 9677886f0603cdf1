"""CodeGeeX: JSONL of ``{task_id, prompt, generation}`` on HumanEval-X, whose tasks in Python are ``Python/0`` to 163.

Facts of ``codegeex/benchmark/humaneval-x``: ``generation`` is what the model wrote after the prompt. Results add
``result`` and ``passed``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.completion_files.fields import completion_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.completion_files.entry import Entry, FileCompletion, Memory


FORM = "CodeGeeX"
PRIORITY = 32


def recognises(content: Any) -> bool:
    """A row with a generation."""
    return isinstance(content, dict) and isinstance(content.get("generation"), str)


def read(entry: Entry, memory: Memory) -> Iterator[FileCompletion]:  # noqa: ARG001 - every reader takes a memory
    """Yield the completion of a row."""
    yield completion_of(entry, entry.content, "generation")
