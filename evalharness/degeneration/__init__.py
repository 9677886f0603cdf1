"""Loops, repetition and entropy of completions, and the verdict on a checkpoint. Pure: no torch, no files."""

from evalharness.degeneration.analysis import Degeneration, Written, analyse, analyse_all
from evalharness.degeneration.batches import longest_runs, seq_reps
from evalharness.degeneration.kinds import Kind, kind_of
from evalharness.degeneration.loops import Repetition, find_loops, find_loops_in
from evalharness.degeneration.measures import Measures, measure
from evalharness.degeneration.significance import Loop
from evalharness.degeneration.tail import TailLoop
from evalharness.degeneration.verdict import checkpoint_verdict

__all__ = [
    "Degeneration",
    "Kind",
    "Loop",
    "Measures",
    "Repetition",
    "TailLoop",
    "Written",
    "analyse",
    "analyse_all",
    "checkpoint_verdict",
    "find_loops",
    "find_loops_in",
    "kind_of",
    "longest_runs",
    "measure",
    "seq_reps",
]
