"""OLMES: ``task-…-predictions.jsonl`` of ``{doc_id, native_id, metrics, model_output: [{continuation, …}, …]}``.

Facts of olmes 0.1.0: ``model_output`` has an element for each repeat, ``continuation`` is what the model wrote, cut at
the task's stop sequences. ``native_id`` is the task's name in its data set; multiple-choice tasks have ``sum_logits``
and no text worth judging.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.completion_files.fields import completion_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.completion_files.entry import Entry, FileCompletion, Memory


FORM = "OLMES"
PRIORITY = 45
_ID_KEYS = ("native_id", "task_id", "doc_id")


def recognises(content: Any) -> bool:
    """A row with outputs of a model that continue a document."""
    outputs = content.get("model_output") if isinstance(content, dict) else None
    return (
        isinstance(outputs, list)
        and bool(outputs)
        and all(isinstance(output, dict) and "continuation" in output for output in outputs)
    )


def read(entry: Entry, memory: Memory) -> Iterator[FileCompletion]:  # noqa: ARG001 - every reader takes a memory
    """Yield the continuations of a row."""
    row = entry.content
    task_id = next((row[key] for key in _ID_KEYS if row.get(key) is not None), None)
    named = {} if task_id is None else {"task_id": task_id}
    for output in row["model_output"]:
        yield completion_of(entry, {**row, **named, "continuation": output["continuation"]}, "continuation")
