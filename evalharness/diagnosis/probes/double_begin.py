"""Whether rows begin with the begin token twice: a template wrote one, and the tokenizer another.

A batch shows it. Of a checkpoint the rows are read as text, and how they were encoded in training is not to be seen
there. So the model is asked: the same targets after one begin token, after two, and after one with another token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.losses.row_means import FEWEST_ROWS, capped, counted_nll, figures, mean
from evalharness.diagnosis.losses.token_losses import token_losses
from evalharness.diagnosis.probe import LOGITS, Probe
from evalharness.diagnosis.trials.greedy_trials import as_scored
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics import mean_over_rows
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.losses.token_losses import TokenLosses
    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Subject
    from evalharness.records import Interval, Outcome

NAME = "double_begin"
ROWS = 128
"""Rows that are read after one begin token, after two, and with other tokens."""
NULLS = 2
"""Other tokens in place of the second begin token: whatever stands before a row moves its positions as well."""
MATTERS = 0.01
"""From a hundredth of the loss on it counts without a log. A begin token more costs many models next to nothing."""
NEARER = 4
"""The log is that of rows with two if it is four times as near to their loss as to that of rows with one."""
MOST = 0.5
"""A template or a tokenizer does it in every row; in fewer than half of them it is the text's own."""


def double_begin(measured: Measured) -> Outcome:
    """Count the rows whose first two ids that are attended to are both the begin token."""
    batch = measured.subject.training_batch
    begin, rows = batch.tokens.begin, [text.ids for text in batch.texts]
    if not begin:
        return NotTestable(NAME, "not_known", "no begin token is known: the tokenizer and the configuration name none")
    # More than two in a row are padding with the same id.
    twice = sum([i in begin for i in row[:3]] == [True, True, False] for row in rows)
    once = sum(bool(row) and row[0] in begin for row in rows)
    evidence = {"rows": len(rows), "rows_that_begin": once, "rows_that_begin_twice": twice}
    named = "/".join(map(str, sorted(begin)))
    if twice < MOST * len(rows) or not twice:
        claim = f"No begin token is doubled: {once} of {counted(len(rows), 'row')} begin with one ({named})."
        return RuledOut(NAME, claim, evidence)
    claim = (
        f"The begin token ({named}) stands twice at the start of {twice} of {counted(len(rows), 'row')}. At "
        f"generation it will "
        "stand there once, which the model never saw."
    )
    remedy = (
        "Encode text that a chat template wrote with add_special_tokens=False: the template writes the begin token "
        "itself."
    )
    return Finding(NAME, "contributing", claim, evidence, remedy)


@dataclass(frozen=True, slots=True)
class _Begun:
    """Losses of the same rows with one begin token and with two (nats per counted target), and what the second saves.

    ``saved`` and ``saved_by_other`` are nats per row over the same targets: of the second begin token, and of the other
    token that saves most.
    """

    once: Interval
    twice: Interval
    saved: Interval
    saved_by_other: Interval
    rows: int

    @property
    def twice_is_known(self) -> bool:
        """Whether rows are more probable after two begin tokens, by more than after any other token.

        If positions are learned, any token in the second place gives the rows the positions that they had in training;
        then only the log tells.
        """
        return self.saved.low > max(0.0, self.saved_by_other.high)

    @property
    def matters(self) -> bool:
        """Whether the second one saves more than next to nothing of the loss."""
        return self.once.estimate - self.twice.estimate > MATTERS * self.once.estimate


def begun_twice(measured: Measured) -> Outcome:
    """Ask the model whether it knows its rows after one begin token or after two."""
    subject = measured.subject
    begin = _begin_id(subject)
    if begin is None:
        return NotTestable(NAME, "not_known", "no begin token is known: the tokenizer and the manifest name none")
    rows = [losses.row for losses in measured.validation_losses if losses.row.ids[0] == begin]
    if len(rows) < max(FEWEST_ROWS, MOST * len(measured.validation_losses)):
        return NotTestable(NAME, "does_not_apply", "rows do not begin with a begin token")
    found = _begun(measured, evenly(rows, ROWS), begin)
    name = subject.tokenizer.decode((begin,))
    prompts = _leading(as_scored(subject, "x") or (), begin)
    evidence: dict[str, Any] = {
        "rows": found.rows,
        "begin_tokens_of_prompts": prompts,
        **figures("once", found.once),
        **figures("twice", found.twice),
        **figures("saved_per_row", found.saved),
        **figures("other_saves_per_row", found.saved_by_other),
    }
    compared = (
        f"the second one makes the text of a row {_nats(found.saved)} nats more probable, and another token in its "
        f"place {_nats(found.saved_by_other)} ({counted(found.rows, 'row')})"
    )
    proven = subject.logged is not None and found.saved.low > 0 and _is_of_twice(found, subject.logged.loss_nats)
    if prompts > 1 or not (proven or found.twice_is_known):
        known = f"prompts begin with {prompts}" if prompts > 1 else "the model knows its rows after one"
        return RuledOut(NAME, f"Two begin tokens {name!r} explain nothing, {known}: {compared}.", evidence)
    claim = (
        f"The model was trained on rows that begin with {name!r} twice, and prompts at scoring begin with "
        f"{prompts or 'none'}: {compared}."
    )
    if subject.logged is not None and proven:
        evidence |= {"proven": True, "logged_nats": subject.logged.loss_nats}
        claim += (
            f" With two the loss is {found.twice.estimate:.4f} nats per token, with one {found.once.estimate:.4f}, and "
            f"{subject.logged.loss_nats:.4f} was logged."
        )
    return Finding(NAME, "contributing" if proven or found.matters else "note", claim, evidence, _REMEDY)


