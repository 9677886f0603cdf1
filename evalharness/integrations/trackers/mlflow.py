"""MLflow: figures as metrics, the page as an artifact. Where it goes is MLflow's tracking URI."""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from evalharness.integrations.trackers.shown import Shown

NAME = LIBRARY = "mlflow"


def is_active() -> bool:
    """Whether a run is under way."""
    mlflow = sys.modules.get(LIBRARY)
    return mlflow is not None and mlflow.active_run() is not None


@contextmanager
def session(run: str, folder: Path) -> Iterator[Callable[[Shown], None]]:
    """Log to the active run, or to a new one of this name."""
    import mlflow

    def log(score: Shown) -> None:
        # "@" is not allowed in the name of a metric.
        metrics = {name.replace("@", "_at_"): value for name, value in score.figures.items()}
        mlflow.log_metrics(metrics, step=score.step)
        if score.page is not None:
            mlflow.log_artifact(str(score.page), score.place)

    own: Any = nullcontext() if is_active() else mlflow.start_run(run_name=run)
    with own:
        yield log
