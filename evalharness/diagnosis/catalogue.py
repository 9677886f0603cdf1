"""The catalogue of what can be wrong, in the order in which it is asked, with what each probe needs and costs.

A probe takes a :class:`Subject` and returns what it established: findings, what it ruled out, or why it could not tell;
each with its figures. To add one: write its file, put it in this table, and plant its fault in
``tests/diagnosis/plants``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.diagnosis.easy_tokens import easy_tokens
from evalharness.diagnosis.label_shift import label_shift
from evalharness.diagnosis.loss_mismatch import loss_mismatch
from evalharness.diagnosis.overfit import overfit
from evalharness.diagnosis.padding_in_loss import padding_in_loss
from evalharness.diagnosis.prompt_in_loss import prompt_in_loss
from evalharness.diagnosis.smoothing_floor import smoothing_floor
from evalharness.diagnosis.undertrained import undertrained

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
    Probe(
        "label_shift",
        "Is each position compared with the next token?",
        "cause",
        (),
        72,
        label_shift,
        moot_with_leak=True,
    ),
    Probe(
        "smoothing_floor",
        "Does the log sit on the floor of label smoothing?",
        "contributing",
        ("log",),
        64,
        smoothing_floor,
    ),
    Probe(
        "padding_in_loss", "Is most of what is counted padding?", "cause", (), 350, padding_in_loss, moot_with_leak=True
    ),
    Probe(
        "prompt_in_loss",
        "Does the log count the prompt?",
        "note",
        ("logged",),
        350,
        prompt_in_loss,
        moot_with_leak=True,
    ),
    Probe("loss_mismatch", "Is the logged loss this checkpoint's?", "contributing", ("logged",), 350, loss_mismatch),
    Probe("easy_tokens", "Did the loss fall on formatting?", "contributing", (), 128, easy_tokens, moot_with_leak=True),
    Probe(
        "undertrained",
        "Does the model know more than frequencies?",
        "contributing",
        (),
        64,
        undertrained,
        moot_with_leak=True,
    ),
    Probe("overfit", "Do training and validation part?", "contributing", (), 128, overfit, moot_with_leak=True),
)
