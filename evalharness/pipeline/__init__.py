"""How a score goes, from one end to the other. The only package that knows all the stages.

::

    loading     a path, a manifest, problem sets, logs
    attention   is the model causal? It decides how it may be run
    completing  a completion for each request, from the journal or made now
    judging     an execution for each completion
    measuring   degeneration, and the losses
    diagnosing  why they disagree, if they do
    assembling  all of it as one scorecard
    writing     the files

    series      the same for every checkpoint of a run, and run_report over all of them
    watching    the same while training writes

    initialising    before all of it: a manifest from what lies in a folder
    triaging        what a training log alone says
    trainer_data    while a trainer trains: its rows, kept for the scores of its checkpoints

    browsing    completions read back from the folders, and viewing several checkpoints on one page

    judging_files, analysing, importing     stages alone, on completions that another tool wrote

The stages are imported inside the functions, so that ``evalharness --help`` and the pytest plugin stay light.
"""

from evalharness.pipeline.comparing import Compared, compare
from evalharness.pipeline.initialising import Initialised, initialise
from evalharness.pipeline.mending import write_repair
from evalharness.pipeline.preflighting import preflight, preflight_manifest
from evalharness.pipeline.run_report import read_versions, renew_report
from evalharness.pipeline.scoring import DiagnosisResult, ScoreResult, checkpoint_at, diagnose, score, score_once
from evalharness.pipeline.series import Choice, RunResult, StepEnd, StepFailure, run_series
from evalharness.pipeline.trainer_data import keep_data
from evalharness.pipeline.triaging import Triage, triage
from evalharness.pipeline.viewing import view
from evalharness.pipeline.watching import watch

__all__ = [
    "Choice",
    "Compared",
    "DiagnosisResult",
    "Initialised",
    "RunResult",
    "ScoreResult",
    "StepEnd",
    "StepFailure",
    "Triage",
    "checkpoint_at",
    "compare",
    "diagnose",
    "initialise",
    "keep_data",
    "preflight",
    "preflight_manifest",
    "read_versions",
    "renew_report",
    "run_series",
    "score",
    "score_once",
    "triage",
    "view",
    "watch",
    "write_repair",
]
