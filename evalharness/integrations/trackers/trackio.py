"""Trackio: figures by step, the page as HTML. It lies in Trackio's own folder, ``TRACKIO_DIR``."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from evalharness.integrations.trackers.shown import Shown

NAME = LIBRARY = "trackio"


def is_active() -> bool:
    """Whether a run is under way."""
    trackio = sys.modules.get(LIBRARY)
    return trackio is not None and trackio.context_vars.current_run.get() is not None


@contextmanager
def session(run: str, folder: Path) -> Iterator[Callable[[Shown], None]]:
    """Log to the active run, or to a new one of this name in the project ``evalharness``."""
    import trackio

    own = not is_active()
    if own:
        trackio.init(project="evalharness", name=run, embed=False)

    def log(score: Shown) -> None:
        page = {} if score.page is None else {"evalharness/report": trackio.Html(score.page)}
        trackio.log({**score.figures, **page}, step=score.step)

    try:
        yield log
    finally:
        if own:
            trackio.finish()
