"""Problems of MultiPL-E (Cassano et al. 2022), as it releases them: JSONL with the tests in the problem's own language.

A row has ``name``, ``language``, ``prompt``, ``tests`` and ``stop_tokens``. The tests call the function that they name
their ``candidate``. There are no canonical solutions. Of its languages JavaScript (``js``) can be judged here.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from evalharness.errors import ProblemError
from evalharness.problems.human_eval_form import read_text
from evalharness.records import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "multipl-e"
ELSEWHERE = "named by its path, or by EVALHARNESS_MULTIPL_E: a JSONL file of MultiPL-E's in JavaScript"
_KEYS = ("name", "language", "prompt", "tests")
_LANGUAGES = {"js": "javascript"}
_CANDIDATE = re.compile(r"\bcandidate\s*=\s*([A-Za-z_$][\w$]*)")


def recognises(text: str) -> bool:
    """Whether a JSONL text is of MultiPL-E's form."""
    try:
        row = json.loads(text.partition("\n")[0])
    except ValueError:
        return False
    return isinstance(row, dict) and set(_KEYS) <= row.keys() and "test" not in row


def load(paths: Mapping[str, Path]) -> tuple[Problem, ...]:
    """The problems of the file that ``paths`` names. Raises ProblemError, also for a language that can't be judged."""
    path = paths.get(NAME)
    if path is None:
        raise ProblemError(f"{NAME} is not installed: expected {ELSEWHERE}")
    lines = [(n, line) for n, line in enumerate(read_text(path).split("\n"), 1) if line.strip()]
    return tuple(_problem(path, number, line) for number, line in lines)


def _problem(path: Path, number: int, line: str) -> Problem:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ProblemError(f"{path}: line {number}: not JSON ({error})") from None
    fault = _fault(row)
    if fault:
        raise ProblemError(f"{path}: line {number}: {fault}")
    return Problem(
        task_id=row["name"],
        prompt=row["prompt"],
        entry_point=_CANDIDATE.findall(row["tests"])[0],
        canonical_solution="",
        test=row["tests"],
        stop=tuple(row.get("stop_tokens", ())),
        language=_LANGUAGES[row["language"]],
    )


def _fault(row: Any) -> str:
    """Why a row is no problem that can be judged; an empty text if it is one."""
    if not isinstance(row, dict):
        return "expected an object"
    missing = [key for key in _KEYS if not isinstance(row.get(key), str)]
    if missing:
        return f"{', '.join(missing)} missing or no text"
    if row["language"] not in _LANGUAGES:
        return f"language is {row['language']!r}, expected {' or '.join(map(repr, _LANGUAGES))}"
    if not _CANDIDATE.search(row["tests"]):
        return "the tests don't say which function is their candidate"
    return ""
