"""Rows as a training loop may lay them out, each measured once, with the kind of each of their ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from evalharness.diagnosis.data.row_ends import end_place, have_more_behind
from evalharness.diagnosis.losses.arrangement import Arrangement
from evalharness.diagnosis.losses.row_means import capped
from evalharness.diagnosis.losses.token_losses import RowLosses, token_losses
from evalharness.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.losses.padding_candidates import PaddingId
    from evalharness.diagnosis.losses.parallel_passes import ParallelPasses
    from evalharness.diagnosis.losses.token_losses import TokenLosses
    from evalharness.diagnosis.subject import Split, Subject

PROMPT, TEXT, END, PADDING = range(4)
"""What an id of a row is."""
LONGEST = 1024
"""Rows are padded and packed to the context, but not to more than this, which bounds what a pass costs."""
Kinds = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Layout:
    """All measured rows in one layout.

    ``words`` says which. ``kinds[i][t]`` is what id ``t`` of row ``i`` is. ``padding`` is the id of the padding that
    counts, None without any. ``arrangement`` is how each row became ids; ``block``: they then stand one after another
    in blocks of so many ids (None: they don't). ``as_given``: one row after another as they are, nothing added and
    nothing taken away. ``complete``: all rows of the file are in it, so that another loop over them has no other ones.
    ``is_look``: a few places of padding behind a few rows, as no training has them.
    """

    words: str
    losses: tuple[RowLosses, ...]
    kinds: tuple[Kinds, ...]
    arrangement: Arrangement
    padding: PaddingId | None = None
    block: int | None = None
    as_given: bool = False
    complete: bool = False
    is_look: bool = False

    @property
    def packed(self) -> bool:
        """Whether rows stand one after another in blocks."""
        return self.block is not None

    @property
    def is_rows_alone(self) -> bool:
        """Whether each row stands by itself, encoded as it is read, but for its end."""
        return not self.packed and self.padding is None and not self.arrangement.whole and self.arrangement.left is None

    def text_nats(self) -> float:
        """The mean loss of the text, whatever stands around it; NaN without any."""
        of_text = [capped(row.nll_nats)[kind[1:] == TEXT] for row, kind in zip(self.losses, self.kinds, strict=True)]
        joined = np.concatenate(of_text) if of_text else np.zeros(0)
        return float(joined.mean()) if len(joined) else float("nan")


def rows_alone(subject: Subject, own_losses: TokenLosses, passes: ParallelPasses) -> Iterator[Layout]:
    """Rows alone, with an end token after each and without: it is not there, or stands in the row and is no target."""
    split = subject.validation or subject.train
    if split is None or not split.encoded:
        return
    rows = tuple(losses.row for losses in own_losses)
    for how in ends(subject, split):
        laid = laid_rows(subject, split, rows, how)
        as_given = [row.ids for row in laid] == [row.ids for row in rows]
        losses = own_losses if as_given else passes.losses(laid)
        complete = len(rows) == len(split.encoded)
        layout = Layout(how.words, losses, row_kinds(laid, subject), how, as_given=as_given, complete=complete)
        yield layout
        if how.end is None and subject.end_ids:
            yield _with_masked_ends(layout, subject.end_ids)


def ends(subject: Subject, split: Split) -> Iterator[Arrangement]:
    """Without an end token, and with one; the rows as they are where none is known, or more stands behind it."""
    if not subject.end_ids or have_more_behind(split.encoded, subject.end_ids):
        yield Arrangement()
        return
    last = next((row.ids[-1] for row in split.encoded if row.ids[-1] in subject.end_ids), min(subject.end_ids))
    yield Arrangement(end=False)
    yield Arrangement(end=True, end_id=last)


def _with_masked_ends(layout: Layout, end_ids: frozenset[int]) -> Layout:
    """The same rows, where the end that stands in them is no target, as where padding of the same id is masked."""
    kinds = [kind.copy() for kind in layout.kinds]
    for kind, losses in zip(kinds, layout.losses, strict=True):
        if (place := end_place(losses.row, end_ids)) is not None:
            kind[place] = END
    how = Arrangement(end=False, more_behind=True)
    return replace(layout, kinds=tuple(kinds), arrangement=how, as_given=False)


def laid_rows(subject: Subject, split: Split, rows: Sequence[TokenRow], how: Arrangement) -> tuple[TokenRow, ...]:
    """The rows in an arrangement; those without a target are left out."""
    laid = (how.row(subject, split, row) for row in rows)
    return tuple(row for row in laid if len(row.ids) > row.first_target)


def layout_alone(
    subject: Subject, passes: ParallelPasses, laid: Sequence[TokenRow], how: Arrangement, *, complete: bool
) -> Layout | None:
    """Rows each by itself in an arrangement; None if the model can't be run so: it was not trained so either."""
    try:
        losses = passes.losses(laid) if how.left is None else losses_in(subject, laid, how)
    except EvaluationError:
        return None
    return Layout(how.words, losses, row_kinds(laid, subject, how), how, complete=complete)


def losses_in(subject: Subject, rows: Sequence[TokenRow], how: Arrangement | None = None) -> tuple[RowLosses, ...]:
    """The losses of rows, each in a pass of its own, within what an arrangement puts around them."""
    forward = None if how is None else partial(how.logits, subject.torch_model)
    return token_losses(subject.torch_model, rows, sorted(subject.end_ids), forward)


def row_kinds(rows: Sequence[TokenRow], subject: Subject, how: Arrangement | None = None) -> tuple[Kinds, ...]:
    """What each id of each row is."""
    pad_id = None if how is None or how.left is None else how.pad_id
    return tuple(_kind(row, subject.end_ids, behind=row.ids[0] == pad_id) for row in rows)


def _kind(row: TokenRow, end_ids: frozenset[int], *, behind: bool = False) -> Kinds:
    kinds = np.full(len(row.ids), TEXT, dtype=np.int8)
    kinds[: max(row.prompt_tokens, row.first_target if row.first_target > 1 else 0)] = PROMPT
    if behind:
        kinds[0] = PADDING
    if row.ids[-1] in end_ids:
        kinds[-1] = END
    return kinds
