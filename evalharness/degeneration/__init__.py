"""Loops, repetition and entropy of completions, and the verdict on a checkpoint. Pure: no torch, no files.

Importing this imports no NumPy: the sandbox asks ``language`` how a program is put together, and needs nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalharness.degeneration.analysis import Degeneration, analyse, analyse_all
    from evalharness.degeneration.batches import longest_runs, seq_reps
    from evalharness.degeneration.completion_text import CompletionText
    from evalharness.degeneration.early_stop import LoopDetector
    from evalharness.degeneration.kinds import Kind, kind_of
    from evalharness.degeneration.loop_criteria import Loop
    from evalharness.degeneration.loops import Repetition, find_loops, find_loops_in
    from evalharness.degeneration.measures import Measures, Predictions, measure
    from evalharness.degeneration.ratios import Ratios
    from evalharness.degeneration.validity import Validity
    from evalharness.degeneration.verdict import (
        Judgement,
        checkpoint_verdict,
        counted_share,
        greedy_share_against,
        is_too_early_to_tell,
    )

_HOMES = {
    "CompletionText": "evalharness.degeneration.completion_text",
    "Degeneration": "evalharness.degeneration.analysis",
    "Judgement": "evalharness.degeneration.verdict",
    "Kind": "evalharness.degeneration.kinds",
    "Loop": "evalharness.degeneration.loop_criteria",
    "LoopDetector": "evalharness.degeneration.early_stop",
    "Measures": "evalharness.degeneration.measures",
    "Predictions": "evalharness.degeneration.measures",
    "Ratios": "evalharness.degeneration.ratios",
    "Repetition": "evalharness.degeneration.loops",
    "Validity": "evalharness.degeneration.validity",
    "analyse": "evalharness.degeneration.analysis",
    "analyse_all": "evalharness.degeneration.analysis",
    "checkpoint_verdict": "evalharness.degeneration.verdict",
    "counted_share": "evalharness.degeneration.verdict",
    "find_loops": "evalharness.degeneration.loops",
    "find_loops_in": "evalharness.degeneration.loops",
    "greedy_share_against": "evalharness.degeneration.verdict",
    "is_too_early_to_tell": "evalharness.degeneration.verdict",
    "kind_of": "evalharness.degeneration.kinds",
    "longest_runs": "evalharness.degeneration.batches",
    "measure": "evalharness.degeneration.measures",
    "seq_reps": "evalharness.degeneration.batches",
}

__all__ = [
    "CompletionText",
    "Degeneration",
    "Judgement",
    "Kind",
    "Loop",
    "LoopDetector",
    "Measures",
    "Predictions",
    "Ratios",
    "Repetition",
    "Validity",
    "analyse",
    "analyse_all",
    "checkpoint_verdict",
    "counted_share",
    "find_loops",
    "find_loops_in",
    "greedy_share_against",
    "is_too_early_to_tell",
    "kind_of",
    "longest_runs",
    "measure",
    "seq_reps",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
