"""evalharness as a library: functions, the same as the commands of their names."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, get_type_hints

from evalharness import pipeline
from evalharness.errors import PreflightError
from evalharness.settings.declaration import settings_in
from evalharness.settings.old_names import renamed
from evalharness.settings.score import ScoreOptions, ScoreSettings
from evalharness.settings.values import PYTHON, read

if TYPE_CHECKING:
    import torch

    from evalharness.diagnosis import Diagnosis
    from evalharness.pipeline import Compared
    from evalharness.records import Execution, Problem, Scorecard


def score(path: str | os.PathLike[str], **settings: Unpack[ScoreSettings]) -> Scorecard:
    """Score a checkpoint and write its report; return the scorecard.

    ``settings`` are the options of ``evalharness score`` with underscores. What you leave out comes from the
    environment, then from the manifest, then from the defaults. Raises :class:`evalharness.EvalHarnessError`; for a
    wrong setting it says in one line which, and what was expected.
    """
    asked = read(ScoreOptions, renamed(settings), PYTHON)
    return pipeline.score(Path(path), asked).scorecard


def _signature() -> inspect.Signature:
    """That of :func:`score`, with every setting and its default, for ``help(evalharness.score)``."""
    accepted = get_type_hints(ScoreSettings)
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=setting.default, annotation=accepted[name])
        for name, setting in settings_in(ScoreOptions, "python").items()
    ]
    path = inspect.Parameter("path", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=str | os.PathLike[str])
    return inspect.Signature([path, *parameters], return_annotation="Scorecard")


score.__signature__ = _signature()  # type: ignore[attr-defined] # inspect and help read it


def preflight(model: torch.nn.Module, batch: Any, tokenizer: Any = None, *, check: bool = True) -> Diagnosis:
    """Check, before the first training step, whether the loss will mean anything.

    ``batch`` is one as the loop sees it: ``(inputs, targets)`` of shape ``(rows, length)`` that the loop compares
    position by position, or a mapping with ``input_ids`` and ``labels`` whose model shifts. ``tokenizer`` is one of
    transformers or tokenizers, or has ``encode``, ``decode`` and ``vocab_size``. Model, random state and batch are not
    changed. Returns a :class:`evalharness.Diagnosis`; raises :class:`evalharness.PreflightError` if it names a cause,
    unless ``check`` is False, and :class:`evalharness.EvalHarnessError` for a batch of another form.
    """
    diagnosis = pipeline.preflight(model, batch, tokenizer)
    if check:
        stop_at_a_cause(diagnosis, "check=False")
    return diagnosis


def stop_at_a_cause(diagnosis: Diagnosis, otherwise: str) -> None:
    """Raise :class:`evalharness.PreflightError` if there is a cause; ``otherwise`` is what lets training begin."""
    if diagnosis.causes:
        first = diagnosis.causes[0]
        raise PreflightError(f"{first.probe}: {first.claim} {first.remedy} ({otherwise} lets training begin anyway)")


def compare(
    first: str | os.PathLike[str], second: str | os.PathLike[str], **settings: Unpack[ScoreSettings]
) -> Compared:
    """Compare two checkpoints problem by problem: what changed, and whether it could be chance.

    Each is a scorecard, the folder of a score or of a run (its last step), or a checkpoint, which is scored first with
    ``settings``. Raises :class:`evalharness.EvalHarnessError` where they have no problems in common.
    """
    asked = read(ScoreOptions, renamed(settings), PYTHON)
    (compared,) = pipeline.compare([Path(first), Path(second)], asked)
    return compared


def execute(problem: Problem, text: str) -> Execution:
    """Run one completion (what follows the problem's prompt) in the sandbox, and judge it."""
    from evalharness.sandbox import execute_one

    return execute_one(problem, text)
