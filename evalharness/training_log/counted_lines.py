"""Lines of a loop of one's own, told by their structure: a whole number that grows, and figures with a name.

``it 100 | nll 5.90 | val nll 5.92``; ``s:250 tel:6.1`` (llm.c); ``250 val 6.1000`` (build-nanogpt). It is tried if no
line speaks of a loss, and every name that it took for one is told.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from evalharness.records import LossPoint
from evalharness.training_log.open_log import TORN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.records import LogPoint, Split
    from evalharness.training_log.open_log import OpenLog

FORM = "lines with a counter"
PRIORITY = 92
FIGURE = re.compile(r"([a-z][\w/. -]*?)?\s*[:=]?\s*(?<![\w.])([-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)(?![\w.])")
"""A name, if there is one, and a number."""
COUNTERS = frozenset(
    {"", "s", "i", "it", "n", "step", "steps", "iter", "iters", "iteration", "batch", "update", "updates"}
)
"""What a counter is called; the first number of a line may have no name."""
LOSSES = frozenset(
    {"loss", "nll", "ce", "xent", "trl", "tel", "trn", "train", "training", "val", "valid", "validation"}
)
"""Words that a figure of a loss has in its name; a split alone is one, if its figure is no whole number."""
SPLITS: dict[str, Split] = {
    **dict.fromkeys(("val", "valid", "validation", "eval", "dev", "test", "tel", "held"), "validation"),
    **dict.fromkeys(("train", "training", "trn", "trl"), "train"),
}
FEWEST = 2
"""Lines with a counter, and values of it, that make a log: one line with numbers is none."""


def recognises(head: Sequence[str]) -> bool:
    """Whether some of its lines have a counter that does not fall, and figures of a loss."""
    steps = [step for line in head if (step := _step(line.lower())) is not None and any(_losses(line.lower()))]
    return len(steps) >= FEWEST and steps == sorted(steps) and len(set(steps)) >= FEWEST


def read(log: OpenLog) -> Iterator[LogPoint]:
    """Yield the losses of every line that has a counter; a last number that may be cut off is left out."""
    understood: dict[Split, dict[str, str]] = defaultdict(dict)
    for at, line in enumerate(log.lines(), 1):
        whole = line.lower()
        if not whole.endswith("\n"):
            log.notes.append(TORN)
            whole = whole[: max(whole.rfind(" "), 0)]
        step = _step(whole)
        if step is None:
            continue
        for name, split, value in _losses(whole):
            understood[split].setdefault(name, value)
            yield LossPoint(step, split, float(value), f"{log.name}:{at}")
    for split, names in understood.items():
        shown = ", ".join(f"{name} ({value})" for name, value in names.items())
        log.notes.append(f"taken for the {'training' if split == 'train' else 'validation'} loss: {shown}")


def _step(line: str) -> int | None:
    """The counter: the first number of the line, if it is whole and has a counter's name or none."""
    found = FIGURE.search(line)
    if found is None or not found[2].isdigit():
        return None
    name = (found[1] or "").strip()
    return int(found[2]) if name in COUNTERS and not line[: found.start()].strip(" |[(") else None


def _losses(line: str) -> Iterator[tuple[str, Split, str]]:
    """Name, split and value of each figure that is a loss by its name."""
    for found in FIGURE.finditer(line):
        words = re.findall(r"[a-z]+", found[1] or "")
        is_whole = found[2].lstrip("+-").isdigit()
        if not is_whole and not LOSSES.isdisjoint(words):
            split: Split = next((SPLITS[word] for word in words if word in SPLITS), "train")
            yield " ".join(words), split, found[2]
