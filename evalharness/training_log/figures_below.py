"""The consoles of OLMo and Composer: a line with the step, and figures below it.

``[step=100/1000]`` and ``train/CrossEntropyLoss=3.21``; ``[batch=100/1000]:`` and ``Train loss/train/total: 3.21``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalharness.records import LossPoint
from evalharness.training_log.columns import number, seconds
from evalharness.training_log.figure_names import loss_name
from evalharness.training_log.lines import TIME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.records import Split
    from evalharness.training_log.open_log import OpenLog

FORM = "OLMo, Composer"
PRIORITY = 16
SPLITS: Mapping[str, Split] = {"train": "train", "eval": "validation"}
STEP = re.compile(r"^[^\[]*\[(?:step|batch)=(\d+)(?:/(\d+))?")
FIGURE = re.compile(r"(?:\S.*[\t\]] *)?\s*(?:(?:Train|Eval) )?([\w-]+/[^=:]+)(?:=|: )(\S+)\s*")
OBJECTIVE = "loss/train/total"
"""Composer's name of what is minimised; the cross entropy is a metric beside it, if the model has that."""


def recognises(head: Sequence[str]) -> bool:
    """Whether a step in brackets is there, and a figure of training or evaluation."""
    return any(STEP.search(line) for line in head) and any(FIGURE.fullmatch(line) for line in head)


def read(log: OpenLog) -> Iterator[LossPoint]:
    """Yield the losses. Of several sets that are evaluated none is *the* validation set: a note names them."""
    trained: dict[str, list[LossPoint]] = {}
    evaluated: dict[str, list[LossPoint]] = {}
    for name, point in _points(log):
        (evaluated if point.split == "validation" else trained).setdefault(name, []).append(point)
    if len(trained) > 1:
        trained.pop(OBJECTIVE, None)
    for name, points in trained.items():
        log.understood["step", "step"] = log.understood["train", name] = "name"
        yield from points
    named_set = log.keys.validation
    chosen = [name for name in evaluated if named_set in {None, name}]
    if len(chosen) == 1:
        log.understood["validation", chosen[0]] = "name" if named_set is None else "told"
        yield from evaluated[chosen[0]]
    elif evaluated:
        log.note(f"losses of several validation sets: {', '.join(evaluated)}; name one under [log] validation")


def _points(log: OpenLog) -> Iterator[tuple[str, LossPoint]]:
    """Every loss with its name."""
    step: int | None = None
    time: float | None = None
    for at, line in enumerate(log.lines(), 1):
        if match := STEP.search(line):
            step = int(match[1])
            moment = TIME.match(line.lower())
            time = seconds(moment[1].upper()) if moment else None
            continue
        figure = FIGURE.fullmatch(line) if "/" in line else None
        if figure is None or step is None or not line.endswith("\n"):
            continue
        name, loss = figure[1].strip(), number(figure[2])
        split = _split(name)
        if split is not None and loss is not None:
            yield name, LossPoint(step, split, loss, f"{log.name}:{at}", None, time)


def _split(name: str) -> Split | None:
    """The split of a cross entropy, by the words before it: ``eval/c4_en-validation/CrossEntropyLoss``."""
    if name == OBJECTIVE:
        return "train"
    *before, last = name.removeprefix("metrics/").split("/")
    loss = loss_name(last)
    if loss is None or loss.unit != "nats" or not loss.said:
        return None
    return SPLITS.get(before[0]) if before else None
