"""Whether training made the model worse at its own rows: a rate too high, gradients that exploded, labels gone wrong.

Training lowers the loss of the rows that it sees, or does nothing. Where these rows cost more than before it, and the
log tells of the same, training itself went wrong: that is neither overfitting, which lowers them, nor too little of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from evalharness.diagnosis.losses.row_means import counted_nll, figures, mean, shown, too_few
from evalharness.diagnosis.losses.schedule import schedule
from evalharness.diagnosis.probe import Probe
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.losses.token_losses import TokenLosses
    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Subject
    from evalharness.records import Interval, LossPoint, Outcome

NAME = "diverged"
RISEN_NATS = 0.1
"""A tenth of a nat (10 % of perplexity) is more than evaluations of one model differ by."""
LEVEL = 5
"""Training losses are those of single batches: the level at a step is the median of so many of them."""


@dataclass(frozen=True, slots=True)
class _Compared:
    """The loss of the same rows before this training and after it, and the difference (nats)."""

    rows: int
    before: Interval
    after: Interval
    risen: Interval

    @property
    def is_worse(self) -> bool:
        return self.risen.low > RISEN_NATS

    @property
    def words(self) -> str:
        return f"{shown(self.after)} nats, {shown(self.before)} before ({counted(self.rows, 'row')})"

    def figures(self, split: str) -> dict[str, float]:
        """As evidence."""
        named = {"before": self.before, "after": self.after, "risen": self.risen}
        return {key: v for name, value in named.items() for key, v in figures(f"{split}_{name}", value).items()}


@dataclass(frozen=True, slots=True)
class _Rise:
    """Where the logged validation loss was lowest, and where it is now: the training loss rose with it."""

    lowest: LossPoint
    last: LossPoint

    @property
    def words(self) -> str:
        return (
            f"the logged validation loss rose from {self.lowest.loss_nats:.4g} nats at step {self.lowest.step:,} to "
            f"{self.last.loss_nats:.4g} at step {self.last.step:,}"
        )


def diverged(measured: Measured) -> Outcome:
    """Compare the rows' losses with those of the model before this training, and the log with its lowest loss."""
    subject = measured.subject
    validation, train = (None, None) if subject.before is None else _against_before(measured)
    rise = _rise(subject)
    if validation is None and rise is None and len(_logged(subject, "validation")) < 2:
        reason = "the model before this training is not known, and the log has no two validation losses up to this step"
        return NotTestable(NAME, "no_base", reason)
    evidence = _evidence(validation, train, rise)
    if not _is_worse(validation, train) and rise is None:
        return _ruled_out(subject, validation, train, evidence)
    if _is_worse(validation, train) and _gives_less(measured):
        reason = f"this model, as it is built here, does not give the logged loss: {_words(validation, train)}"
        return NotTestable(NAME, "undecided", reason)
    return _finding(subject, _words(validation, train), rise, evidence)


def _against_before(measured: Measured) -> tuple[_Compared | None, _Compared | None]:
    """Validation rows against the model before; training rows only where the others cost more."""
    seed = measured.subject.seed
    validation = _compared(measured.losses_before, measured.validation_losses, seed)
    if validation is None or not validation.is_worse:
        return validation, None
    return validation, _compared(measured.train_losses_before, measured.train_losses, seed)


def _compared(before: TokenLosses, after: TokenLosses, seed: int) -> _Compared | None:
    """The rows that both models were run on; None where they are too few."""
    if too_few(before) or len(before) != len(after):
        return None
    old, new = [[counted_nll(row) for row in losses] for losses in (before, after)]
    risen = mean([now - then for now, then in zip(new, old, strict=True)], seed)
    return _Compared(len(new), mean(old, seed), mean(new, seed), risen)


def _is_worse(validation: _Compared | None, train: _Compared | None) -> bool:
    decisive = train or validation
    return decisive is not None and decisive.is_worse


def _gives_less(measured: Measured) -> bool:
    """Whether the log has a lower loss than this model, under every convention: then it was not training."""
    logged = measured.subject.logged
    if logged is None or measured.established.shown_by is not None:
        return False
    return logged.loss_nats < mean(map(counted_nll, measured.validation_losses), measured.subject.seed).low


def _rise(subject: Subject) -> _Rise | None:
    """Whether the logged validation loss is well above its lowest, and the training loss above what it was then."""
    validation, train = _logged(subject, "validation"), _logged(subject, "train")
    if len(validation) < 2:
        return None
    lowest, last = min(validation, key=lambda point: point.loss_nats), validation[-1]
    if not last.loss_nats - lowest.loss_nats > RISEN_NATS:
        return None
    then = [point.loss_nats for point in train if point.step <= lowest.step] or [p.loss_nats for p in train[:1]]
    since = [point.loss_nats for point in train if point.step > lowest.step]
    if not since or median(since[-LEVEL:]) - median(then[-LEVEL:]) <= RISEN_NATS:
        return None
    return _Rise(lowest, last)


def _logged(subject: Subject, split: str) -> Sequence[LossPoint]:
    """What was logged up to this checkpoint, in the order of steps."""
    points = sorted((point for point in subject.log if point.split == split), key=lambda point: point.step)
    return [point for point in points if subject.logged is None or point.step <= subject.logged.step]


def _words(validation: _Compared | None, train: _Compared | None) -> str:
    named = (("training rows cost", train), ("validation rows cost", validation))
    return "; ".join(f"{name} {compared.words}" for name, compared in named if compared is not None)


def _evidence(validation: _Compared | None, train: _Compared | None, rise: _Rise | None) -> dict[str, float]:
    evidence = {} if validation is None else validation.figures("validation")
    evidence |= {} if train is None else train.figures("train")
    if rise is not None:
        evidence |= {"lowest_logged_nats": rise.lowest.loss_nats, "lowest_logged_step": float(rise.lowest.step)}
        evidence |= {"last_logged_nats": rise.last.loss_nats, "last_logged_step": float(rise.last.step)}
    return evidence


def _ruled_out(
    subject: Subject, validation: _Compared | None, train: _Compared | None, evidence: dict[str, float]
) -> RuledOut:
    if validation is None:
        return RuledOut(NAME, "The logged losses did not rise together.", evidence)
    model = "without the adapter" if subject.without_adapter is not None else "at the first step"
    return RuledOut(NAME, f"Training did not make the model worse than {model}: {_words(validation, train)}.", evidence)


def _finding(subject: Subject, compared: str, rise: _Rise | None, evidence: dict[str, float]) -> Finding:
    said = "; ".join(part for part in (compared, rise.words if rise else "") if part)
    claim = f"Training made the model worse: {said}."
    rates = schedule(subject.learning_rates)
    remedy = "Lower the learning rate, warm it up and clip the gradient's norm; look at the rows and their labels."
    if rates is not None:
        claim += f" {rates.words}"
        evidence |= {"peak_rate": rates.peak.rate, "peak_rate_step": float(rates.peak.step)}
        remedy = (
            f"Train again with a learning rate a tenth of {rates.peak.rate:.3g} or less, warm it up and clip the "
            "gradient's norm; if that does not help, look at the rows and their labels."
        )
    if rise is not None and rise.lowest.step > 0:
        remedy += f" Until then use the checkpoint nearest to step {rise.lowest.step:,}."
    return Finding(NAME, "contributing", claim, evidence, remedy)


PROBE = Probe(
    name=NAME,
    question="Did training make the model worse than it was before?",
    run=diverged,
    order=75,
    not_worth_trying="Another learning rate against a training that diverged",
    at_most="contributing",
    forward_passes=128,
    skipped_if_leak=True,
)
