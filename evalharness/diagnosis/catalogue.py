"""The catalogue of what can be wrong, in the order in which it is asked, with what each probe needs and costs.

A probe takes a :class:`Subject` and returns what it established: findings, what it ruled out, or why it could not tell;
each with its figures. To add one: write its file, put it in this table, and plant its fault in
``tests/diagnosis/plants``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.diagnosis.adapter import adapter
from evalharness.diagnosis.batch_invariance import batch_invariance
from evalharness.diagnosis.cache_mismatch import cache_mismatch
from evalharness.diagnosis.future_leak import future_leak_of
from evalharness.diagnosis.last_position import last_position
from evalharness.diagnosis.not_finite import not_finite
from evalharness.diagnosis.stochastic_forward import stochastic_forward
from evalharness.diagnosis.vocabulary import vocabulary

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


CATALOGUE: tuple[Probe, ...] = (
    Probe("future_leak", "Does a position see the tokens after it?", "cause", (), 160, future_leak_of),
    Probe(
        "last_position",
        "Does a model with a leak write what the training rows end in?",
        "contributing",
        ("train",),
        512,
        last_position,
    ),
    Probe("adapter", "Is the adapter in the model, whole and once?", "cause", ("adapter",), 48, adapter),
    Probe("stochastic_forward", "Does the model give the same logits twice?", "cause", (), 36, stochastic_forward),
    Probe(
        "batch_invariance",
        "Does a row keep its logits beside others and before padding?",
        "cause",
        (),
        24,
        batch_invariance,
    ),
    Probe(
        "cache_mismatch",
        "Does the model compute with a cache what it computes without?",
        "cause",
        (),
        102,
        cache_mismatch,
        moot_with_leak=True,
    ),
    Probe("vocabulary", "Do tokenizer and model speak of the same ids?", "cause", (), 18, vocabulary),
    Probe("not_finite", "Are all logits finite?", "cause", (), 32, not_finite),
)
