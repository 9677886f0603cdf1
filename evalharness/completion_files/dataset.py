"""No completions: the rows of a data set, given by mistake. They have a text each, and would be judged as failures."""

from __future__ import annotations

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


def recognises(content: Any) -> bool:
    """A row with a problem and its tests, and nothing that a model wrote."""
    if not isinstance(content, dict) or _WRITTEN & content.keys():
        return False
    return any(keys <= content.keys() for keys in _TESTED)


def read(entry: Entry, memory: Memory) -> Iterator[FileCompletion]:  # noqa: ARG001 - every reader takes a memory
    """Raise :class:`CompletionFileError`."""
    raise entry.error(
        f"has the keys {', '.join(map(str, entry.content))}: this is a data set with its tests, expected completions; "
        "--problems takes a data set, and --key names a column to be judged"
    )