def _begin_id(subject: Subject) -> int | None:
    """What the manifest puts before each text, or the tokenizer does by itself."""
    known = (*subject.begin_ids, *getattr(subject.tokenizer, "begin_ids", ()))
    return known[0] if known else None


def _leading(ids: Sequence[int], begin: int) -> int:
    return next((place for place, token_id in enumerate(ids) if token_id != begin), len(ids))


def _begun(measured: Measured, rows: Sequence[TokenRow], begin: int) -> _Begun:
    subject, limit = measured.subject, measured.subject.model.context_length
    bare = [_without(row, begin) for row in rows]
    if limit is not None:
        bare = [replace(row, ids=row.ids[: limit - 2]) for row in bare]
    rng = Random(subject.seed)  # noqa: S311 - a trial, no secret
    others = [rng.choice([i for row in bare for i in row.ids]) for _ in range(NULLS)]
    forward = partial(measured.established.arrangement.logits, subject.torch_model)

    def after(*first: int) -> TokenLosses:
        return token_losses(subject.torch_model, [_led_by(row, first) for row in bare], (), forward)

    once, twice = after(begin), after(begin, begin)
    saved = [_saved(once, losses, subject.seed) for losses in (twice, *(after(other, begin) for other in others))]
    best_other = max(saved[1:], key=lambda interval: interval.estimate)
    of_once, of_twice = (mean(map(counted_nll, losses), subject.seed) for losses in (once, twice))
    return _Begun(of_once, of_twice, saved[0], best_other, len(bare))


def _without(row: TokenRow, begin: int) -> TokenRow:
    """The row without its begin tokens; what was counted of them is counted no more."""
    n = _leading(row.ids, begin)
    return replace(
        row,
        ids=row.ids[n:],
        first_target=max(0, row.first_target - n),
        prompt_tokens=max(0, row.prompt_tokens - n),
    )


def _led_by(row: TokenRow, first: Sequence[int]) -> TokenRow:
    """The row after ``first``; where its first id counted, all but the very first do."""
    counted = 1 if row.first_target == 0 else row.first_target + len(first)
    return replace(row, ids=(*first, *row.ids), first_target=counted, prompt_tokens=row.prompt_tokens + len(first))


def _saved(once: TokenLosses, longer: TokenLosses, seed: int) -> Interval:
    """By how much the same targets cost less (nats per row) with a token more before them."""
    pairs = zip(once, longer, strict=True)
    saved = [float(capped(a.nll_nats).sum() - capped(b.nll_nats[1:]).sum()) for a, b in pairs]
    return mean_over_rows({i: [nats] for i, nats in enumerate(saved)}, seed=seed)


def _is_of_twice(found: _Begun, logged_nats: float) -> bool:
    return NEARER * abs(found.twice.estimate - logged_nats) < abs(found.once.estimate - logged_nats)


def _nats(interval: Interval) -> str:
    return f"{interval.estimate:.3g} [{interval.low:.3g}, {interval.high:.3g}]"


_REMEDY = (
    "In training, encode text that a chat template wrote with add_special_tokens=False: the template writes the begin "
    "token itself. For this checkpoint, put it before each prompt twice, as it was trained ([model] begin_token names "
    "what goes before a prompt beside the one in the template)."
)
PROBE = Probe(
    name=NAME,
    question="Was the model trained on rows with two begin tokens?",
    run=begun_twice,
    order=95,
    not_worth_trying="Removing a begin token",
    at_most="contributing",
    forward_passes=(2 + NULLS) * ROWS,
    capabilities=LOGITS,
    skipped_if_leak=True,
)
BATCH_PROBE = Probe(
    name=NAME,
    question="Does the begin token stand once at the start of each row?",
    run=double_begin,
    order=95,
    at_most="contributing",
    forward_passes=0,
    needs=("batch",),
    asked_of=frozenset({"batch"}),
)
