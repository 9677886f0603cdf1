"""What the logged loss counts, established once: how rows are laid out, and whether the prompt is a target."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from evalharness.diagnosis.losses.arrangement import Arrangement
from evalharness.diagnosis.losses.recomputed_loss import reproducing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.subject import Split, Subject
    from evalharness.records import Interval


@dataclass(frozen=True, slots=True)
class Established:
    """How every probe measures a loss. By default rows are taken as the manifest has them read.

    ``prompt``: whether the prompt counts (None: as the rows have it). ``block``: the rows stand one after another in
    blocks of so many ids. ``piece``: running text, which was read in pieces of the context, was trained in shorter ones
    of so many ids. ``shown_by`` is the convention that the log is of, None where none comes near.
    """

    arrangement: Arrangement = field(default_factory=Arrangement)
    prompt: bool | None = None
    block: int | None = None
    piece: int | None = None
    shown_by: Recomputed | None = None

    @property
    def packed(self) -> bool:
        """Whether rows stand one after another in blocks."""
        return self.block is not None

    @property
    def is_as_read(self) -> bool:
        """Whether rows are measured just as they are read."""
        return self.prompt is None and self.piece is None and self.arrangement == Arrangement()

    def rows(self, subject: Subject, split: Split, rows: Sequence[TokenRow]) -> Iterator[TokenRow]:
        """``rows`` of ``split`` as the log has them; those without a target are left out."""
        for row in rows:
            for piece in self._pieces(self.arrangement.row(subject, split, row)):
                laid = self._counted(piece)
                if len(laid.ids) > laid.first_target:
                    yield laid

    def _pieces(self, row: TokenRow) -> Iterator[TokenRow]:
        if self.piece is None:
            yield row
            return
        for begin in range(0, len(row.ids), self.piece):
            ids = row.ids[begin : begin + self.piece]
            yield replace(row, ids=ids, tokens=len(ids), first_target=1, prompt_tokens=0)

    def _counted(self, row: TokenRow) -> TokenRow:
        if self.prompt is None or not row.prompt_tokens:
            return row
        first = 1 if self.prompt else max(1, row.prompt_tokens)
        return row if first == row.first_target else replace(row, first_target=first)


def established(subject: Subject, conventions: Sequence[Recomputed]) -> Established:
    """The simplest plain convention that reproduces the log, else what all others that do have in common.

    Of conventions that are known exactly the nearest is taken, even if some small thing else moved the loss; of others
    the nearest to the rows as they are read: within a sampling error the figures don't tell.
    """
    if subject.logged is None:
        return Established()
    logged_nats = subject.logged.loss_nats
    fit = reproducing(conventions, logged_nats)
    plain = [item for item in fit if item.convention.is_plain] or _nearly(conventions, logged_nats)
    if not plain:
        return Established(prompt=_prompt(subject, fit), shown_by=fit[0] if fit else None)
    best = plain[0] if plain[0].exact else min(plain, key=_unusual)
    arrangement = Arrangement() if best.as_given else best.layout.arrangement
    split = subject.validation or subject.train
    piece = best.layout.block if split is not None and split.is_running_text else None
    return Established(arrangement, _prompt(subject, plain, best), best.layout.block, piece, best)


def established_by_text(apart_more_nats: Interval | None) -> Established:
    """Without a log: rows encoded whole if their text is less probable encoded apart, else as they are read."""
    is_whole = apart_more_nats is not None and apart_more_nats.low > 0
    return Established(Arrangement(whole=is_whole))


def _nearly(conventions: Sequence[Recomputed], logged_nats: float) -> list[Recomputed]:
    """The plain conventions that are known exactly and are not far from the log, the nearest first."""
    exact = [item for item in conventions if item.exact and item.plausible and item.convention.is_plain]
    near = [item for item in exact if not item.is_far_from(logged_nats)]
    return sorted(near, key=lambda item: abs(item.loss_nats.estimate - logged_nats))


def _unusual(item: Recomputed) -> tuple[bool, ...]:
    return (not item.as_given, item.layout.packed, item.convention.by_row)


def _prompt(subject: Subject, fit: Sequence[Recomputed], best: Recomputed | None = None) -> bool | None:
    """Whether the prompt counts; what is declared where the conventions don't agree and none of them is exact."""
    counted = {item.convention.prompt for item in fit if item.convention.shift == 1}
    if best is not None and best.exact:
        return best.convention.prompt
    return counted.pop() if len(counted) == 1 else subject.declared.count_prompt
