"""OLMo's console: a line ``[step=100/1000]``, and below it figures such as ``train/CrossEntropyLoss=3.21``."""

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

FORM = "OLMo"
PRIORITY = 16
SPLITS: Mapping[str, Split] = {"train": "train", "eval": "validation"}
STEP = re.compile(r"\[step=(\d+)(?:/(\d+))?")
FIGURE = re.compile(r"\s*(\w+/[^=]+)=(\S+)\s*")


def recognises(head: Sequence[str]) -> bool:
    """Whether a step in brackets is there, and a figure of training or evaluation."""
    return any(STEP.search(line) for line in head) and any(FIGURE.fullmatch(line) for line in head)


def read(log: OpenLog) -> Iterator[LossPoint]:
    """Yield the losses. Of several sets that are evaluated none is *the* validation set: a note names them."""
    step: int | None = None
    time: float | None = None
    evaluated: dict[str, list[LossPoint]] = {}
    named_set = log.keys.validation
    for at, line in enumerate(log.lines(), 1):
        if match := STEP.search(line):
            step = int(match[1])
            moment = TIME.match(line.lower())
            time = seconds(moment[1].upper()) if moment else None
            continue
        figure = FIGURE.fullmatch(line) if "=" in line else None
        if figure is None or step is None or not line.endswith("\n"):
            continue
        name, loss = figure[1].strip(), number(figure[2])
        split = _split(name)
        if split is None or loss is None:
            continue
        point = LossPoint(step, split, loss, f"{log.name}:{at}", None, time)
        if split == "validation":
            evaluated.setdefault(name, []).append(point)
        else:
            log.understood["step", "step"] = log.understood[split, name] = "name"
            yield point
    chosen = [name for name in evaluated if named_set in {None, name}]
    if len(chosen) == 1:
        log.understood["validation", chosen[0]] = "name" if named_set is None else "told"
        yield from evaluated[chosen[0]]
    elif evaluated:
        log.note(f"losses of several validation sets: {', '.join(evaluated)}; name one under [log] validation")


def _split(name: str) -> Split | None:
    """The split of a cross entropy, by the words before it: ``eval/c4_en-validation/CrossEntropyLoss``."""
    first, last = name.split("/", maxsplit=1)[0], name.rsplit("/", maxsplit=1)[-1]
    loss = loss_name(last)
    if loss is None or loss.unit != "nats" or not loss.said:
        return None
    return SPLITS.get(first)
