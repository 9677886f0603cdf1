"""Whether training and validation loss diverge, in the log and as recomputed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.diagnosis.losses.frequencies import Frequencies
from evalharness.diagnosis.losses.row_means import FEWEST_ROWS, counted_nll, figures, mean, shown
from evalharness.diagnosis.losses.rows_by_place import known_part
from evalharness.diagnosis.probe import Probe
from evalharness.records import Finding, Interval, NotTestable, RuledOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.losses.rows_by_place import KnownPart
    from evalharness.diagnosis.measured import Measured
    from evalharness.records import LossPoint, Outcome

NAME = "overfit"
GAP_NATS = 0.1
"""A gap below a tenth of a nat (10 % of perplexity) is no more than what two samples of one corpus differ by."""
GAP_SHARE = 0.2
"""And it has to be a fifth of the validation loss: one of 4 nats may be 0.1 above training and be well."""
OF_THE_GAP = 0.5
"""Where frequencies make at least half of the difference, the rows are of two kinds: memory makes none in them."""
RISE_SHARE = 0.05
"""The log's validation loss has risen when it ends 5 % above its lowest: noise between evaluations is below that."""


@dataclass(frozen=True, slots=True)
class _Risen:
    lowest_nats: float
    lowest_step: int
    last_nats: float
    last_step: int


def overfit(measured: Measured) -> Outcome:
    """Compare the recomputed losses of training and validation rows, and the logged ones. Either alone is enough."""
    subject = measured.subject
    gap = _gap(measured)
    points = sorted((p for p in subject.log if p.split == "validation"), key=lambda p: p.step)
    if gap is None and len(points) < 2:
        return NotTestable(
            NAME,
            "too_few",
            f"needs {FEWEST_ROWS} rows with targets of training and of validation each, or two logged validation "
            "losses",
        )
    evidence: dict[str, float] = {}
    compared = []
    if gap is not None:
        train, validation, apart = gap
        evidence |= figures("train", train) | figures("validation", validation) | figures("gap", apart)
        compared.append(
            f"recomputed, {len(measured.train_losses)} training rows have {shown(train)} nats and "
            f"{len(measured.validation_losses)} validation rows {shown(validation)}, "
            f"{shown(apart)} apart"
        )
    risen = _risen(points, subject.log)
    if risen is not None:
        evidence |= {"lowest_logged_nats": risen.lowest_nats, "lowest_logged_step": float(risen.lowest_step)}
        evidence |= {"last_logged_nats": risen.last_nats, "last_logged_step": float(risen.last_step)}
        compared.append(
            f"the logged validation loss rose from {risen.lowest_nats:.4g} nats at step {risen.lowest_step} "
            f"to {risen.last_nats:.4g} at step {risen.last_step}"
        )
    elif len(points) >= 2:
        evidence |= {"last_logged_nats": points[-1].loss_nats, "last_logged_step": float(points[-1].step)}
        compared.append(
            f"the logged validation loss ends at {points[-1].loss_nats:.4g} nats, where it is lowest or nearly"
        )
    part = known_part(measured)
    if part is not None:
        return _of_one_part(part, evidence)
    wide = gap is not None and gap[2].low > max(GAP_NATS, GAP_SHARE * gap[1].estimate)
    if wide and gap is not None and risen is None:
        kinds = evidence["frequencies_apart_nats"] = _kinds_apart(measured)
        if kinds >= OF_THE_GAP * gap[2].estimate:
            return RuledOut(NAME, _OTHER_KIND.format(compared="; ".join(compared), kinds=kinds), evidence)
    if not wide and risen is None:
        claim = f"Training and validation loss do not diverge as in overfitting: {'; '.join(compared)}."
        return RuledOut(NAME, claim, evidence)
    remedy = "Take the checkpoint with the lowest validation loss, and more data, fewer passes over it or more dropout."
    return Finding(
        NAME, "contributing", f"Training and validation loss diverge: {'; '.join(compared)}.", evidence, remedy
    )


_OTHER_KIND = (
    "Validation rows are of another kind than training rows: {compared}. By which token follows which in other "
    "training rows they are {kinds:.3f} nats apart, so that this is no overfitting."
)


