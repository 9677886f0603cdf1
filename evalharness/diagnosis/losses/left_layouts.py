"""Rows behind padding on the left, where the place of a row matters to the model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.losses.layouts import LONGEST, Layout, ends, laid_rows, layout_alone
from evalharness.diagnosis.losses.padding_candidates import padding_ids
from evalharness.diagnosis.trials.dear import is_dear

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.losses.arrangement import Arrangement
    from evalharness.diagnosis.losses.padded_layouts import IsWorth
    from evalharness.diagnosis.losses.parallel_passes import ParallelPasses
    from evalharness.diagnosis.subject import Split, Subject

SCANNED_ROWS, SHIFTED_ROWS = 8, 2
"""Rows by which the length is chosen that rows were padded to on the left: the right one is lower by far. Fewer tell
whether the place of a row matters at all."""

SAME_NATS = 1e-3
"""Less is rounding: another layout in which a model has the same loss is not another one."""


def left_layouts(
    subject: Subject, split: Split, passes: ParallelPasses, rows: Sequence[TokenRow], is_worth: IsWorth
) -> Iterator[Layout]:
    """Behind padding on the left, to the one of the usual lengths at which the text is easiest.

    Nothing where the place of a row does not matter: positions are relative, and padding is masked.
    """
    pad, lengths = next(iter(padding_ids(subject, rows[:1], passes)), None), _lengths(subject, split)
    few, complete = evenly(rows, SCANNED_ROWS), len(rows) == len(split.encoded)

    def at(left: int | None, how: Arrangement, rows: Sequence[TokenRow], *, complete: bool = False) -> Layout | None:
        how = replace(how, left=left)
        return layout_alone(subject, passes, laid_rows(subject, split, rows, how), how, complete=complete)

    if pad is None or not lengths:
        return
    hows = [replace(how, pad_id=pad.token_id) for how in ends(subject, split)]
    if not _is_shifted(*(at(left, hows[0], few[:SHIFTED_ROWS]) for left in (None, lengths[-1]))):
        return
    for how in hows:
        alone = at(None, how, few)
        scanned = [layout for length in lengths if (layout := at(length, how, few)) is not None]
        best = min(scanned, key=Layout.text_nats, default=None)
        if alone is None or best is None or not _is_shifted(alone, best):
            continue
        # A dear model that is worse behind padding was not trained there.
        if not is_dear(subject.torch_model) or is_worth(best, alone.text_nats()):
            yield from filter(None, [at(best.arrangement.left, how, rows, complete=complete)])


def _lengths(subject: Subject, split: Split) -> list[int]:
    """The usual lengths that rows are padded to, in ascending order."""
    longest = max(len(row.ids) for row in split.encoded) + 1
    context = min(subject.model.context_length or LONGEST, LONGEST)
    lengths = {context, longest, *(n for n in (64, 128, 256, 512) if longest < n < context)}
    return sorted(length for length in lengths if longest <= length <= context)


def _is_shifted(alone: Layout | None, behind: Layout | None) -> bool:
    """Whether padding on the left changes the loss of the text; not where the model can't be run so."""
    return alone is not None and behind is not None and abs(behind.text_nats() - alone.text_nats()) > SAME_NATS
