"""Tables with commas, semicolons or tabs: Lightning's ``metrics.csv``, exports of W&B, MLflow and TensorBoard.

Wide ones have a column for each loss; long ones have one ``value``, and say which it is in a column ``metric``, ``key``
or ``tag``, or in the file's name.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from evalharness.errors import LogError
from evalharness.training_log.columns import (
    EPOCHS,
    METRICS,
    STEPS,
    TIMES,
    VALUE,
    Columns,
    columns,
    plain_name,
    points,
    split_of,
    unread_losses,
)
from evalharness.training_log.opened import TORN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.records import LossPoint, Split
    from evalharness.training_log.opened import OpenLog

FORM = "CSV"
DELIMITERS = ",;\t"


def recognises(head: Sequence[str]) -> bool:
    """Whether its first line names a step, and a loss or a value."""
    if not head:
        return False
    names = {plain_name(cell) for cell in next(csv.reader(head[:1], delimiter=_delimiter(head[0])))}
    return columns(names) is not None or (VALUE in names and not names.isdisjoint(STEPS))


def read(log: OpenLog) -> Iterator[LossPoint]:
    """Yield the losses; cells may be empty, and a last row that is not whole is left out."""
    lines = _whole(log)
    above, first = next(((at, line) for at, line in enumerate(lines, 1) if line.strip()), (1, ""))
    rows = csv.reader(lines, delimiter=_delimiter(first))
    header = next(csv.reader([first], delimiter=_delimiter(first)), [])
    metric = next((h for h in header if plain_name(h) in METRICS), None)
    wide = columns(header)
    log.notes.extend(f"a loss of validation data by name is not read: {key}" for key in unread_losses(header))
    named = metric is not None or wide is None
    try:
        for cells in rows:
            row = dict(zip(header, cells, strict=False))
            of = _long(header, row[metric] if metric in row else _name_of(log)) if named else wide
            if of is not None:
                yield from points(row, of, f"{log.name}:{above + rows.line_num}")
    except csv.Error as error:
        raise LogError(f"{log.path}: line {above + rows.line_num}: not CSV: {error}") from error


def _long(header: Sequence[str], metric: str) -> Columns | None:
    """The columns of a row that is one value of ``metric``; None where that is no loss."""
    split = split_of(metric)
    names = {plain_name(h): h for h in header}
    step, epoch, time = (next((names[n] for n in known if n in names), None) for known in (STEPS, EPOCHS, TIMES))
    if split is None or step is None or VALUE not in names:
        return None
    return Columns(step, epoch, time, None, ((split, (names[VALUE],)),))


def _name_of(log: OpenLog) -> str:
    """The metric that a file is named after: TensorBoard's exports are ``run-NAME-tag-train_loss.csv``."""
    return log.path.stem.rsplit("tag-", 1)[-1]


def split_of_file(log: OpenLog) -> Split | None:
    """The split whose loss a file is named after, with its folder's name or without: ``train/loss``, ``val_loss``."""
    name = _name_of(log)
    return split_of(f"{log.path.parent.name}_{name}") or split_of(name)


def _whole(log: OpenLog) -> Iterator[str]:
    for line in log.lines():
        if not line.endswith("\n"):
            # A cell that is followed by another is whole; of the last nobody knows.
            log.notes.append(TORN)
            line = line[: max(map(line.rfind, DELIMITERS)) + 1]  # noqa: PLW2901 - without its last cell
        yield line


def _delimiter(header: str) -> str:
    return max(DELIMITERS, key=header.count)
