"""Lines of a loop of one's own, told by their structure: a whole number that grows, and figures with a name.

``it 100 | nll 5.90 | val nll 5.92``; ``s:250 tel:6.1`` (llm.c); ``250 val 6.1000`` (build-nanogpt); ``Step 50/ 1000;
ppl: 9.1; xent: 2.21`` (OpenNMT). It is tried if no line speaks of both a step and a loss.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from evalharness.records import LossPoint
from evalharness.training_log.columns import columns, number, points
from evalharness.training_log.figure_names import loss_name
from evalharness.training_log.line_figures import ALL_OF, LineFigures, figures
from evalharness.training_log.open_log import TORN
from evalharness.training_log.own_names import ENOUGH_ROWS, RowPlans
from evalharness.training_log.printed_lines import printed_lines, with_points
from evalharness.training_log.step_counting import StepCounter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.records import LogPoint
    from evalharness.training_log.columns import Columns
    from evalharness.training_log.open_log import OpenLog

FORM = "lines with a counter"
PRIORITY = 92


def recognises(head: Sequence[str]) -> bool:
    """Whether some line has a figure with the name of a loss."""
    return any(loss_name(name) for line in with_points(head) for name in figures(line))


def read(log: OpenLog) -> Iterator[LogPoint]:
    """Yield the losses of every line that has a counter, and validations below such a line.

    Training losses below it count if no line has both. A last number that may be cut off is left out.
    """
    sample = [row for _, row in itertools.islice(_rows(log), ENOUGH_ROWS)]
    plans = RowPlans(log, [row for row in sample if row])
    known = columns(dict.fromkeys(name for row in sample for name in row), plans.own)
    if known is None:
        return
    counter = StepCounter(log)
    apart = not any(known.step in row and _has_training_loss(row, known) for row in sample)
    step: int | None = None
    source, all_of, sought = log.name, ALL_OF.format(known.step), (known.step,)
    for at, row in _rows(log):
        if not row:
            continue
        counted = number(row.get(known.step))
        plan = plans.of(row, () if known.step in row else sought)
        epoch = number(row.get(known.epoch)) if known.epoch else None
        counter.begin(epoch)
        if counted is not None:
            total = number(row.get(all_of))
            step = counter.on(int(counted), int(total) if total else None, epoch)
        if plan is not None and step is not None:
            of_line = points(row if counted == step else {**row, known.step: step}, plan, f"{source}:{at}")
            yield from of_line if apart or counted is not None else filter(_is_validation, of_line)


def _has_training_loss(row: Mapping[str, str], known: Columns) -> bool:
    return any(key in row for split, keys in known.losses if split == "train" for key in keys)


def _is_validation(point: LogPoint) -> bool:
    return isinstance(point, LossPoint) and point.split == "validation"


def _rows(log: OpenLog) -> Iterator[tuple[int, dict[str, str]]]:
    known = LineFigures()
    for at, line in printed_lines(log):
        whole = line
        if not line.endswith("\n"):
            log.note(TORN)
            whole = line[: max(line.rfind(" "), 0)]
        yield at, known.of(whole)
