"""A log of other rows: text that stands in most training rows, and that this model was never taught."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.log_readings import NAME
from evalharness.diagnosis.losses.row_means import capped, figures, mean, shown, too_few
from evalharness.records import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.losses.row_means import Floats
    from evalharness.diagnosis.losses.token_losses import RowLosses, TokenLosses
    from evalharness.diagnosis.measured import Measured
    from evalharness.records import Interval

COUNTED_ROWS = 400
"""Training rows in which passages are counted: enough to tell most rows from some."""
PASSAGE = 4
"""Tokens of a passage, the last of which is the target: its context leaves nothing to guess."""
MOST_ROWS = 0.5
"""Text that stands in more than half of the rows was a target in nearly every batch."""
SURE = 0.95
"""How often the same token has to follow the same context for it to be no guess."""
UNKNOWN_NATS = 2.0
"""A model that has seen such text knows it nearly for sure; this is a guess among more than seven tokens."""
MUCH = 0.5
"""Text explains the gap between loss and log if at least half of it is gone without that text."""
LISTED = 3
Passages = dict[tuple[int, ...], float]
"""Ids of passages, with the mean loss (nats) of the last."""


def of_other_rows(measured: Measured, said: str, evidence: dict[str, Any]) -> Finding | None:
    """Whether the model does not know what stands in most training rows, and the log is nearer without that.

    Counting predicts such text without fail, and training rows teach it within some batches. So they were not the rows
    of training, or these are not the weights that it left. Prompts may never have been targets, so only completions
    tell; the log may count the prompts or not.
    """
    losses, train = measured.validation_losses, measured.subject.train
    if train is None or too_few(losses):
        return None
    never_learned = _never_learned(losses, _passages(evenly(train.encoded, COUNTED_ROWS)))
    if not never_learned:
        return None
    read = [
        (_mean(measured, {}, prompt=prompt), _mean(measured, never_learned, prompt=prompt)) for prompt in (True, False)
    ]
    logged_nats = evidence["logged_nats"]
    near = [(whole, rest) for whole, rest in read if whole and rest and _is_the_gap(whole, rest, logged_nats)]
    if not near:
        return None
    whole, rest = min(near, key=lambda item: abs(item[1].estimate - logged_nats))
    return _finding(measured, never_learned, whole, rest, said, evidence)


def _is_the_gap(whole: Interval, rest: Interval, logged_nats: float) -> bool:
    """Whether half of the gap between loss and log, or more, is gone without the text, and not more than all of it."""
    gap = whole.estimate - logged_nats
    return gap > 0 and MUCH * gap <= whole.estimate - rest.estimate <= gap / MUCH


def _mean(measured: Measured, passages: Passages, *, prompt: bool) -> Interval | None:
    """The loss over the rows' targets, or those of the completions, without the ends of ``passages``; None of none."""
    rows = [_kept(row, passages, prompt=prompt) for row in measured.validation_losses]
    kept = [values for values in rows if len(values)]
    return mean(kept, measured.subject.seed) if kept else None


def _finding(
    measured: Measured,
    passages: Passages,
    whole: Interval,
    rest: Interval,
    said: str,
    evidence: dict[str, Any],
) -> Finding:
    decode = measured.subject.tokenizer.decode
    costs = float(np.mean(list(passages.values())))
    texts = ", ".join(repr(decode(passage)) for passage in list(passages)[:LISTED])
    evidence |= {"other_rows": True, "unknown_passages": len(passages), "unknown_nats": costs}
    evidence |= figures("with_them", whole) | figures("without_them", rest)
    claim = (
        f"Training did not read these rows, or left other weights: text that stands in most of them, and that counting "
        f"predicts without fail, costs this model {costs:.3g} nats per token ({texts}). With it the loss is "
        f"{shown(whole)} nats, without it {shown(rest)}; {said} goes without."
    )
    remedy = (
        "Look for a cache of encoded rows from an earlier run or another file, and make it anew (overwrite_cache, an "
        "empty dataset_prepared_path, load_from_cache_file = false); print what the first batch decodes to. If that is "
        "the text of these rows, the weights are not those that training left."
    )
    return Finding(NAME, "contributing", claim, evidence, remedy)


def _passages(rows: tuple[TokenRow, ...]) -> set[tuple[int, ...]]:
    """Those that stand in most rows, and whose last token follows the others nearly without fail."""
    in_rows: Counter[tuple[int, ...]] = Counter()
    after: defaultdict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    for row in rows:
        own = [passage for _, passage in _ends(row)]
        in_rows.update(set(own))
        for passage in own:
            after[passage[:-1]][passage[-1]] += 1
    return {
        passage
        for passage, count in in_rows.items()
        if count > MOST_ROWS * len(rows) and after[passage[:-1]][passage[-1]] >= SURE * after[passage[:-1]].total()
    }


def _ends(row: TokenRow) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The place of each target of the completion with enough tokens before it, and the passage that ends there."""
    for t in range(max(row.first_target, row.prompt_tokens, PASSAGE - 1), len(row.ids)):
        yield t, tuple(row.ids[t - PASSAGE + 1 : t + 1])


def _never_learned(losses: TokenLosses, passages: set[tuple[int, ...]]) -> Passages:
    """The passages that most measured rows hold too, and whose last token the model only guesses, with its loss."""
    nats: defaultdict[tuple[int, ...], list[float]] = defaultdict(list)
    for row in losses:
        values = capped(row.nll_nats)
        for t, passage in _ends(row.row):
            if passage in passages:
                nats[passage].append(float(values[t - 1]))
    means = {passage: float(np.mean(own)) for passage, own in nats.items() if len(own) > MOST_ROWS * len(losses)}
    return {passage: value for passage, value in means.items() if value > UNKNOWN_NATS}


def _kept(row: RowLosses, passages: Passages, *, prompt: bool) -> Floats:
    """The losses of the row's targets, or of its completion's, that are not the end of one of ``passages``."""
    left_out = {t for t, passage in _ends(row.row) if passage in passages}
    first = 1 if prompt else max(1, row.row.prompt_tokens)
    values = capped(row.nll_nats)
    return values[[t - 1 for t in range(first, len(row.row.ids)) if t not in left_out]]