def _of_one_part(part: KnownPart, evidence: dict[str, float]) -> Finding:
    """The model knows a part of the file, which is no overfitting to all of it."""
    logged = part.logged_train_nats
    claim = (
        f"The model knows one part of the training rows and not the others: about rows {part.first:,} to "
        f"{part.last:,} of {part.rows:,} have {shown(part.known)} nats, the rest {shown(part.others)} "
        f"(p = {part.p_value:.2g} by shuffled rows)"
    )
    claim += ". " if logged is None else f", and {logged:.4g} was logged in training. "
    if part.place == "first":
        claim += "Nothing behind them was trained on, or not for long."
    else:
        claim += "They were seen late: rows were taken in the order of the file, and what stood before is forgotten."
    more = figures("known", part.known) | figures("others", part.others)
    more |= {
        "known_from_row": part.first,
        "known_to_row": part.last,
        "training_rows": part.rows,
        "p_value": part.p_value,
    }
    more |= {} if logged is None else {"logged_train_nats": logged}
    remedy = _GO_ON if part.place == "first" else _SHUFFLE
    return Finding(NAME, "contributing", claim, evidence | more, remedy)


_GO_ON = (
    "See which rows the loop gets: an iterator that is made anew for each step gives the first batch again, a resumed "
    "run may begin at the first row each time. Let it go on through the whole file, shuffled."
)
_SHUFFLE = "Shuffle the rows over the whole file, not within a shard or a small buffer, and train again."


def _gap(measured: Measured) -> tuple[Interval, Interval, Interval] | None:
    """Loss on training rows, on validation rows, and the difference; None without both."""
    subject = measured.subject
    if subject.train is None or subject.validation is None:
        return None
    train, validation = measured.train_losses, measured.validation_losses
    if min(len(train), len(validation)) < FEWEST_ROWS:
        return None
    of_train = mean(map(counted_nll, train), subject.seed)
    of_validation = mean(map(counted_nll, validation), subject.seed)
    return of_train, of_validation, _difference(of_validation, of_train)


def _kinds_apart(measured: Measured) -> float:
    """How much harder (nats) validation rows are than training rows by the frequencies of other training rows."""
    subject, own = measured.subject, measured.train_losses
    if subject.train is None:
        return 0.0
    places = {losses.row.row for losses in own}
    others = [row for row in measured.rows(subject.train) if row.row not in places]
    if len(others) < len(own):
        others, own = [losses.row for losses in own[::2]], own[1::2]
    frequencies = Frequencies(others, subject.torch_model.vocabulary_rows)
    train, validation = (
        mean([frequencies.bigram_losses(losses.row) for losses in rows], subject.seed).estimate
        for rows in (own, measured.validation_losses)
    )
    return validation - train


def _difference(one: Interval, other: Interval) -> Interval:
    """The interval of the difference of two independent estimates (Zou and Donner 2008, MOVER)."""
    apart = one.estimate - other.estimate
    below = math.hypot(one.estimate - one.low, other.high - other.estimate)
    above = math.hypot(one.high - one.estimate, other.estimate - other.low)
    return Interval(apart, apart - below, apart + above)


def _risen(points: Sequence[LossPoint], log: Sequence[LossPoint]) -> _Risen | None:
    """Whether validation rose after its lowest while training went on falling, where training is in the log."""
    if len(points) < 2:
        return None
    lowest, last = min(points, key=lambda p: p.loss_nats), points[-1]
    if last.loss_nats <= (1 + RISE_SHARE) * lowest.loss_nats:
        return None
    train = sorted((p for p in log if p.split == "train"), key=lambda p: p.step)
    until = [p.loss_nats for p in train if p.step <= lowest.step]
    if until and train[-1].loss_nats >= until[-1]:
        return None
    return _Risen(lowest.loss_nats, lowest.step, last.loss_nats, last.step)


PROBE = Probe(
    name=NAME,
    question="Do training and validation loss diverge?",
    run=overfit,
    order=210,
    not_worth_trying="Fewer epochs, or more regularisation, against overfitting",
    at_most="contributing",
    forward_passes=128,
    skipped_if_leak=True,
)
