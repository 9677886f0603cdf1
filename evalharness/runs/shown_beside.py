"""What completions are shown beside: their problems and the texts of their tokens, so that nothing else is needed.

A problem set may have changed since, or be on another machine, and so may the tokenizer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.errors import StoreError
from evalharness.runs import paths
from evalharness.runs.json_values import plain
from evalharness.runs.record_rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from evalharness.runs.folder import RunFolder


@dataclass(frozen=True, slots=True)
class ProblemText:
    """A problem as people read it; ``problems`` is the name of its set."""

    problems: str
    task_id: str
    prompt: str
    canonical_solution: str


def write_problem_texts(folder: RunFolder, problems: Iterable[ProblemText]) -> None:
    """Write the problems that completions were asked for, in their order."""
    folder.write_rows(paths.PROBLEMS, map(plain, problems))


def read_problem_texts(folder: Path) -> list[ProblemText]:
    """The problems; empty in a folder of an older version. Raises :class:`StoreError` for a broken row."""
    return read_rows(folder / paths.PROBLEMS, _problem_text)


def write_token_texts(folder: RunFolder, texts: Mapping[int, str]) -> None:
    """Write what each token id is as text, decoded alone."""
    folder.write(paths.IDS_AS_TEXT, json.dumps({str(token_id): texts[token_id] for token_id in sorted(texts)}) + "\n")


def read_token_texts(folder: Path) -> dict[int, str]:
    """The texts by token id; empty in a folder of an older version. Raises :class:`StoreError` if they are broken."""
    file = folder / paths.IDS_AS_TEXT
    try:
        return {int(token_id): str(text) for token_id, text in json.loads(file.read_text(encoding="utf-8")).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise StoreError(f"{file}: broken: {error}; score it again") from error


def _problem_text(row: Mapping[str, Any]) -> ProblemText:
    return ProblemText(**{name: str(row[name]) for name in ProblemText.__dataclass_fields__})
