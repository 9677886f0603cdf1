"""Problem sets: HumanEval, MBPP, this project's own warmup, and a user's JSONL, all as :class:`Problem` records."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.errors import ProblemError
from evalharness.problems import humaneval, jsonl, mbpp, warmup

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from evalharness.records import Problem

__all__ = ["PROBLEM_SETS", "MbppSource", "ProblemSet", "load_problems", "yardsticks"]


@dataclass(frozen=True, slots=True)
class ProblemSet:
    """Problems under one name. ``digest`` is the sha256, in hex, of their content."""

    name: str
    problems: tuple[Problem, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class MbppSource:
    """Where MBPP's file may be: a path that was asked for, and the environment that may name one."""

    path: Path | None
    environment: Mapping[str, str]


PROBLEM_SETS: dict[str, Callable[[MbppSource], tuple[Problem, ...]]] = {
    "humaneval": lambda _: humaneval.load(),
    "mbpp": lambda source: mbpp.load(source.path, environment=source.environment),
    "warmup": lambda _: warmup.load(),
}


def load_problems(
    name_or_path: str | os.PathLike[str],
    *,
    limit: int | None = None,
    mbpp_path: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str],
) -> ProblemSet:
    """Load a set by its name in ``PROBLEM_SETS``, or a user's own by the path of its JSONL file.

    ``limit`` keeps the first so many. ``mbpp_path`` and, after it, ``EVALHARNESS_MBPP`` in ``environment`` say where
    MBPP's file is. A path that leads to MBPP's own file gives MBPP. Raises ``ProblemError`` where the name is unknown,
    the file can't be read or has faulty rows, or ``limit`` is under 1.
    """
    if limit is not None and limit < 1:
        raise ProblemError(f"limit is {limit}, expected at least 1")
    asked = os.fspath(name_or_path)
    if asked in PROBLEM_SETS:
        source = MbppSource(None if mbpp_path is None else Path(mbpp_path), environment)
        name, problems = asked, PROBLEM_SETS[asked](source)
    else:
        name, problems = _from_path(asked, environment)
    kept = problems[:limit]
    return ProblemSet(name, kept, digest(kept))


def yardsticks(task_ids: Collection[str]) -> tuple[Problem, ...]:
    """The problems of HumanEval with these ids, which every installation has."""
    return tuple(problem for problem in humaneval.load() if problem.task_id in task_ids)


def digest(problems: tuple[Problem, ...]) -> str:
    """The sha256, in hex, of the problems as canonical JSON: every field, in the order given."""
    canonical = json.dumps([asdict(problem) for problem in problems], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _from_path(asked: str, environment: Mapping[str, str]) -> tuple[str, tuple[Problem, ...]]:
    path = Path(asked)
    if not asked or not (path.exists() or _looks_like_a_path(asked)):
        raise ProblemError(_unknown(asked))
    if mbpp.is_mbpp(jsonl.read_text(path)):
        return "mbpp", mbpp.load(path, environment=environment)
    return Path(path.name.removesuffix(".gz")).stem, jsonl.load(path)


def _looks_like_a_path(asked: str) -> bool:
    return os.sep in asked or asked.endswith((".jsonl", ".json", ".gz"))


def _unknown(asked: str) -> str:
    nearest = difflib.get_close_matches(asked.lower(), PROBLEM_SETS, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    return f"unknown problem set {asked!r}, expected {', '.join(PROBLEM_SETS)} or the path of a .jsonl file{hint}"
