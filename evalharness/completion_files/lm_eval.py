"""lm-evaluation-harness: ``samples_<task>_<time>.jsonl``, which ``--log_samples`` writes.

Facts of lm_eval 0.4.13 (``evaluator.py``, ``loggers/evaluation_tracker.py``): a line has ``doc_id``, ``doc`` (the row
of the data set), ``arguments``, ``resps`` and ``filtered_resps``. ``resps`` has a list for each request with one answer
for each repeat; what was generated is in ``resps``, ``filtered_resps`` is what a filter made of it (for HumanEval,
prompt and answer). ``arguments`` is ``{"gen_args_0": {"arg_0": prompt, "arg_1": settings}}``, in older versions
``[[prompt, settings]]``; a chat is a list with one text, its messages in JSON. A log-likelihood is not generated: its
answers are pairs, its ``arg_1`` is a text. With several filters each document stands once for each ``filter``, always
with the same ``resps``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from evalharness.completion_files.entry import FileCompletion
from evalharness.completion_files.fields import last_message, prompt_of, row_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.completion_files.entry import Entry, Memory


FORM = "lm-evaluation-harness"
PRIORITY = 40


def recognises(content: Any) -> bool:
    """A row of a document and its answers."""
    return isinstance(content, dict) and "doc_id" in content and "resps" in content


def read(entry: Entry, memory: Memory) -> Iterator[FileCompletion]:
    """Yield the answers to one document, as the model gave them."""
    row = entry.content
    if row.get("filter") != memory.facts.setdefault("filter", row.get("filter")):
        memory.left_out["lines that hold the same answers for another filter"] += 1
        return
    doc = row["doc"] if isinstance(row.get("doc"), dict) else {}
    requests = _requests(row.get("arguments"))
    task_id = row_id({"task_id": doc.get("task_id")})
    for number, answers in enumerate(_answers(entry, requests)):
        sent = _prompt(requests[number][:1]) if number < len(requests) else None
        for text in answers:
            yield FileCompletion(
                task_id=str(row["doc_id"]) if task_id is None else task_id,
                text=text,
                number=entry.number,
                prompt=prompt_of(doc) if sent is None else sent,
                is_answer=True,
            )


def _answers(entry: Entry, requests: list[list[Any]]) -> list[list[str]]:
    resps = entry.content["resps"]
    if not isinstance(resps, list) or not all(isinstance(answers, list) for answers in resps):
        raise entry.error("has resps of another form, expected a list of lists of texts")
    if any(isinstance(answer, list) for answers in resps for answer in answers) or any(
        len(request) > 1 and not isinstance(request[1], dict) for request in requests
    ):
        raise entry.error("holds log-likelihoods: nothing was generated for this task")
    if not all(isinstance(answer, str) for answers in resps for answer in answers):
        raise entry.error("has a value among its resps that is no text, expected a list of lists of texts")
    return resps


def _requests(arguments: object) -> list[list[Any]]:
    """The arguments of each request, in their order."""
    requests = list(arguments.values()) if isinstance(arguments, dict) else arguments
    if not isinstance(requests, list):
        return []
    return [list(r.values()) if isinstance(r, dict) else r if isinstance(r, list) else [] for r in requests]


def _prompt(arguments: list[Any]) -> str | None:
    if not arguments:
        return None
    (sent,) = arguments
    if isinstance(sent, list) and len(sent) == 1 and isinstance(sent[0], str):
        try:
            return last_message(json.loads(sent[0]))
        except ValueError:
            return None
    return sent if isinstance(sent, str) else None
