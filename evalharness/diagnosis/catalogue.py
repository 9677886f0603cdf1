"""The catalogue of what can be wrong, in the order in which it is asked, with what each probe needs and costs.

A probe takes a :class:`Subject` and returns what it established: findings, what it ruled out, or why it could not tell;
each with its figures. To add one: write its file, put it in this table, and plant its fault in
``tests/diagnosis/plants``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalharness.diagnosis.subject import Need, Subject
    from evalharness.records import Finding, NotTestable, RuledOut, Severity

    Outcome = Finding | RuledOut | NotTestable


@dataclass(frozen=True, slots=True)
class Probe:
    """One row of the catalogue.

    ``question`` is what is asked, ``at_most`` the highest severity that the answer may have, ``needs`` what has to be
    there, ``forwards`` about how many forward passes of one row it costs at most. ``moot_with_leak``: where positions
    see the future, its answer would be about the leak and about nothing else.
    """

    name: str
    question: str
    at_most: Severity
    needs: tuple[Need, ...]
    forwards: int
    run: Callable[[Subject], Outcome | tuple[Outcome, ...]]
    moot_with_leak: bool = False


CATALOGUE: tuple[Probe, ...] = ()
