"""How a score goes, from one end to the other. The only package that knows all the stages.

::

    loading     a path, a manifest, problem sets, logs
    attention   is the model causal? It decides how it may be run
    completing  a completion for each request, from the journal or made now
    running     an execution for each completion
    measuring   degeneration, and the losses
    writing     the scorecard and the files

The stages are imported inside the functions, so that ``evalharness --help`` and the pytest plugin stay light.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.interfaces import Silent, Watcher
from evalharness.pipeline.attention import probe_attention
from evalharness.pipeline.completing import complete
from evalharness.pipeline.loading import load, run_name
from evalharness.pipeline.measuring import analyse, measure_loss
from evalharness.pipeline.running import execute
from evalharness.pipeline.work import Behaviour
from evalharness.pipeline.writing import assemble, write
from evalharness.store import RunFolder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.records import Scorecard


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """A scorecard and where its files are."""

    scorecard: Scorecard
    folder: Path


def score(path: Path | str, asked: Mapping[str, Any], watcher: Watcher | None = None) -> ScoreResult:
    """Score one checkpoint and write its folder.

    ``asked`` holds settings by the names of :class:`evalharness.options.ScoreOptions`; what it leaves out comes from
    the manifest, then from the defaults. Raises :class:`EvalHarnessError`; what was already written stays, and the same
    call goes on from there.
    """
    from evalharness.generation import fastest_threads

    work = load(Path(path), asked, watcher or Silent())
    run = work.options.out / run_name(Path(path), work)
    with RunFolder(run) as folder, fastest_threads(work.checkpoint.model):
        settings = probe_attention(work)
        completions = complete(work, folder, settings)
        executions = execute(work, folder, completions)
        behaviour = Behaviour(completions, executions, analyse(work, completions))
        card = assemble(work, settings, behaviour, measure_loss(work))
        write(work, folder, card, behaviour)
        return ScoreResult(card, folder.path)
