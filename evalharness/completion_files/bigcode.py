"""bigcode-evaluation-harness: ``generations_<task>.json``, a list with a list of texts for each problem, by position.

Facts of ``bigcode_eval/evaluator.py`` and its tasks: each text is the prompt and what the model wrote, cut at the
task's stop words. HumanEval's prompt is stripped before (``humaneval``) or not (``humaneval-unstripped``), MBPP's is a
docstring of the text and the first test. ``--limit_start`` shifts the positions, so a task is told by how its text
begins, never by its position alone. Files of unfinished runs hold null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.completion_files.entry import FileCompletion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.completion_files.entry import Entry, Memory


FORM = "bigcode-evaluation-harness"
PRIORITY = 50


def recognises(content: Any) -> bool:
    """A list of lists of texts."""
    return (
        isinstance(content, list)
        and any(content)
        and all(isinstance(group, list) and all(t is None or isinstance(t, str) for t in group) for group in content)
    )


def read(entry: Entry, memory: Memory) -> Iterator[FileCompletion]:  # noqa: ARG001 - every reader takes a memory
    """Yield the texts of each position, from 0."""
    for position, group in enumerate(entry.content):
        if None in group:
            raise entry.error(f"has null for problem {position}, expected a text: did the run finish?")
        for text in group:
            yield FileCompletion(str(position), text, position + 1, has_id=False, holds_prompt=True)
