"""evalharness as a library: three functions, the same as the commands of their names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness import pipeline

if TYPE_CHECKING:
    from evalharness.records import Execution, Problem, Scorecard


def score(path: str | os.PathLike[str], **settings: Any) -> Scorecard:
    """Score a checkpoint and write its report; return the scorecard.

    ``settings`` are those of ``evalharness score`` with underscores: ``problems`` (a name, a path or several),
    ``samples``, ``temperature``, ``top_p``, ``top_k``, ``k``, ``limit``, ``max_new_tokens``, ``batch_size``,
    ``device``, ``dtype``, ``seed``, ``workers``, ``out``, ``stop_loops``, ``step``, ``trust``. What is left out comes
    from the manifest, then from the defaults. Raises :class:`evalharness.EvalHarnessError`.
    """
    problems = settings.get("problems")
    if isinstance(problems, (str, os.PathLike)):
        settings["problems"] = (os.fspath(problems),)
    if isinstance(settings.get("out"), str):
        settings["out"] = Path(settings["out"])
    return pipeline.score(Path(path), settings).scorecard


def execute(problem: Problem, text: str) -> Execution:
    """Run one completion (what follows the problem's prompt) in the sandbox, and judge it."""
    from evalharness.sandbox import execute_one

    return execute_one(problem, text)
