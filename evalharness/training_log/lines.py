"""Lines as a loop prints them: ``Step   50/20000 | Loss: 0.4205 | …``, ``[EVAL] Step 2000 | Val Loss: 0.2224``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalharness.records import LossPoint

if TYPE_CHECKING:
    from collections.abc import Iterator

STEP = re.compile(r"\b(?:step|iter|iteration)\s*[:=]?\s*(\d+)", re.IGNORECASE)
# A loss that is called the best so far is one that was logged before.
LOSS = re.compile(
    r"\b(best[ _])?(?:(train|training|val|valid|validation|eval)[ _])?loss\s*[:=]?\s*"
    r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?inf|nan)\b",
    re.IGNORECASE,
)


def read(text: str, source: str) -> Iterator[LossPoint]:
    """Yield the losses; a line without a step has that of the line before."""
    step = 0
    for number, line in enumerate(text.split("\n"), 1):
        if found := STEP.search(line):
            step = int(found[1])
        for found in LOSS.finditer(line):
            best, split, loss = found.groups()
            if best is None:
                training = split is None or split.lower().startswith("train")
                yield LossPoint(step, "train" if training else "validation", float(loss), f"{source}:{number}")
