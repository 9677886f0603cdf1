"""Conversations of two questions and two answers, in a template whose roles are tokens of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rows import write_problems
from trainer_run import fast_tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rows import Data, Row
    from transformers import PreTrainedTokenizerFast

    Message = dict[str, str]

USER, ASSISTANT = "<|user|>", "<|assistant|>"
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
SECOND = "What is it called?\n"


def chat_tokenizer(rows: Iterable[Row]) -> PreTrainedTokenizerFast:
    """The small tokenizer with the roles' tokens and the template."""
    made = fast_tokenizer(rows)
    made.add_special_tokens({"extra_special_tokens": [USER, ASSISTANT]})
    made.chat_template = TEMPLATE
    return made


def messages(row: Row) -> list[Message]:
    """A function is asked for, and then what it is called."""
    return [
        {"role": "user", "content": row.prompt},
        {"role": "assistant", "content": row.completion},
        {"role": "user", "content": SECOND},
        {"role": "assistant", "content": f"{row.name}\n"},
    ]


def write_chats(folder: Path, data: Data, problems: Sequence[Row]) -> None:
    """Conversations, one a line, problems of the same kind, and a manifest that names them."""
    for name, rows in (("train", data.train), ("validation", data.validation)):
        lines = [json.dumps({"messages": messages(row)}) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_problems(folder / "problems.jsonl", problems)
    (folder / "evalharness.toml").write_text(
        '[data]\ntrain = "train.jsonl"\nvalidation = "validation.jsonl"\n\n'
        '[score]\nproblems = "problems.jsonl"\nchat = "always"\n',
        encoding="utf-8",
    )
