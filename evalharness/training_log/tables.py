"""Tables with commas, semicolons or tabs: Lightning's ``metrics.csv``, exports of W&B, MLflow and TensorBoard.

Wide ones have a column for each loss; long ones have one ``value``, and say which it is in a column ``metric``, ``key``
or ``tag``, or in the file's name.
"""

from __future__ import annotations

import csv
from functools import cache
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
    have_decimal_commas,
    plain_name,
    points,
    runs_of,
    split_of,
    with_decimal_points,
)
from evalharness.training_log.open_log import DECIMAL_COMMAS, TORN, note_unread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from evalharness.records import LogPoint, Split
    from evalharness.training_log.open_log import OpenLog

FORM = "CSV"
PRIORITY = 50
DELIMITERS = ",;\t"


def recognises(head: Sequence[str]) -> bool:
    """Whether its first line names a step, and a loss or a value."""
    if not head:
        return False
    names = {plain_name(cell) for cell in next(csv.reader(head[:1], delimiter=_delimiter(head[0])))}
    return columns(names) is not None or (VALUE in names and not names.isdisjoint(STEPS))


def read(log: OpenLog) -> Iterator[LogPoint]:
    """Yield the losses; cells may be empty, and a last cell that may be cut off is left out."""
    lines, source = _whole(log), log.name
    commas = _has_decimal_commas(log)
    if commas:
        log.notes.append(DECIMAL_COMMAS)
    above, first = next(((at, line) for at, line in enumerate(lines, 1) if line.strip()), (1, ""))
    rows = csv.reader(lines, delimiter=_delimiter(first))
    header = next(csv.reader([first], delimiter=_delimiter(first)), [])
    note_unread(log, header)
    if runs := runs_of(header):
        raise LogError(
            f"{log.path}: losses of {len(runs)} runs ({', '.join(runs)}): keep the columns of one, or export it alone"
        )
    plan = _plan(log, header)
    try:
        for cells in rows:
            row = dict(zip(header, with_decimal_points(cells) if commas else cells, strict=False))
            if of := plan(row):
                yield from points(row, of, f"{source}:{above + rows.line_num}")
    except csv.Error as error:
        raise LogError(f"{log.path}: line {above + rows.line_num}: not CSV: {error}") from error


def _has_decimal_commas(log: OpenLog) -> bool:
    """Whether the first rows have numbers with decimal commas; where commas part the cells, these are in quotes."""
    head = log.head()
    rows = list(csv.reader(head, delimiter=_delimiter(head[0]))) if head else []
    return have_decimal_commas(cell for row in rows[1:] for cell in row)


def _plan(log: OpenLog, header: Sequence[str]) -> Callable[[Mapping[str, str]], Columns | None]:
    """What the columns of a row hold: in a long table that differs from row to row."""
    names = {plain_name(name): name for name in header}
    metric = next((names[name] for name in METRICS if name in names), None)
    wide = columns(header)
    if metric is None or VALUE not in names:
        whole = wide or _long(names, split_of_file(log))
        return lambda _row: whole

    @cache
    def of_metric(name: str) -> Columns | None:
        return _long(names, split_of(name))

    return lambda row: of_metric(row.get(metric, ""))


def _long(names: Mapping[str, str], split: Split | None) -> Columns | None:
    """The columns of a row that has one value; None where that is no loss."""
    step, epoch, time = (next((names[n] for n in known if n in names), None) for known in (STEPS, EPOCHS, TIMES))
    if split is None or step is None or VALUE not in names:
        return None
    return Columns(step, epoch, time, None, ((split, (names[VALUE],)),))


def split_of_file(log: OpenLog) -> Split | None:
    """The split whose loss a file is named after, with its folder's name or without: ``train/loss``, ``val_loss``.

    TensorBoard's exports are named ``run-NAME-tag-train_loss.csv``.
    """
    name = log.path.name.removesuffix(".csv").rsplit("tag-", 1)[-1]
    return split_of(f"{log.path.parent.name}_{name}") or split_of(name)


def _whole(log: OpenLog) -> Iterator[str]:
    for line in log.lines():
        if line[-1:] != "\n":
            # A cell that is followed by another is whole; of the last nobody knows.
            log.notes.append(TORN)
            line = line[: max(map(line.rfind, DELIMITERS)) + 1]  # noqa: PLW2901 - without its last cell
        yield line


def _delimiter(header: str) -> str:
    return max(DELIMITERS, key=header.count)
