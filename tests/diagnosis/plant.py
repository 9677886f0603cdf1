"""Faults that were built in on purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evalharness.diagnosis.subject import Subject


@dataclass(frozen=True)
class Plant:
    """A fault that was built into a model on purpose, and the probe that has to name it first.

    ``behind`` is the probe of the cause that this fault can't be without: that one is named first then, and this one
    next. ``lie`` is what its manifest says of the loss that is not so.
    """

    probe: str
    family: str
    make: Callable[[], Subject]
    behind: str | None = None
    lie: str = ""
