"""MLflow's own metric files: ``timestamp value step`` a line, milliseconds; the file's name is the metric's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalharness.errors import LogError
from evalharness.training_log.columns import loss_point, number
from evalharness.training_log.open_log import TORN
from evalharness.training_log.tables import split_of_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.records import LossPoint
    from evalharness.training_log.open_log import OpenLog

FORM = "MLflow metric"
PRIORITY = 30
LINE = re.compile(r"(\d{10,}) (\S+) (-?\d+)\s*$")


def recognises(head: Sequence[str]) -> bool:
    """Whether all of its first lines are a time, a value and a step."""
    return bool(head) and all(LINE.fullmatch(line) for line in head[:-1] or head)


def read(log: OpenLog) -> Iterator[LossPoint]:
    """Yield the values of a file that is named after a loss. Raises :class:`LogError` where it is not."""
    split = split_of_file(log)
    if split is None:
        raise LogError(f"{log.path}: an MLflow metric, by its name not a loss (expected train_loss, val_loss, …)")
    for at, line in enumerate(log.lines(), 1):
        match = LINE.match(line)
        if match is None:
            continue
        time, value, step = match.groups()
        if not line.endswith("\n"):
            log.notes.append(TORN)
        elif (loss := number(value)) is not None:
            yield loss_point(int(step), split, loss, f"{log.name}:{at}", None, int(time) / 1000)
