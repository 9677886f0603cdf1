"""The plain loss of rows with an end token, under the four ways to count prompt and end: repairs are compared by it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from evalharness.diagnosis.data.row_ends import end_place
from evalharness.diagnosis.losses.layouts import END, PROMPT, TEXT
from evalharness.diagnosis.losses.row_means import Floats, capped, mean
from evalharness.errors import EvaluationError
from evalharness.models.log_softmax import log_probabilities_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.losses.token_losses import RowLosses
    from evalharness.diagnosis.subject import Split, Subject
    from evalharness.models.protocols import TorchModel
    from evalharness.records import Interval


@dataclass(frozen=True, slots=True)
class Counting:
    """Which targets count, besides those of the text."""

    prompt: bool
    end: bool

    @property
    def words(self) -> str:
        """Both, in one phrase."""
        return f"prompt {'' if self.prompt else 'not '}counted, {'end token counted' if self.end else 'no end token'}"


TEXT_ONLY = Counting(prompt=False, end=False)
"""What every training counts."""
COUNTINGS = tuple(Counting(prompt, end) for prompt in (True, False) for end in (True, False))


@dataclass(frozen=True, slots=True)
class CountedRow:
    """The losses (nats) of all targets of one row, ``(n - 1,)``, and what each of them is.

    ``text_share``: how much of the text these are, of what the row has as loaded. It is only given, as a number, where
    the same text stands in other tokens.
    """

    nll_nats: Floats
    kinds: npt.NDArray[np.int8]
    text_share: float | None = None

    def counted(self, how: Counting) -> Floats:
        """The losses that count."""
        counts = (self.kinds == TEXT) | ((self.kinds == PROMPT) & how.prompt) | ((self.kinds == END) & how.end)
        counted: Floats = self.nll_nats[counts]
        return counted


def rows_with_end(subject: Subject, split: Split, rows: Sequence[TokenRow] | None = None) -> tuple[TokenRow, ...]:
    """All rows of a split, or ``rows`` of it, each with an end token if one is known and the context has room."""
    rows = split.encoded if rows is None else tuple(rows)
    if not subject.end_ids:
        return tuple(rows)
    places = ((row, end_place(row, subject.end_ids)) for row in split.encoded)
    end = next((row.ids[place] for row, place in places if place is not None), min(subject.end_ids))
    limit = subject.model.context_length
    return tuple(
        row
        if end_place(row, subject.end_ids) is not None or row.was_cut or len(row.ids) == limit
        else replace(row, ids=(*row.ids, end))
        for row in rows
    )


def with_begin(row: TokenRow, own: Sequence[int], begin: Sequence[int], limit: int | None) -> TokenRow:
    """The row with other begin ids: ``own`` are those that stand there now."""
    cut = len(own) if own and tuple(row.ids[: len(own)]) == tuple(own) else 0
    longer = len(begin) - cut
    first = 1 if row.first_target == 1 else max(1, row.first_target + longer)
    return replace(
        row, ids=(*begin, *row.ids[cut:])[:limit], first_target=first, prompt_tokens=max(0, row.prompt_tokens + longer)
    )


def counted_losses(
    model: TorchModel,
    rows: Sequence[TokenRow],
    end_ids: frozenset[int],
    around_row: Callable[[TokenRow], AbstractContextManager[Any]] | None = None,
) -> tuple[CountedRow, ...]:
    """One pass for each row, within ``around_row``. Raises :class:`EvaluationError` if the model returns NaN."""
    found = []
    for row in rows:
        with nullcontext() if around_row is None else around_row(row):
            logits = model.logits(torch.tensor([row.ids[:-1]], device=model.device))[0]
        found.append(_row(logits, row, end_ids))
    return tuple(found)


def counted_of(losses: Sequence[RowLosses], end_ids: frozenset[int]) -> tuple[CountedRow, ...]:
    """The same of rows that were measured already."""
    return tuple(CountedRow(capped(row.nll_nats), _kinds(row.row, end_ids)) for row in losses)


def figure(rows: Sequence[CountedRow], how: Counting, seed: int) -> Interval | None:
    """The mean over all targets that count, with its interval over rows; None if there are none."""
    values = [counted for row in rows if len(counted := row.counted(how))]
    return mean(values, seed) if values else None


def mean_nats(rows: Sequence[CountedRow], how: Counting) -> float | None:
    """The mean (nats) over all targets that count; None if there are none."""
    counted = np.concatenate([row.counted(how) for row in rows])
    return float(counted.mean()) if len(counted) else None


def lowered_by(before: Sequence[CountedRow], after: Sequence[CountedRow], how: Counting) -> list[float]:
    """For each row: by how much (nats per token) the loss of the targets that count in both is lower ``after``.

    In other tokens it is the loss of the whole text that is compared, for each token that the text has ``before``: the
    mean over tokens falls by itself if they are shorter.
    """
    pairs = [(old.counted(how), new.counted(how), new.text_share) for old, new in zip(before, after, strict=True)]
    return [_lowered(old, new, share) for old, new, share in pairs if len(old) and len(new)]


def _lowered(before: Floats, after: Floats, text_share: float | None) -> float:
    if text_share is not None:
        return float(before.mean() - after.sum() / (max(text_share, 1e-9) * len(before)))
    both = min(len(before), len(after))
    return float(before[-both:].mean() - after[-both:].mean())


def _row(logits: torch.Tensor, row: TokenRow, end_ids: frozenset[int]) -> CountedRow:
    ids = torch.tensor(row.ids, device=logits.device)
    nll = -log_probabilities_of(logits, ids[1:])
    if bool(nll.isnan().any()):
        raise EvaluationError(f"the model returns NaN on {len(row.ids)} tokens of its own data")
    return CountedRow(capped(nll.cpu().numpy().astype(np.float64)), _kinds(row, end_ids))


def _kinds(row: TokenRow, end_ids: frozenset[int]) -> npt.NDArray[np.int8]:
    """What each target of a row is, ``(n - 1,)``."""
    kinds = np.full(len(row.ids), TEXT, dtype=np.int8)
    kinds[: max(row.prompt_tokens, row.first_target if row.first_target > 1 else 0)] = PROMPT
    if (place := end_place(row, end_ids)) is not None:
        kinds[place] = END
    return kinds[1:]
