"""The catalogue of what can be wrong, in the order in which it is asked, with what each probe needs and costs.

A probe takes a :class:`Subject` and returns what it established: findings, what it ruled out, or why it could not tell;
each with its figures. To add one: write its file, put it in this table, plant its fault in two families of model
(``tests/diagnosis/plants.py``), and run ``benchmarks/matrix.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.diagnosis.probes.adapter import adapter
from evalharness.diagnosis.probes.batch_invariance import batch_invariance
from evalharness.diagnosis.probes.cache_mismatch import cache_mismatch
from evalharness.diagnosis.probes.contamination import contamination
from evalharness.diagnosis.probes.context import context
from evalharness.diagnosis.probes.easy_tokens import easy_tokens
from evalharness.diagnosis.probes.future_leak import future_leak_of
from evalharness.diagnosis.probes.label_shift import label_shift
from evalharness.diagnosis.probes.last_position import last_position
from evalharness.diagnosis.probes.loss_mismatch import loss_mismatch
from evalharness.diagnosis.probes.no_end_token import no_end_token
from evalharness.diagnosis.probes.not_finite import not_finite
from evalharness.diagnosis.probes.overfit import overfit
from evalharness.diagnosis.probes.padding_in_loss import padding_in_loss
from evalharness.diagnosis.probes.prompt_format import prompt_format
from evalharness.diagnosis.probes.prompt_in_loss import prompt_in_loss
from evalharness.diagnosis.probes.self_reinforcement import self_reinforcement
from evalharness.diagnosis.probes.smoothing_floor import smoothing_floor
from evalharness.diagnosis.probes.stochastic_forward import stochastic_forward
from evalharness.diagnosis.probes.token_boundary import token_boundary
from evalharness.diagnosis.probes.undertrained import undertrained
from evalharness.diagnosis.probes.vocabulary import vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalharness.diagnosis.subject import Need, Subject
    from evalharness.records import Outcome, Severity


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
    Probe("future_leak", "Does a position see the tokens after it?", "cause", (), 160, future_leak_of),
    Probe(
        "last_position",
        "Does a model with a leak write what the training rows end in?",
        "contributing",
        ("train",),
        512,
        last_position,
    ),
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
    Probe(
        "contamination",
        "Were the problems in the training data?",
        "contributing",
        ("problems", "train"),
        2 * 64,
        contamination,
    ),
    Probe("easy_tokens", "Did the loss fall on formatting?", "contributing", (), 128, easy_tokens, moot_with_leak=True),
    Probe(
        "context",
        "Do rows, prompts and completions fit what was trained?",
        "contributing",
        (),
        0,
        context,
    ),
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
