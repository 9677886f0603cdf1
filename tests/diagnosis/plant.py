"""Faults that were built in on purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evalharness.diagnosis.subject import Subject


@dataclass(frozen=True)
class Plant:
    """A fault that was built into a model on purpose, and the probe that has to name it first."""

    probe: str
    family: str
    make: Callable[[], Subject]
