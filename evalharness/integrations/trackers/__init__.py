"""Experiment trackers: where the figures and the page of a score go besides the reports folder.

Each file is one tracker. ``NAME`` is how it is asked for, ``LIBRARY`` what must be installed. ``session(run, folder)``
is a context that yields a function, which takes what is to be shown of one step: in the run that the library has under
way, or else in one of its own, which ends with the context. All goes where the library puts things by default, and its
own environment variables hold (``WANDB_MODE``, ``MLFLOW_TRACKING_URI``, ``TRACKIO_DIR``).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from evalharness.errors import EvalHarnessError
from evalharness.integrations.trackers import mlflow, tensorboard, trackio, wandb
from evalharness.integrations.trackers.shown import STEP, Shown, figures, shown

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from evalharness.records import Scorecard

__all__ = ["TRACKERS", "Shown", "active_trackers", "check", "figures", "log_page", "log_to", "shown"]

TRACKERS: dict[str, ModuleType] = {tracker.NAME: tracker for tracker in (mlflow, tensorboard, trackio, wandb)}

Log = Callable[["Scorecard", "Path"], None]
"""Takes a scorecard and the folder of its score."""


def check(names: tuple[str, ...]) -> None:
    """Say before the work that a tracker's library is not installed. Raises EvalHarnessError."""
    for name in names:
        library = TRACKERS[name].LIBRARY
        if importlib.util.find_spec(library) is None:
            raise EvalHarnessError(f"--log-to {name}: {library} is not installed: pip install 'evalharness[{name}]'")


def active_trackers() -> tuple[str, ...]:
    """The trackers in whose libraries this process has a run under way."""
    return tuple(name for name, tracker in TRACKERS.items() if tracker.is_active())


def log_page(card: Scorecard, score: Path) -> None:
    """Log the page of a score to the runs that are under way; whoever trains has logged the figures by himself."""
    whole = shown(card, score)
    if whole.page is None:
        return
    page = replace(whole, figures={STEP: whole.figures[STEP]} if STEP in whole.figures else {})
    for name in active_trackers():
        with TRACKERS[name].session(score.parent.name, score.parent) as log:
            log(page)


@contextmanager
def log_to(names: tuple[str, ...], run: str, folder: Path) -> Iterator[Log]:
    """Begin to log a run's scores to each tracker that is named; ``folder`` is the run's among the reports.

    Yields a function that takes the scorecard and the folder of one step. Raises EvalHarnessError for a library
    that is missing; what the libraries raise goes through.
    """
    check(names)
    with ExitStack() as stack:
        logs = [stack.enter_context(TRACKERS[name].session(run, folder)) for name in names]

        def log(card: Scorecard, score: Path) -> None:
            for one in logs:
                one(shown(card, score))

        yield log
