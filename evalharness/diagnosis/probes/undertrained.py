"""Whether the model knows more than frequencies."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from evalharness.diagnosis.losses.frequencies import AT_RANDOM, fair_frequencies
from evalharness.diagnosis.losses.row_means import counted_nll, figures, mean, shown, too_few
from evalharness.diagnosis.losses.rows_by_place import known_part
from evalharness.diagnosis.losses.schedule import schedule
from evalharness.diagnosis.probe import LOGITS, Probe
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.losses.row_means import Floats
    from evalharness.diagnosis.losses.token_losses import TokenLosses
    from evalharness.diagnosis.measured import Measured
    from evalharness.records import Interval, Outcome

NAME = "undertrained"
MORE_NATS = 0.1
"""How much better than a bigram a model has to be to know more: a tenth of a nat is 10 % of perplexity, and less than
what two sound ways of smoothing one bigram differ by (Chen and Goodman 1998, section 5)."""
WIDELY_DRAWN_NATS = 0.5
"""How far above the logarithm of the vocabulary weights may be that were drawn and never trained."""


def undertrained(measured: Measured) -> Outcome:
    """Compare the loss with that of a unigram and an interpolated bigram, fitted on other rows than it is scored on.

    The loss is that of the parallel pass, which in a causal model is the honest one. A model that knows more than the
    frequencies of its training rows did train: that it knows no others is overfitting, and a note here. Costs nothing
    beyond the losses.
    """
    subject = measured.subject
    frequencies, scored = fair_frequencies(measured)
    losses = measured.validation_losses[scored]
    if reason := too_few(losses):
        return NotTestable(NAME, "too_few", reason)
    own = [counted_nll(row) for row in losses]
    by_unigram = [frequencies.unigram_losses(row.row) for row in losses]
    by_bigram = [frequencies.bigram_losses(row.row) for row in losses]
    seed = subject.seed
    model, unigram, bigram = mean(own, seed), mean(by_unigram, seed), mean(by_bigram, seed)
    over_unigram = mean([theirs - mine for theirs, mine in zip(by_unigram, own, strict=True)], seed)
    over_bigram = mean([theirs - mine for theirs, mine in zip(by_bigram, own, strict=True)], seed)
    evidence = figures("model", model) | figures("unigram", unigram) | figures("bigram", bigram)
    evidence |= figures("better_than_unigram", over_unigram) | figures("better_than_bigram", over_bigram)
    evidence |= {"rows": float(len(own)), "targets": float(sum(map(len, own)))}
    compared = (
        f"its loss is {shown(model)} nats, that of a bigram {shown(bigram)} and that of a unigram {shown(unigram)}, "
        f"both fitted on other rows ({counted(len(own), 'row')})"
    )
    if over_bigram.low > MORE_NATS:
        return RuledOut(NAME, f"The model knows more than frequencies: {compared}.", evidence)
    logged = subject.logged
    if logged is not None and measured.established.shown_by is None and logged.loss_nats < model.low:
        reason = f"this model, as it is built here, does not give the logged {logged.loss_nats:.4g} nats: {compared}"
        return NotTestable(NAME, "undecided", reason)
    known = _knows_completions(own, by_bigram, losses, seed) or _known_in_part(measured, compared, evidence)
    if known is not None:
        return known
    knows = "how often each token stands" if over_unigram.low <= MORE_NATS else "which token follows which"
    claim = f"The model is not shown to know more than {knows}: {compared}."
    at_random = math.log(frequencies.vocabulary)
    if model.low > AT_RANDOM * at_random:
        evidence["at_random_nats"] = at_random
        claim = (
            f"The model knows nothing of the rows: guessing among {frequencies.vocabulary:,} ids costs {at_random:.3f} "
            f"nats; {compared}."
        )
        if _is_as_drawn(measured, model, at_random):
            evidence["untrained"] = 1.0
            claim = (
                f"The model is not trained: its loss is that of guessing among {frequencies.vocabulary:,} ids, the "
                f"logarithm of the vocabulary ({at_random:.3f} nats); {compared}."
            )
    rates = schedule(subject.learning_rates)
    if rates is not None:
        evidence |= {"rate_first": rates.first.rate, "rate_peak": rates.peak.rate, "rate_last": rates.last.rate}
        claim = f"{claim} {rates.words}"
    if rates is not None and rates.zero_from is not None:
        evidence["rate_zero_from_step"] = rates.zero_from
        return Finding(NAME, "contributing", claim, evidence, _END_OF_SCHEDULE)
    remedy = (
        "Train on, or look for what keeps it from learning (a learning rate of 0, data order, frozen weights, an "
        "optimiser that holds other parameters): code can't be written from frequencies, whatever is done at decoding."
    )
    return Finding(NAME, "contributing", claim, evidence, remedy)


def _knows_completions(
    own: Sequence[Floats], by_bigram: Sequence[Floats], losses: TokenLosses, seed: int
) -> RuledOut | None:
    """Cleared if the model knows far more of the completions than a bigram, where prompts count as well.

    Prompts may hold what nobody can guess, such as numbers, and be most of the text.
    """
    answers = [max(0, row.row.prompt_tokens - row.row.first_target) for row in losses]
    if not any(answers):
        return None
    ours, theirs = ([values[at:] for values, at in zip(part, answers, strict=True)] for part in (own, by_bigram))
    better = mean([bigram - model for bigram, model in zip(theirs, ours, strict=True)], seed)
    if better.low <= MORE_NATS:
        return None
    model, bigram, whole = mean(ours, seed), mean(theirs, seed), mean(own, seed)
    claim = (
        f"Of the completions the model knows more than frequencies: their loss is {shown(model)} nats, that of a "
        f"bigram {shown(bigram)}. With the prompts, which count as well, it is {shown(whole)}."
    )
    evidence = figures("completion_model", model) | figures("completion_bigram", bigram) | figures("model", whole)
    return RuledOut(NAME, claim, evidence | {"rows": float(len(own))})


def _is_as_drawn(measured: Measured, model: Interval, at_random: float) -> bool:
    """Whether the weights guess, and no loss up to this step tells that they ever did better: such a run diverged."""
    did_better = any(point.loss_nats < AT_RANDOM * at_random for point in measured.subject.log)
    return model.high < at_random + WIDELY_DRAWN_NATS and not did_better


_END_OF_SCHEDULE = (
    "Train on with a scheduler that ends when training does: step it once for each step of the optimiser, not once for "
    "each process or batch, and give it the number of steps that are planned."
)
_BY_HEART = "See what overfit says: take an earlier checkpoint, more data, or fewer passes over it."


def _known_in_part(measured: Measured, compared: str, evidence: dict[str, float]) -> Finding | None:
    """A note if the model knows far more than frequencies of its training rows, or of one part of their file."""
    part = known_part(measured)
    if part is not None:
        evidence |= figures("known", part.known) | figures("others", part.others)
        claim = (
            f"One part of the training rows the model knows ({shown(part.known)} nats), and of the others it is not "
            f"shown to know more than frequencies: {compared}."
        )
        return Finding(NAME, "note", claim, evidence, "See what overfit says of the rows that the model knows.")
    known = _of_training_rows(measured)
    if known is None:
        return None
    evidence |= figures("training_model", known[0]) | figures("training_bigram", known[1])
    claim = (
        f"Of the training rows the model knows far more than frequencies: their loss is {shown(known[0])} nats, "
        f"that of a bigram fitted on these very rows {shown(known[1])}. Of other rows it is not shown to know "
        f"more: {compared}. It learned its rows by heart."
    )
    return Finding(NAME, "note", claim, evidence, _BY_HEART)


def _of_training_rows(measured: Measured) -> tuple[Interval, Interval] | None:
    """The loss on training rows, and that of a bigram which was fitted on them; None unless the model's is far lower.

    The bigram has seen what it is scored on, so that it is better than it would be on other rows.
    """
    subject = measured.subject
    if subject.train is None or subject.validation is None or too_few(measured.train_losses):
        return None
    frequencies, _ = fair_frequencies(measured)
    own = [counted_nll(row) for row in measured.train_losses]
    by_bigram = [frequencies.bigram_losses(row.row) for row in measured.train_losses]
    better = mean([theirs - mine for theirs, mine in zip(by_bigram, own, strict=True)], subject.seed)
    return (mean(own, subject.seed), mean(by_bigram, subject.seed)) if better.low > MORE_NATS else None


PROBE = Probe(
    name=NAME,
    question="Does the model know more than how frequent tokens are?",
    run=undertrained,
    order=200,
    not_worth_trying="More steps to learn more than the frequencies of tokens",
    at_most="contributing",
    forward_passes=64,
    capabilities=LOGITS,
    skipped_if_leak=True,
)
