"""Loops, repetition and entropy of completions, and the verdict on a checkpoint. Pure: no torch, no files."""

from evalharness.degeneration.analysis import Degeneration, analyse, analyse_all
from evalharness.degeneration.batches import longest_runs, seq_reps
from evalharness.degeneration.completion_text import CompletionText
from evalharness.degeneration.dependence import Dependence, dependence
from evalharness.degeneration.early_stop import LoopDetector
from evalharness.degeneration.kinds import Kind, kind_of
from evalharness.degeneration.loops import Repetition, find_loops, find_loops_in
from evalharness.degeneration.measures import Measures, Predictions, measure
from evalharness.degeneration.ratios import Ratios
from evalharness.degeneration.significance import Loop
from evalharness.degeneration.validity import Validity
from evalharness.degeneration.verdict import Judgement, checkpoint_verdict, is_too_early_to_tell

__all__ = [
    "CompletionText",
    "Degeneration",
    "Dependence",
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
    "dependence",
    "find_loops",
    "find_loops_in",
    "is_too_early_to_tell",
    "kind_of",
    "longest_runs",
    "measure",
    "seq_reps",
]
