"""TensorBoard: figures as scalars, and as text where the report lies. Event files go beside the run's report."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from evalharness.integrations.trackers.shown import Shown

NAME = LIBRARY = "tensorboard"
FOLDER = "tensorboard"


def is_active() -> bool:
    """Never: a process may have any number of writers, and none of them is known to others."""
    return False


@contextmanager
def session(run: str, folder: Path) -> Iterator[Callable[[Shown], None]]:
    """Log to event files in ``tensorboard/`` of the run's folder."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder / FOLDER)) as writer:

        def log(score: Shown) -> None:
            for name, value in score.figures.items():
                writer.add_scalar(name, value, score.step)
            writer.add_text("evalharness/report", f"`{score.page or score.folder}`", score.step)

        yield log
