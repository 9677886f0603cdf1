"""Weights & Biases: figures over ``evalharness/step``, the page as HTML. ``WANDB_MODE=offline`` needs no network."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from evalharness.integrations.trackers.shown import STEP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from evalharness.integrations.trackers.shown import Shown

NAME = LIBRARY = "wandb"


def is_active() -> bool:
    """Whether a run is under way."""
    wandb = sys.modules.get(LIBRARY)
    return wandb is not None and wandb.run is not None


@contextmanager
def session(run: str, folder: Path) -> Iterator[Callable[[Shown], None]]:
    """Log to the active run, or to a new one of this name in the project ``evalharness``."""
    import wandb

    own = None if is_active() else wandb.init(project="evalharness", name=run)
    active: Any = own or wandb.run
    # The figures of a step come when training is further on: their axis is a step of their own.
    active.define_metric("evalharness/*", step_metric=STEP)

    def log(score: Shown) -> None:
        page = {} if score.page is None else {"evalharness/report": wandb.Html(str(score.page), inject=False)}
        active.log({**score.figures, **page})

    try:
        yield log
    finally:
        if own is not None:
            own.finish()
