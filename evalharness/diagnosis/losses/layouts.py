"""Rows as a training loop may lay them out, each measured once, with the kind of each of their ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from evalharness.diagnosis.data.row_ends import end_place, have_more_behind
from evalharness.diagnosis.data.rows import TokenRow
from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.losses.arrangement import Arrangement, uncut
from evalharness.diagnosis.losses.padding_candidates import PaddingId, padded, padding_ids
from evalharness.diagnosis.losses.row_means import FEWEST_ROWS, capped
from evalharness.diagnosis.losses.token_losses import RowLosses, first_positions, repeated_last, token_losses
from evalharness.diagnosis.trials.dear import is_dear
from evalharness.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.diagnosis.losses.parallel_passes import ParallelPasses
    from evalharness.diagnosis.losses.token_losses import TokenLosses
    from evalharness.diagnosis.subject import Split, Subject

PROMPT, TEXT, END, PADDING = range(4)
"""What an id of a row is."""
PADDED_ROWS = 32
PADDED_TOKENS = 8192
"""Rows that are measured with padding, and their tokens together where contexts are long: each costs a pass of full
length for each padding id, with an end token and without. So many tokens of a dear model are measured packed, too."""
LONGEST = 1024
"""Rows are padded and packed to the context, but not to more than this, which bounds what a pass costs."""
LOOKED_ROWS, LOOKED_PLACES = 6, 16
"""Of a dear model a few places of padding are looked at first, behind a few rows: padding that counted in training is
known from the first or second place on."""
BLOCKS = tuple(sorted(size * 2**power for size in (2, 3) for power in range(4, 10)))
"""Lengths of blocks as they are used: 32, 48, 64, 96 and so on."""
AS_EASY = 1.01
"""Rows are packed in training in blocks of that length at which they are easiest: in shorter ones a token has less
before it, and in longer ones it stands where no training came. So near to it no difference is told."""
BLOCKS_WORK = 4e12
"""Floating-point operations that all lengths together may cost: a minute of a laptop. A large model is not asked."""
SCANNED_ROWS, SHIFTED_ROWS = 8, 2
"""Rows by which the length is chosen that rows were padded to on the left: the right one is lower by far. Fewer tell
whether the place of a row matters at all."""

SAME_NATS = 1e-3
"""Less is rounding: another layout in which a model has the same loss is not another one."""

_Kinds = npt.NDArray[np.int8]
IsWorth = Callable[["Layout", float | None], bool]
"""Whether a layout is worth a full measurement, by few rows of it, and by the loss of their text alone if that is
known."""


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
    kinds: tuple[_Kinds, ...]
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
    for how in _ends(subject, split):
        laid = _laid(subject, split, rows, how)
        as_given = [row.ids for row in laid] == [row.ids for row in rows]
        losses = own_losses if as_given else passes.losses(laid)
        complete = len(rows) == len(split.encoded)
        layout = Layout(how.words, losses, _kinds(laid, subject), how, as_given=as_given, complete=complete)
        yield layout
        if how.end is None and subject.end_ids:
            yield _with_masked_ends(layout, subject.end_ids)


def filled_layouts(
    subject: Subject, own_losses: TokenLosses, passes: ParallelPasses, is_worth: IsWorth
) -> Iterator[Layout]:
    """Rows padded to the longest and to the context, and packed; each with an end token after it and without.

    What they cost grows with the context, so that a dear model is padded by a few places first. Without a logged loss
    only the padding that it may have learned says something, and what a packed loss would be says nothing.
    """
    split = subject.validation or subject.train
    if split is None or not split.encoded:
        return
    rows = tuple(losses.row for losses in own_losses)
    pads = padding_ids(subject, evenly(rows, PADDED_ROWS), passes)
    if subject.logged is None and is_dear(subject.torch_model):
        pads = tuple(pad for pad in pads if pad.known)
    for how in _ends(subject, split):
        yield from _padded(subject, split, _laid(subject, split, rows, how), how, pads, is_worth)
        if subject.logged is not None:
            yield from _packed(subject, split, how)


def unusual_layouts(
    subject: Subject, own_losses: TokenLosses, passes: ParallelPasses, is_worth: IsWorth
) -> Iterator[Layout]:
    """Rows packed in shorter blocks, encoded whole, and behind padding on the left; with an end token and without."""
    split = subject.validation or subject.train
    if split is None or not split.encoded:
        return
    rows = tuple(losses.row for losses in own_losses)
    complete = len(rows) == len(split.encoded)
    for plain in _ends(subject, split):
        yield from _packed_shorter(subject, split, plain)
        whole = replace(plain, whole=True)
        laid = _laid(subject, split, rows, whole)
        if laid != _laid(subject, split, rows, plain):
            yield from _alone(subject, passes, laid, whole, complete=complete)
            yield from _packed(subject, split, whole)
    yield from _left(subject, split, passes, rows, is_worth)


def _ends(subject: Subject, split: Split) -> Iterator[Arrangement]:
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


def _laid(subject: Subject, split: Split, rows: Sequence[TokenRow], how: Arrangement) -> tuple[TokenRow, ...]:
    laid = (how.row(subject, split, row) for row in rows)
    return tuple(row for row in laid if len(row.ids) > row.first_target)


def _alone(
    subject: Subject, passes: ParallelPasses, laid: Sequence[TokenRow], how: Arrangement, *, complete: bool
) -> Iterator[Layout]:
    try:
        losses = passes.losses(laid) if how.left is None else _measured(subject, laid, how)
    except EvaluationError:
        return  # The model can't be run so: it was not trained so either.
    yield Layout(how.words, losses, _kinds(laid, subject, how), how, complete=complete)


def _left(
    subject: Subject, split: Split, passes: ParallelPasses, rows: Sequence[TokenRow], is_worth: IsWorth
) -> Iterator[Layout]:
    """Behind padding on the left, to the one of the usual lengths at which the text is easiest.

    Nothing where the place of a row does not matter: positions are relative, and padding is masked.
    """
    pad, lengths = next(iter(padding_ids(subject, rows[:1], passes)), None), _left_lengths(subject, split)
    few, complete = evenly(rows, SCANNED_ROWS), len(rows) == len(split.encoded)

    def at(left: int | None, how: Arrangement, rows: Sequence[TokenRow], *, complete: bool = False) -> Layout | None:
        how = replace(how, left=left)
        return next(_alone(subject, passes, _laid(subject, split, rows, how), how, complete=complete), None)

    if pad is None or not lengths:
        return
    hows = [replace(how, pad_id=pad.token_id) for how in _ends(subject, split)]
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


def _left_lengths(subject: Subject, split: Split) -> list[int]:
    """The usual lengths that rows are padded to, in ascending order."""
    longest = max(len(row.ids) for row in split.encoded) + 1
    context = min(subject.model.context_length or LONGEST, LONGEST)
    lengths = {context, longest, *(n for n in (64, 128, 256, 512) if longest < n < context)}
    return sorted(length for length in lengths if longest <= length <= context)


def _is_shifted(alone: Layout | None, behind: Layout | None) -> bool:
    """Whether padding on the left changes the loss of the text; not where the model can't be run so."""
    return alone is not None and behind is not None and abs(behind.text_nats() - alone.text_nats()) > SAME_NATS


