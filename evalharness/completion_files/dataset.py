"""No completions: the rows of a data set, given by mistake. They have a text each, and would be judged as failures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.completion_files.entry import Entry, FileCompletion, Memory


FORM = "data set"
PRIORITY = 5
_TESTED = (
    frozenset({"canonical_solution", "test"}),  # HumanEval, and its relatives in other languages
    frozenset({"canonical_solution", "base_input"}),  # HumanEval+, MBPP+
    frozenset({"code", "test_list"}),  # MBPP
    frozenset({"prompt", "tests", "stop_tokens"}),  # MultiPL-E
    frozenset({"input_output", "solutions"}),  # APPS
    frozenset({"canonical_solution", "instruct_prompt"}),  # BigCodeBench
)
_WRITTEN = frozenset(
    {"completion", "completions", "solution", "generation", "generations", "generated", "generated_codes", "samples"}
    | {"output", "outputs", "resps", "model_output", "response", "responses", "prediction", "predictions"}
)
_OF_TRAINING = re.compile(r"train(?:ing)?[\W_]?\d+")
"""The id of a row of training data, such as ``train_17``."""
_INSTRUCTIONS = frozenset({"instruction", "input", "output"})
"""A row of instructions in Alpaca's form. Answers of a model name it, or have no input."""


def recognises(content: Any) -> bool:
    """A row with a problem and its tests and nothing that a model wrote, or a row to train on."""
    if not isinstance(content, dict):
        return False
    if content.keys() == _INSTRUCTIONS or _is_of_training(content):
        return True
    return not _WRITTEN & content.keys() and any(keys <= content.keys() for keys in _TESTED)


def _is_of_training(content: dict[str, Any]) -> bool:
    """Whether a row has a prompt, and is one of training by its id."""
    ids = (content.get(key) for key in ("id", "task_id"))
    return "prompt" in content and any(isinstance(name, str) and _OF_TRAINING.fullmatch(name.lower()) for name in ids)


def read(entry: Entry, memory: Memory) -> Iterator[FileCompletion]:  # noqa: ARG001 - every reader takes a memory
    """Raise :class:`CompletionFileError`."""
    raise entry.error(
        f"has the keys {', '.join(map(str, entry.content))}: this is a row of a data set, expected completions; "
        "--problems takes a data set, and --key names a column to be judged"
    )
