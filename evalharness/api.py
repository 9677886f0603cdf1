"""evalharness as a library: functions, the same as the commands of their names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness import pipeline
from evalharness.errors import PreflightError

if TYPE_CHECKING:
    import torch

    from evalharness.diagnosis import Diagnosis
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


def preflight(model: torch.nn.Module, batch: Any, tokenizer: Any = None, *, check: bool = True) -> Diagnosis:
    """Ask, before the first step is trained, whether the loss will mean anything.

    ``batch`` is one as the loop sees it: ``(inputs, targets)`` of shape ``(rows, length)`` that the loop compares
    position by position, or a mapping with ``input_ids`` and ``labels`` whose model shifts. ``tokenizer`` is one of
    transformers or tokenizers, or has ``encode``, ``decode`` and ``vocab_size``. Model, random state and batch are
    afterwards as they were. Returns a :class:`evalharness.Diagnosis`; raises :class:`evalharness.PreflightError` where
    it names a cause, unless ``check`` is False, and :class:`evalharness.EvalHarnessError` for a batch that is none.
    """
    found = pipeline.preflight(model, batch, tokenizer)
    if check and found.causes:
        first = found.causes[0]
        raise PreflightError(f"{first.probe}: {first.claim} {first.remedy} (check=False lets training begin anyway)")
    return found


def execute(problem: Problem, text: str) -> Execution:
    """Run one completion (what follows the problem's prompt) in the sandbox, and judge it."""
    from evalharness.sandbox import execute_one

    return execute_one(problem, text)