def _padded(
    subject: Subject,
    split: Split,
    rows: tuple[TokenRow, ...],
    how: Arrangement,
    pads: Sequence[PaddingId],
    is_worth: IsWorth,
) -> Iterator[Layout]:
    longest = min(max(len(row.ids) for row in split.encoded) + bool(how.end), LONGEST)
    context = min(subject.model.context_length or longest, LONGEST)
    lengths = sorted({context, longest})
    chosen = evenly(rows, min(PADDED_ROWS, PADDED_TOKENS // max(lengths)))
    for pad in pads:
        if how.end is False and pad.token_id in subject.end_ids:
            continue  # the first of the padding is then the end: the same ids as with one
        if is_dear(subject.torch_model):
            look = _look(subject, evenly(rows, LOOKED_ROWS), how, pad)
            yield look
            if not any(is_worth(prolonged(look, length), None) for length in lengths):
                continue
        losses = _measured(subject, [padded(row, pad.token_id, max(lengths)) for row in chosen])
        kinds = _kinds(chosen, subject)
        for length in lengths:
            words = f"rows padded to {length} with id {pad.token_id}"
            cut = tuple(first_positions(row, max(length, len(kind))) for row, kind in zip(losses, kinds, strict=True))
            yield Layout(words, cut, _behind(kinds, cut), how, pad)


def _look(subject: Subject, rows: Sequence[TokenRow], how: Arrangement, pad: PaddingId) -> Layout:
    """A few places of padding behind each of ``rows``, as far as the context has room."""
    limit = subject.model.context_length
    ids = [(*row.ids, *(pad.token_id,) * LOOKED_PLACES)[: None if limit is None else limit + 1] for row in rows]
    losses = _measured(subject, [replace(row, ids=longer) for row, longer in zip(rows, ids, strict=True)])
    words = f"rows padded by {LOOKED_PLACES} with id {pad.token_id}"
    return Layout(words, losses, _behind(_kinds(rows, subject), losses), how, pad, is_look=True)


def prolonged(look: Layout, length: int) -> Layout:
    """What a look makes expect of padding up to ``length``: that it goes on as it was at the last place."""
    losses = tuple(repeated_last(row, length) for row in look.losses)
    return replace(look, losses=losses, kinds=_behind(look.kinds, losses), is_look=False)


def _behind(kinds: Sequence[_Kinds], losses: Sequence[RowLosses]) -> tuple[_Kinds, ...]:
    """The kinds of the ids of rows, where all that comes behind these is padding."""
    return tuple(
        np.pad(kind, (0, len(row.row.ids) - len(kind)), constant_values=PADDING)
        for row, kind in zip(losses, kinds, strict=True)
    )


def packed_anew(subject: Subject, like: Layout) -> Layout | None:
    """The rows of a packed layout again, in an order drawn at random: next to none has its neighbour of the file."""
    split = subject.validation or subject.train
    if split is None:
        return None
    rows = list(split.encoded)
    Random(subject.seed).shuffle(rows)  # noqa: S311 - an order, no secret
    return next(_packed(subject, replace(split, encoded=tuple(rows)), like.arrangement, like.block), None)


def _packed_shorter(subject: Subject, split: Split, how: Arrangement) -> Iterator[Layout]:
    """Blocks shorter than the context, of those lengths at which the rows are easiest; the log has no say in it."""
    context = min(subject.model.context_length or LONGEST, LONGEST)
    shortest = float(np.median([len(row.ids) for row in split.encoded]))
    lengths = [length for length in (*BLOCKS, context) if shortest < length <= context]
    if _work(subject, split) * len(lengths) > BLOCKS_WORK:
        return
    layouts = [layout for length in dict.fromkeys(lengths) for layout in _packed(subject, split, how, length)]
    nats = [_every_nats(layout) for layout in layouts]
    for layout, own in zip(layouts, nats, strict=True):
        if layout.block != context and own <= AS_EASY * min(nats):
            yield layout


def _work(subject: Subject, split: Split) -> float:
    """Floating-point operations of a pass over the measured rows, two for each parameter and token."""
    tokens = sum(len(row.ids) for row in split.measured)
    return 2.0 * tokens * sum(parameter.numel() for parameter in subject.torch_model.module.parameters())


def _every_nats(layout: Layout) -> float:
    """The mean loss of all targets."""
    return float(np.concatenate([capped(row.nll_nats) for row in layout.losses]).mean())


def _packed(subject: Subject, split: Split, how: Arrangement, block: int | None = None) -> Iterator[Layout]:
    """All rows one after another, uncut, in blocks of a context, as pre-training has them, or of ``block`` ids.

    Neighbours are those of the file, for a model may have learnt from them. As many blocks are measured as the measured
    rows would fill; of a dear model a few.
    """
    length = block or min(subject.model.context_length or LONGEST, LONGEST)
    laid = [how.row(subject, split, uncut(subject, split, row)) for row in split.encoded]
    if length < 2:
        return
    ids = [token_id for row in laid for token_id in row.ids]
    kinds = np.concatenate(_kinds(laid, subject))
    blocks = [slice(begin, begin + length) for begin in range(0, len(ids) - length + 1, length)]
    tokens = sum(len(row.ids) for row in split.measured)
    at_most = min(tokens, PADDED_TOKENS) if is_dear(subject.torch_model) else tokens
    chosen = evenly(blocks, at_most // length + 1)
    if len(chosen) < FEWEST_ROWS:
        return
    losses = _measured(subject, [TokenRow(tuple(ids[block]), 1) for block in chosen])
    words = (
        f"rows packed in blocks of {length}" if not how.whole else f"rows encoded whole, packed in blocks of {length}"
    )
    of_blocks = tuple(kinds[block] for block in chosen)
    yield Layout(words, losses, of_blocks, how, block=length, complete=len(chosen) == len(blocks))


def _measured(subject: Subject, rows: Sequence[TokenRow], how: Arrangement | None = None) -> tuple[RowLosses, ...]:
    forward = None if how is None else partial(how.logits, subject.torch_model)
    return token_losses(subject.torch_model, rows, sorted(subject.end_ids), forward)


def _kinds(rows: Sequence[TokenRow], subject: Subject, how: Arrangement | None = None) -> tuple[_Kinds, ...]:
    pad_id = None if how is None or how.left is None else how.pad_id
    return tuple(_kind(row, subject.end_ids, behind=row.ids[0] == pad_id) for row in rows)


def _kind(row: TokenRow, end_ids: frozenset[int], *, behind: bool = False) -> _Kinds:
    kinds = np.full(len(row.ids), TEXT, dtype=np.int8)
    kinds[: max(row.prompt_tokens, row.first_target if row.first_target > 1 else 0)] = PROMPT
    if behind:
        kinds[0] = PADDING
    if row.ids[-1] in end_ids:
        kinds[-1] = END
    return kinds
