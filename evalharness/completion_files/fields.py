"""What rows of all tools have in common: ids, prompts, tokens, and why generation stopped, checked as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from evalharness.completion_files.entry import Entry, FileCompletion
from evalharness.records import StopReason

if TYPE_CHECKING:
    from collections.abc import Sequence

ID_KEYS = ("task_id", "index", "id")
PROMPT_KEYS = ("prompt", "text", "question")
LARGEST_ID = 2**63 - 1

STOP_REASONS: dict[str, StopReason] = {
    **{reason: reason for reason in get_args(StopReason)},
    "stop": "end_token",  # OpenAI's finish_reason, vLLM's and inspect_ai's: an end token or a stop sequence
    "eos_token": "end_token",  # text-generation-inference
    "length": "max_new_tokens",
    "max_tokens": "max_new_tokens",
    "model_length": "context_full",  # inspect_ai
}
"""What other tools call our reasons. A reason that isn't here is not known."""


def completion_of(entry: Entry, row: Mapping[str, Any], key: str, *, holds_prompt: bool = False) -> FileCompletion:
    """The completion whose text is under ``key`` of ``row``, with what else the row says of it."""
    task_id = row_id(row)
    token_ids = _numbers(entry, row, "token_ids", (int,))
    entropy = _numbers(entry, row, "token_entropy_nats", (int, float))
    if token_ids is not None and not all(0 <= token_id <= LARGEST_ID for token_id in token_ids):
        wrong = next(i for i in token_ids if not 0 <= i <= LARGEST_ID)
        raise entry.error(f"has the token id {wrong}, expected one from 0 to {LARGEST_ID}")
    if entropy is not None and token_ids is not None and len(entropy) != len(token_ids):
        raise entry.error(f"has {len(token_ids)} token_ids and {len(entropy)} token_entropy_nats")
    number, text = row.get("completion_id"), text_of(entry, row, key)
    if text and not token_ids:  # no ids for a text: older versions wrote it so when the ids were not known
        token_ids = entropy = None
    return FileCompletion(
        task_id=str(entry.number) if task_id is None else task_id,
        text=text,
        number=entry.number,
        completion_id=number if isinstance(number, int) else None,
        has_id=task_id is not None,
        prompt=prompt_of(row, ("prompt",)),
        holds_prompt=holds_prompt,
        row=row,
        token_ids=token_ids,
        token_entropy_nats=entropy,
        stop_reason=stop_reason(row.get("stop_reason", row.get("finish_reason"))),
    )


def row_id(row: Mapping[str, Any]) -> str | None:
    """The row's id under one of its usual names; None where it has none."""
    value = next((row[key] for key in ID_KEYS if isinstance(row.get(key), (str, int))), None)
    return None if value is None else str(value)


def prompt_of(row: Mapping[str, Any], keys: Sequence[str] = PROMPT_KEYS) -> str | None:
    """The first text under one of ``keys``."""
    return next((row[key] for key in keys if isinstance(row.get(key), str)), None)


def text_of(entry: Entry, row: Mapping[str, Any], key: str) -> str:
    """The text under ``key``. Raises :class:`CompletionFileError` where there is something else."""
    text = row[key]
    if not isinstance(text, str):
        raise entry.error(f"has {_kind(text)} under {key}, expected a text")
    return text


def stop_reason(value: object) -> StopReason | None:
    """Our name of another tool's reason; None where it is not known."""
    return STOP_REASONS.get(value) if isinstance(value, str) else None


def last_message(messages: object) -> str | None:
    """The text of a chat's last message of the user; None where there is none."""
    if not isinstance(messages, list):
        return None
    texts = [m.get("content") for m in messages if isinstance(m, Mapping) and m.get("role") == "user"]
    return texts[-1] if texts and isinstance(texts[-1], str) else None


def _numbers(entry: Entry, row: Mapping[str, Any], key: str, types: tuple[type, ...]) -> tuple[Any, ...] | None:
    values = row.get(key)
    if values is None:
        return None
    if not isinstance(values, list):
        raise entry.error(f"has {_kind(values)} under {key}, expected a list of numbers")
    wrong = next((value for value in values if type(value) not in types), None)
    if wrong is not None or None in values:
        expected = "whole numbers" if types == (int,) else "numbers"
        raise entry.error(f"has {_kind(wrong)} among {key}, expected {expected}")
    return tuple(values)


def _kind(value: object) -> str:
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number with a fraction",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "null")
