"""Lines as a training loop prints them: ``Step   50/20000 | Loss: 0.4205 | …`` and ``[EVAL] Step 2000 | Val Loss: 0.2224``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evalharness.records import LossPoint

NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf|-inf)"
STEP = re.compile(r"\bstep\s*[:=]?\s*(\d+)", re.IGNORECASE)
VALIDATION = re.compile(rf"\b(?:val|valid|validation|eval)[ _]loss\s*[:=]\s*{NUMBER}", re.IGNORECASE)
TRAINING = re.compile(rf"\b(?:train[ _])?loss\s*[:=]\s*{NUMBER}", re.IGNORECASE)


def read(text: str, source: str) -> Iterator[LossPoint]:
    """Yield the losses; a line without a step has that of the line before."""
    step = 0
    for number, line in enumerate(text.splitlines(), 1):
        if found := STEP.search(line):
            step = int(found[1])
        if found := VALIDATION.search(line):
            yield LossPoint(step, "validation", float(found[1]), f"{source}:{number}")
        elif found := TRAINING.search(line):
            yield LossPoint(step, "train", float(found[1]), f"{source}:{number}")
