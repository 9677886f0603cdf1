"""The catalogue of what can be wrong, in the order in which it is asked, with what each probe needs and costs.

A probe takes a :class:`Subject` and returns what it established: findings, what it ruled out, or why it could not tell;
each with its figures. To add one: write its file, put it in this table, and plant its fault in
``tests/diagnosis/plants``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.diagnosis.contamination import contamination
from evalharness.diagnosis.context import context
from evalharness.diagnosis.no_end_token import no_end_token
from evalharness.diagnosis.prompt_format import prompt_format
from evalharness.diagnosis.self_reinforcement import self_reinforcement
from evalharness.diagnosis.token_boundary import token_boundary

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
    ``last``: it judges what the others left over, and finds their outcomes in its subject.
    """

    name: str
    question: str
    at_most: Severity
    needs: tuple[Need, ...]
    forwards: int
    run: Callable[[Subject], Outcome | tuple[Outcome, ...]]
    moot_with_leak: bool = False
    last: bool = False


CATALOGUE: tuple[Probe, ...] = (
    Probe(
        "no_end_token",
        "Was the end of a row ever a target?",
        "contributing",
        (),
        32,
        no_end_token,
    ),
    Probe(
        "prompt_format",
        "Are the prompts at scoring those of training?",
        "contributing",
        ("problems", "generate"),
        6 * 20 * 64,
        prompt_format,
    ),
    Probe(
        "token_boundary",
        "Does a token reach across the boundary of prompt and completion?",
        "contributing",
        (),
        2 * 20 * 64,
        token_boundary,
    ),
    Probe(
        "contamination",
        "Were the problems in the training data?",
        "contributing",
        ("problems", "train"),
        2 * 64,
        contamination,
    ),
    Probe(
        "context",
        "Do rows, prompts and completions fit what was trained?",
        "contributing",
        (),
        0,
        context,
    ),
    Probe(
        "self_reinforcement",
        "Does each copy make the next more likely, with nothing else to explain the loops?",
        "contributing",
        ("observed",),
        16 + 32,
        self_reinforcement,
        moot_with_leak=True,
        last=True,
    ),
)
