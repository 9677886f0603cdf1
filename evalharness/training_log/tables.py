"""Tables with commas, semicolons or tabs: Lightning's ``metrics.csv``, exports of W&B, MLflow and TensorBoard.

Wide ones have a column for each loss; long ones have one ``value``, and say which it is in a column ``metric``, ``key``
or ``tag``, or in the file's name.
"""

from __future__ import annotations

import csv
import itertools
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
    number,
    plain_name,
    points,
    run_of,
    runs_of,
    split_of,
    with_decimal_points,
)
from evalharness.training_log.open_log import DECIMAL_COMMAS, TORN, note_unread
from evalharness.training_log.own_names import ENOUGH_ROWS, own_names
from evalharness.training_log.several_runs import chosen_run, rows_of_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from evalharness.records import LogPoint, Split
    from evalharness.training_log.columns import OwnNames
    from evalharness.training_log.open_log import OpenLog

FORM = "CSV"
PRIORITY = 50
DELIMITERS = ",;\t"


def recognises(head: Sequence[str]) -> bool:
    """Whether its first line names a step and a loss, or has only names and the others have numbers below them."""
    if not head:
        return False
    try:
        header, *rows = ([*next(csv.reader([line], delimiter=_delimiter(head[0])), [])] for line in head)
    except csv.Error:
        return False
    names = {plain_name(cell) for cell in header}
    if columns(names) is not None or (VALUE in names and not names.isdisjoint(STEPS)):
        return True
    same_length = len(header) > 1 and bool(rows) and all(len(row) == len(header) for row in rows[:-1] or rows)
    return same_length and not any(map(is_number, header)) and any(is_number(cell) for row in rows for cell in row)


def is_number(cell: str) -> bool:
    """Whether a cell holds a number, as the cells of a header don't."""
    return number(cell) is not None


def read(log: OpenLog) -> Iterator[LogPoint]:
    """Yield the losses; cells may be empty, and a last cell that may be cut off is left out."""
    table = _Table(log)
    note_unread(log, table.header)
    first = [row for _, row in itertools.islice(table.rows(), ENOUGH_ROWS)]
    plan = _plan(log, table.header, own_names(log, first), first)
    source = log.name
    for at, row in table.rows() if table.has_runs else rows_of_run(log, table.rows, first):
        if row_plan := plan(row):
            yield from points(row, row_plan, f"{source}:{at}")


def first_values(log: OpenLog) -> Mapping[str, Sequence[str]]:
    """The first values of each column, as they are written; none of an empty cell."""
    values: dict[str, list[str]] = {}
    for _, row in itertools.islice(_Table(log).rows(), ENOUGH_ROWS):
        for name, cell in row.items():
            values.setdefault(name, []).extend([cell] if cell else [])
    return values


class _Table:
    """A file's header and rows: of the one run that is read, where columns are of several."""

    def __init__(self, log: OpenLog) -> None:
        self.log = log
        self.commas = _has_decimal_commas(log)
        if self.commas:
            log.note(DECIMAL_COMMAS)
        self.above, self.first = next(((at, line) for at, line in enumerate(_whole(log), 1) if line.strip()), (1, ""))
        header = next(csv.reader([self.first], delimiter=_delimiter(self.first)), [])
        runs = runs_of(header)
        self.has_runs = bool(runs)
        self.kept: list[bool] | None = None
        if runs and (run := chosen_run(log, runs)) and len(runs) > 1:
            self.kept = [run_of(name) in {None, run} for name in header]
        self.header = header if self.kept is None else list(itertools.compress(header, self.kept))

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Each row with the number of its line. Raises :class:`LogError` where one is not CSV."""
        lines = itertools.islice(_whole(self.log), self.above, None)
        rows = csv.reader(lines, delimiter=_delimiter(self.first))
        above, header, kept, commas = self.above, self.header, self.kept, self.commas
        cells: Iterable[str]
        try:
            for cells in rows:
                if commas:
                    cells = with_decimal_points(cells)  # noqa: PLW2901 - the same cells, as others write them
                if kept is not None:
                    cells = itertools.compress(cells, kept)  # noqa: PLW2901 - those of the run
                yield above + rows.line_num, dict(zip(header, cells, strict=False))
        except csv.Error as error:
            raise LogError(f"{self.log.path}: line {self.above + rows.line_num}: not CSV: {error}") from error


def _has_decimal_commas(log: OpenLog) -> bool:
    """Whether the first rows have numbers with decimal commas; where commas part the cells, these are in quotes."""
    head = log.head()
    rows = list(csv.reader(head, delimiter=_delimiter(head[0]))) if head else []
    return have_decimal_commas(cell for row in rows[1:] for cell in row)


def _plan(
    log: OpenLog, header: Sequence[str], own: OwnNames, first: Sequence[Mapping[str, str]]
) -> Callable[[Mapping[str, str]], Columns | None]:
    """What the columns of a row hold: in a long table that differs from row to row."""
    names = {plain_name(name): name for name in header}
    metric = next((names[name] for name in METRICS if name in names), None) or _metric_by_its_cells(header, first)
    wide = columns(header, own)
    if metric is None or VALUE not in names:
        whole = wide or _long(names, split_of_file(log), own)
        if whole:
            log.understand(whole, own)
        return lambda _row: whole

    @cache
    def of_metric(name: str) -> Columns | None:
        return _long(names, split_of(name), own)

    return lambda row: of_metric(row.get(metric, ""))


def _metric_by_its_cells(header: Sequence[str], first: Sequence[Mapping[str, str]]) -> str | None:
    """The column that names losses in its cells, as in Comet's exports, whatever it is called."""
    return next((name for name in header if any(split_of(row.get(name, "")) for row in first)), None)


def _long(names: Mapping[str, str], split: Split | None, own: OwnNames) -> Columns | None:
    """The columns of a row that has one value; None where that is no loss."""
    step, epoch, time = (next((names[n] for n in known if n in names), None) for known in (STEPS, EPOCHS, TIMES))
    step = own.step or step
    if split is None or step is None or VALUE not in names:
        return None
    return Columns(step, epoch, time, None, ((split, (names[VALUE],)),))


def split_of_file(log: OpenLog) -> Split | None:
    """The split whose loss a file is named after, with its folder's name or without: ``train/loss``, ``val_loss``.

    TensorBoard's exports are named ``run-NAME-tag-train_loss.csv``.
    """
    name = log.path.name.removesuffix(log.path.suffix).rsplit("tag-", 1)[-1]
    return split_of(f"{log.path.parent.name}_{name}") or split_of(name)


def _whole(log: OpenLog) -> Iterator[str]:
    for line in log.lines():
        if line[-1:] != "\n":
            # A cell that is followed by another is whole; of the last nobody knows.
            log.note(TORN)
            line = line[: max(map(line.rfind, DELIMITERS)) + 1]  # noqa: PLW2901 - without its last cell
        yield line


def _delimiter(header: str) -> str:
    return max(DELIMITERS, key=header.count)
