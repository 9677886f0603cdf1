"""Rows of ``instruction``, ``input`` and ``output``, as Stanford Alpaca has them and trainers after it.

The text around them is the published one: https://github.com/tatsu-lab/stanford_alpaca#data-release
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.diagnosis.data.conversations import Turn

INSTRUCTION_KEY, INPUT_KEY = "instruction", "input"
_ALONE = "Below is an instruction that describes a task. "
_WITH_INPUT = "Below is an instruction that describes a task, paired with an input that provides further context. "
_THEN = "Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n"
_RESPONSE = "### Response:\n"


def is_instruction(record: Mapping[str, Any]) -> bool:
    """Whether a record asks for something in Alpaca's form, and has no prompt of its own."""
    return isinstance(record.get(INSTRUCTION_KEY), str) and "prompt" not in record


def instruction_prompt(record: Mapping[str, Any]) -> str:
    """All that stands before the answer."""
    asked = _THEN.replace("{instruction}", record[INSTRUCTION_KEY])
    if not _input(record):
        return _ALONE + asked + _RESPONSE
    return f"{_WITH_INPUT}{asked}### Input:\n{_input(record)}\n\n{_RESPONSE}"


def instruction_turns(record: Mapping[str, Any], answer: str) -> list[Turn]:
    """The same as a conversation, for a chat template."""
    asked = "\n".join(filter(None, (record[INSTRUCTION_KEY], _input(record))))
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]


def _input(record: Mapping[str, Any]) -> str:
    value = record.get(INPUT_KEY)
    return value if isinstance(value, str) else ""
