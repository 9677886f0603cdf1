"""Whether a model knows the text of its rows better with prompt and completion encoded apart, or as one text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.diagnosis.data.rows import measured_rows
from evalharness.diagnosis.losses.arrangement import encoded_whole
from evalharness.diagnosis.losses.row_means import FEWEST_ROWS, capped
from evalharness.statistics import mean_over_rows

if TYPE_CHECKING:
    from evalharness.diagnosis.losses.parallel_passes import ParallelPasses
    from evalharness.diagnosis.subject import Subject
    from evalharness.records import Interval

COMPARED = 32
"""Rows whose text is scored both ways."""


def apart_more_nats(subject: Subject, passes: ParallelPasses) -> Interval | None:
    """How much less probable the text of a row is encoded apart than whole; None where it can't be told.

    Over rows in which the two differ; of all ids of a row, for the text is the same. Below 0: trained apart.
    """
    split = subject.validation or subject.train
    if split is None or "full_logits" not in subject.model.capabilities:
        return None
    rows = measured_rows(split.encoded)
    pairs = [(row, encoded_whole(subject, split, row)) for row in rows if not row.was_cut]
    pairs = [(apart, whole) for apart, whole in pairs if apart.ids != whole.ids and not whole.was_cut][:COMPARED]
    if len(pairs) < FEWEST_ROWS:
        return None
    sums = [
        [capped(losses.nll_nats).sum() for losses in passes.losses(rows_of_one)]
        for rows_of_one in zip(*pairs, strict=True)
    ]
    return mean_over_rows({i: [float(a - w)] for i, (a, w) in enumerate(zip(*sums, strict=True))}, seed=subject.seed)
