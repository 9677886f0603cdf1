"""The section on the loss of one checkpoint: the three losses, how they were computed, the loss by kind of token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.report.log_words import log_of_card
from evalharness.report.loss_verdict import loss_conclusion, loss_relation, was_seen
from evalharness.report.numbers import bits, nats, nats_bounds, percent_interval
from evalharness.report.parts import Heading, Paragraph, Table
from evalharness.report.sections.figure_parts import figure
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalharness.records import Interval, Loss, PartLoss, Scorecard
    from evalharness.report.parts import Part

SHARE_OF_FALL = "Share of the decrease"
CONVENTIONS_SHOWN = 6
"""How many of the conventions that reproduce a logged loss are named, the nearest first."""
HONEST = "honest (no future tokens)"
_MEANING = {
    "agree": "The recomputed and the honest loss agree within their confidence intervals.",
    "misleads": (
        "Both losses are over the same target tokens. They would be equal if the model saw only the tokens before each "
        "target. The model read the difference from its input, so it says nothing about what the model can write."
    ),
    "differ": (
        "Both losses are over the same target tokens. They would be equal if each prediction depended only on the "
        "tokens before its target. Here it also depends on later tokens, or on how rows are put together."
    ),
    "not_measured": "Without an honest loss and its confidence interval, nothing can be said about the logged loss.",
}
_PASSAGE = (
    "One row of the data, each token coloured by its loss. Left: the recomputed loss, with the whole row in the input, "
    "as in training. Right: the honest loss, with only the tokens before it, as when the model writes."
)


def loss_section(card: Scorecard, figures: Mapping[str, bytes]) -> Iterator[Part]:
    """Yield all that a report says of the loss."""
    loss = card.loss
    yield Heading("Loss")
    yield losses_table(loss)
    yield from map(Paragraph, _sentences(card))
    yield from figure("losses", figures)
    parts = loss_parts(loss)
    if parts is not None:
        yield Paragraph(_parts_explained(parts))
        yield parts
    yield from figure("loss_by_class", figures)
    yield from figure("passage", figures, before=_PASSAGE)


def losses_table(loss: Loss) -> Table:
    """Return the table of the three losses."""
    source = "no loss was found" if loss.logged_source is None else f"from {loss.logged_source}"
    of_recomputed, of_honest = map(bits, (loss.recomputed_bits_per_byte, loss.honest_bits_per_byte))
    rows = (
        ("logged", "–" if loss.logged_nats is None else nats(loss.logged_nats), "", "–", source),
        ("recomputed", *_cells(loss.recomputed_nats), of_recomputed, "one pass over each row, as in training"),
        (HONEST, *_cells(loss.honest_nats), of_honest, "each token predicted from the tokens before it only"),
    )
    header = ("Loss", "Nats per token", "95 % confidence interval", "Bits per byte", "What it is")
    return Table(header, rows, frozenset({1, 3}))


def _cells(interval: Interval | None) -> tuple[str, str]:
    if interval is None:
        return "–", "not measured"
    return nats(interval.estimate), nats_bounds(interval) or "none: one row"


def _sentences(card: Scorecard) -> Iterator[str]:
    if was_seen(card):
        yield _MEANING[loss_relation(card.loss)]
        yield f"How the recomputed and the honest loss were computed: {card.loss.convention}."
    else:
        yield loss_conclusion(card)
    if (text := log_of_card(card)) is not None:
        yield f"Training log: {text}."
    if card.loss.honest_bits_per_byte is not None:
        yield "Bits per byte of the targets' text compare across tokenizers; nats per token don't."
    yield from filter(None, (conventions(card.loss),))


def conventions(loss: Loss) -> str:
    """Return which ways to compute the loss give the logged one; nothing if none was logged or none tried."""
    if loss.logged_nats is None or not loss.conventions:
        return ""
    tried = (
        "Training loops differ in what they average: with or without the prompt, padding or the end token, over tokens "
        f"or over rows. The loss of these rows was computed in {loss.conventions} such ways."
    )
    logged, agreeing = f"the logged {nats(loss.logged_nats)} nats", loss.reproduced_by
    if not agreeing:
        return f"{tried} None gives {logged}."
    shown = "; ".join(f"{item.words} ({nats(item.loss_nats.estimate)})" for item in agreeing[:CONVENTIONS_SHOWN])
    more = f"; and {len(agreeing) - CONVENTIONS_SHOWN} more" if len(agreeing) > CONVENTIONS_SHOWN else ""
    return (
        f"{tried} {counted(len(agreeing), 'way gives', 'ways give')} {logged} within error: {shown}{more}. Training "
        "probably used one of them; with so many ways, one may agree by chance."
    )


def loss_parts(loss: Loss) -> Table | None:
    """Return the table of the loss by kind of token and by position; None if it was not measured."""
    if loss.whole is None:
        return None
    fell = loss.whole.before_nats is not None
    header = ["Target tokens", "Targets", "Share of targets", "Nats per token", "95 % confidence interval"]
    header += ["Before training", SHARE_OF_FALL] if fell else []
    rows = tuple(_part(part, fell) for part in (*loss.by_class, *loss.by_position, loss.whole))
    return Table(tuple(header), rows, frozenset(range(1, len(header))))


def _parts_explained(parts: Table) -> str:
    """Say how to read the table of parts."""
    begin = (
        "The recomputed loss by kind of target token, and in the first and the last quarter of each row. Every target "
        "is of one kind; the quarters hold targets of all kinds."
    )
    if SHARE_OF_FALL not in parts.header:
        return begin
    return (
        f"{begin} {SHARE_OF_FALL}: how much of the decrease of the mean loss since before training comes from these "
        "targets; negative if their loss rose."
    )


def _part(part: PartLoss, fell: bool) -> tuple[str, ...]:
    is_whole = part.name == "all"
    bounds = f"[{nats(part.after_nats.low)}, {nats(part.after_nats.high)}]"
    share = "100 %" if is_whole else percent_interval(part.share_of_targets)
    cells = (part.name, f"{part.targets:,}", share, nats(part.after_nats.estimate), bounds)
    if not fell:
        return cells
    before = "–" if part.before_nats is None else nats(part.before_nats.estimate)
    return (*cells, before, "100 %" if is_whole else _share_of_fall(part))


def _share_of_fall(part: PartLoss) -> str:
    return "–" if part.share_of_fall is None else percent_interval(part.share_of_fall)
