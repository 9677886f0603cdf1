"""What was found wrong with each completion, read back whole: what a report of the checkpoint is made from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from evalharness.degeneration import Degeneration
from evalharness.degeneration.loop_criteria import Loop
from evalharness.degeneration.measures import Measures, Predictions
from evalharness.degeneration.ratios import Ratios
from evalharness.degeneration.validity import Validity
from evalharness.runs.record_rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evalharness.runs.paths import Group

_BESIDE = ("task_id", "completion_id")
"""What a row has beside the fields of the record."""


def read_degenerations(folder: Path, group: Group) -> list[Degeneration]:
    """The records, in the order of the completions. Raises :class:`StoreError` for a row that is broken, or too old."""
    return read_rows(folder / group.analyses, degeneration_from)


def degeneration_from(row: Mapping[str, Any]) -> Degeneration:
    """Read one row. Raises KeyError or TypeError if it lacks something."""
    fields = {name: value for name, value in row.items() if name not in _BESIDE}
    loop, tokens = row["loop"], row["loop_tokens"]
    return Degeneration(
        **{
            **fields,
            "loop": None if loop is None else Loop(**loop),
            "loop_tokens": None if tokens is None else tuple(tokens),
            "validity": Validity(**row["validity"]),
            "measures": _measures(row["measures"]),
        }
    )


def _measures(row: Mapping[str, Any]) -> Measures:
    ratios, predictions = row["ratios"], row["predictions"]
    lists = {name: tuple(ratios[name]) for name in ("seq_rep", "top_ngram_characters")}
    return Measures(
        **{
            **row,
            "seq_rep": tuple(row["seq_rep"]),
            "ratios": Ratios(**{**ratios, **lists}),
            "predictions": None if predictions is None else _predictions(predictions),
        }
    )


def _predictions(row: Mapping[str, Any]) -> Predictions:
    """Null stands for NaN where there is always a number."""
    known = {name: math.nan if row[name] is None else row[name] for name in ("mean_nats", "min_nats")}
    return Predictions(**{**row, **known})
