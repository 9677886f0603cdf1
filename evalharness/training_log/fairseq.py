"""fairseq's log: ``| INFO | train_inner | {"loss": "16.4", "num_updates": "100"}``, or ``| epoch 001 | loss 12.3 | …``.

Its losses are to base 2; they are converted. The means over an epoch count only where nothing else is logged.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic_core import from_json

from evalharness.training_log.columns import loss_point, number, seconds
from evalharness.training_log.known_lines import Figures, KnownLines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.records import LossPoint, Split
    from evalharness.training_log.known_lines import Place
    from evalharness.training_log.open_log import OpenLog

Kind = Literal["validation", "inner", "mean"]
"""What the loss of a line is of: a validation, some updates, or an epoch."""
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
    known = KnownLines()
    kinds: dict[str, Kind] = {}
    at = 1
    for block in log.blocks():
        for run in known.runs(block, at):
            if run.form is not None:
                kind, points = kinds[run.form.line], run.points(log.name, times=BITS)
            elif UPDATES not in run.line or not run.line.endswith("\n") or (said := _said(run.line)) is None:
                continue
            else:
                kind, points = said.kind, [said.point(f"{log.name}:{run.at}")]
                _understand(log, said)
                if (places := _places(run.line, said)) is not None:
                    kinds[run.line] = kind
                    known.add(run.line, places)
            inner = inner or kind == "inner"
            if kind == "mean":
                means += points
            else:
                yield from points
        at += block.count("\n")
    if not inner:
        yield from means


@dataclass(frozen=True, slots=True)
class _Said:
    """What a line says: the names of its step and of its loss, and their values as they are written."""

    row: Mapping[str, object]
    kind: Kind
    updates: str
    loss: str
    moment: str

    @property
    def split(self) -> Split:
        return "validation" if self.kind == "validation" else "train"

    def point(self, source: str) -> LossPoint:
        step, loss = number(self.row[self.updates]), number(self.row[self.loss])
        time_s = seconds(self.moment) if self.moment else None
        return loss_point(int(step or 0), self.split, (loss or 0) * BITS, source, number(self.row.get("epoch")), time_s)


def _said(line: str) -> _Said | None:
    row = _row(line)
    is_validation = "valid_loss" in row or "| valid" in line
    own = "valid_loss" if is_validation else "train_loss"
    loss = own if own in row else "loss"
    updates = next((name for name in ("valid_num_updates", "train_num_updates") if row.get(name)), UPDATES)
    if number(row.get(updates)) is None or number(row.get(loss)) is None:
        return None
    is_inner = "train_inner" in line or re.search(r"epoch \d+: ", line) is not None
    kind: Kind = "validation" if is_validation else "inner" if is_inner else "mean"
    return _Said(row, kind, updates, loss, line[:MOMENT] if line[:2] == "20" else "")


def _understand(log: OpenLog, said: _Said) -> None:
    if (said.split, said.loss) not in log.understood:
        log.note(BASE_2)
        log.understood["step", UPDATES] = log.understood[said.split, said.loss] = "name"


def _places(line: str, said: _Said) -> Figures | None:
    """Where the figures of a line stand; None if one of them stands there twice, or in another form."""
    epoch = "epoch" in said.row
    names = (said.updates, said.loss, *(["epoch"] if epoch else []))
    places = [_place(line, name, said.row[name]) for name in names]
    step, loss = places[:2]
    if None in places or step is None or loss is None:
        return None
    return Figures(
        step, [(said.split, loss)], epoch=places[2] if epoch else None, moment=(0, MOMENT) if said.moment else None
    )


def _place(line: str, name: str, value: object) -> Place | None:
    matches = [*re.finditer(rf'(?<!\w){name}"?(?:: |=| )"?([^\s,|"}}]+)', line)]
    return matches[0].span(1) if len(matches) == 1 and matches[0][1] == str(value) else None


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
