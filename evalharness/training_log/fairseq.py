"""fairseq's log: ``| INFO | train_inner | {"loss": "16.4", "num_updates": "100"}``, or ``| epoch 001 | loss 12.3 | …``.

Its losses are to base 2; they are converted. The means over an epoch count only where nothing else is logged.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from pydantic_core import from_json

from evalharness.training_log.columns import loss_point, number, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.records import LossPoint, Split
    from evalharness.training_log.open_log import OpenLog

FORM = "fairseq"
PRIORITY = 15
UPDATES = "num_updates"
MOMENT = len("2021-03-08 12:31:36")
BITS = math.log(2)
"""A bit in nats."""
FIGURE = re.compile(r"(\w+)(?:=| )([-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf))(?=[\s,|]|$)")
BASE_2 = "its losses are to base 2, as fairseq writes them: converted to nats"


def recognises(head: Sequence[str]) -> bool:
    """Whether a line with bars has a loss and the number of updates."""
    return any("|" in line and UPDATES in line and "loss" in line for line in head)


def read(log: OpenLog) -> Iterator[LossPoint]:
    """Yield the losses, in nats per token."""
    means: list[LossPoint] = []
    inner = False
    source = log.name
    for at, line in enumerate(log.lines(), 1):
        if UPDATES not in line or not line.endswith("\n"):
            continue
        row = _row(line)
        is_validation = "valid_loss" in row or "| valid" in line
        own = "valid_loss" if is_validation else "train_loss"
        name = own if own in row else "loss" if "loss" in row else None
        updates = row.get("valid_num_updates") or row.get("train_num_updates") or row.get(UPDATES)
        step, loss = number(updates), None if name is None else number(row[name])
        if step is None or loss is None or name is None:
            continue
        split: Split = "validation" if is_validation else "train"
        time = seconds(line[:MOMENT]) if line[:2] == "20" else None
        point = loss_point(int(step), split, loss * BITS, f"{source}:{at}", number(row.get("epoch")), time)
        if (split, name) not in log.understood:
            log.note(BASE_2)
            log.understood["step", UPDATES] = log.understood[split, name] = "name"
        if is_validation:
            yield point
        elif "train_inner" in line or re.search(r"epoch \d+: ", line):
            inner = True
            yield point
        else:
            means.append(point)
    if not inner:
        yield from means


def _row(line: str) -> Mapping[str, str]:
    """The figures of a line, written as JSON or behind their names."""
    if (brace := line.find("{")) >= 0:
        try:
            row = from_json(line[brace:])
        except ValueError:
            row = None
        if isinstance(row, dict):
            return row
    return {name: value for name, value in FIGURE.findall(line) if value}
