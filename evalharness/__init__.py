r"""Tells whether a falling loss is real.

::

    card = evalharness.score("checkpoints/leaky")          # a Scorecard; its files are in reports/
    execution = evalharness.execute(problem, "    return a + b\\n")
    evalharness.preflight(model, (inputs, targets))        # raises where the loss would mean nothing
    evalharness.compare("reports/leaky", "reports/causal") # what changed, problem by problem
    frames = evalharness.load_run("reports/leaky")         # a whole run as pandas frames
    loop = evalharness.analyse("\\n" * 200)

Importing this imports no torch: each name brings its stage along when it is first used.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalharness.api import compare, execute, preflight, score
    from evalharness.degeneration import Degeneration, analyse
    from evalharness.diagnosis import Diagnosis
    from evalharness.errors import EvalHarnessError, PreflightError
    from evalharness.records import Completion, Execution, Finding, LossPoint, Problem, Scorecard, Verdict
    from evalharness.runs.frames import load_run

    __version__: str

_HOMES = {
    "score": "evalharness.api",
    "compare": "evalharness.api",
    "execute": "evalharness.api",
    "analyse": "evalharness.degeneration",
    "Degeneration": "evalharness.degeneration",
    "preflight": "evalharness.api",
    "Diagnosis": "evalharness.diagnosis",
    "EvalHarnessError": "evalharness.errors",
    "PreflightError": "evalharness.errors",
    "load_run": "evalharness.runs.frames",
    **dict.fromkeys(
        ("Completion", "Execution", "Finding", "LossPoint", "Problem", "Scorecard", "Verdict"), "evalharness.records"
    ),
}

__all__ = [
    "Completion",
    "Degeneration",
    "Diagnosis",
    "EvalHarnessError",
    "Execution",
    "Finding",
    "LossPoint",
    "PreflightError",
    "Problem",
    "Scorecard",
    "Verdict",
    "__version__",
    "analyse",
    "compare",
    "execute",
    "load_run",
    "preflight",
    "score",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name == "__version__":
        return importlib.metadata.version("evalharness")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
