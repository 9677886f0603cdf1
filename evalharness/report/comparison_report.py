"""Two checkpoints beside each other, as a document and as a record for JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from evalharness.report.cause_summary import cause_cell
from evalharness.report.compared_losses import compared_losses
from evalharness.report.loss_verdict import loss_relation
from evalharness.report.numbers import nats, nats_interval, percent_interval
from evalharness.report.parts import BulletList, Code, Heading, Paragraph, Strong, Table, joined
from evalharness.report.shares import verdict_cell
from evalharness.statistics import LEAST_P

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.records import Interval, Measure, Scorecard
    from evalharness.report.parts import Part, Text
    from evalharness.statistics import Comparison

    Pair = tuple[Scorecard, Scorecard]
    Names = tuple[str, str]
    Measures = Mapping[Measure, Comparison]

SHOWN = 12
"""How many of the problems that changed are named; how many there are is always said."""
LEVEL = 0.05
LEGEND = (
    "Paired by problem, with 95 % confidence intervals. p is two-sided, by the test in the second table: McNemar's "
    "exact test if every problem either passes or fails in both, else sign flips. Changed: the problems whose share "
    "rose or fell, by however little; for degeneration, down is good. Detectable: the smallest difference (in points) "
    "that this many problems would show at the 5 % level in 80 of 100 cases."
)


@dataclass(frozen=True, slots=True)
class Headline:
    """What a comparison concludes: the ``lead``, and the ``rest`` with its grounds, which follows a colon.

    ``better`` is the index of the better one, 0 or 1; None if neither is shown to be better.
    """

    lead: str
    rest: str
    better: int | None


def comparison_document(names: Names, cards: Pair, measures: Measures, notes: Sequence[str]) -> tuple[Part, ...]:
    """Return the conclusion, the losses, every measure with its difference, and the problems that changed."""
    said = headline(names, cards, measures)
    changed = tuple(_changes(measures))
    notes_parts = (Paragraph("These settings differ:"), BulletList(tuple(notes))) if notes else ()
    return (
        Heading(f"{names[0]} against {names[1]}", 1),
        Paragraph((Strong(said.lead), f": {said.rest}")),
        _losses(names, cards),
        _measures(names, measures),
        _tests(measures),
        Paragraph(LEGEND),
        *([BulletList(changed)] if changed else []),
        *notes_parts,
    )


def headline(names: Names, cards: Pair, measures: Measures) -> Headline:
    """Say which is better, on what grounds, what the losses said, and whose loss is not real."""
    votes = {
        measure: vote for measure, comparison in measures.items() if (vote := _vote(measure, comparison)) is not None
    }
    of_each = [[measure for measure, vote in votes.items() if vote == side] for side in (0, 1)]
    unreal = _not_real(names, cards)
    if not votes or all(of_each):
        grounds = [
            f"{name} is better by {'; '.join(map(str, won))}" for name, won in zip(names, of_each, strict=True) if won
        ]
        why = ", ".join(grounds) or "no measure differs by more than chance"
        return Headline("Neither is shown to be better", f"{why}{unreal}.{_honest(names, cards)}", None)
    better = 0 if of_each[0] else 1
    winner, loser = names[better], names[1 - better]
    losses = compared_losses(*cards)
    won, lost = losses.logged[better], losses.logged[1 - better]
    if won is None or lost is None or won == lost:
        return Headline(f"{winner} is the better model", f"{_grounds(of_each[better])}{unreal}.", better)
    return Headline(
        f"The lower loss is the {'better' if won < lost else 'worse'} model",
        f"{winner} is better than {loser} ({nats(won)} {losses.unit} logged against {nats(lost)}){unreal}. "
        f"It is better {_grounds(of_each[better])}.",
        better,
    )


def _vote(measure: Measure, comparison: Comparison) -> int | None:
    """Which of the two a measure says is better; None if it differs by no more than chance."""
    if comparison.p_value > LEVEL or not comparison.difference.estimate:
        return None
    return int((comparison.difference.estimate > 0) != measure.is_degeneration)


def _grounds(measures: Sequence[Measure]) -> str:
    """What "better" rests on."""
    names = "; ".join(map(str, measures))
    if all(measure.is_degeneration for measure in measures):
        return f"by degeneration alone ({names}): no pass rate differs by more than chance"
    return f"by {names}"


def _not_real(names: Names, cards: Pair) -> str:
    """Whose loss is not real, with the cause; nothing if neither's is known to be."""
    unreal = [
        f"the loss of {name} is not real{f' ({card.cause.probe})' if card.cause else ''}"
        for name, card in zip(names, cards, strict=True)
        if loss_relation(card.loss) == "misleads"
    ]
    return f", and {' and '.join(unreal)}" if unreal else ""


def _honest(names: Names, cards: Pair) -> str:
    """Whose honest loss is lower by more than chance, where behaviour does not tell the two apart."""
    compared = compared_losses(*cards)
    first, second = compared.honest
    if first is None or second is None or (first.low <= second.high and second.low <= first.high):
        return ""
    lower = 0 if first.high < second.low else 1
    losses = nats_interval((first, second)[lower]), nats_interval((first, second)[1 - lower])
    return f" The honest loss of {names[lower]} is lower: {losses[0]} against {losses[1]} {compared.unit}."


def _losses(names: Names, cards: Pair) -> Table:
    losses = compared_losses(*cards)
    logged = ["–" if loss is None else nats(loss) for loss in losses.logged]
    lengths = [] if losses.bytes_per_token is None else [f"{length:.2f}" for length in losses.bytes_per_token]
    return Table(
        ("", *names),
        (
            (f"Logged loss ({losses.unit})", *logged),
            ("Honest loss (no future tokens)", *map(_nats, losses.honest)),
            *([("Bytes per token: nats per token don't compare", *lengths)] if lengths else []),
            ("Verdict", *(verdict_cell(card) for card in cards)),
            ("Cause", *map(cause_cell, cards)),
        ),
    )


def _nats(interval: Interval | None) -> str:
    return "–" if interval is None else nats_interval(interval)


def _measures(names: Names, measures: Measures) -> Table:
    header = ("Measure", *names, "Difference (points)", "p")
    rows = tuple(_measure(measure, comparison) for measure, comparison in measures.items())
    return Table(header, rows, frozenset({1, 2, 3, 4}))


def _measure(measure: Measure, comparison: Comparison) -> tuple[str, ...]:
    return (
        str(measure),
        percent_interval(comparison.first),
        percent_interval(comparison.second),
        _points(comparison.difference),
        _p(comparison.p_value),
    )


def _tests(measures: Measures) -> Table:
    """On what each p rests."""
    header = ("Measure", "Problems", "Test of p", "Detectable", "Changed")
    rows = tuple(_test(measure, comparison) for measure, comparison in measures.items())
    return Table(header, rows, frozenset({1, 3}))


def _test(measure: Measure, comparison: Comparison) -> tuple[str, ...]:
    return (
        str(measure),
        str(comparison.problems),
        comparison.test.removeprefix("exact "),
        "–" if comparison.detectable is None else f"{100 * comparison.detectable:.1f}",
        f"{len(comparison.gained)} up, {len(comparison.lost)} down",
    )


def _points(difference: Interval) -> str:
    return f"{100 * difference.estimate:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"


def _p(value: float) -> str:
    if value == LEAST_P:
        return f"≤ {value:.0e}"
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def _changes(measures: Measures) -> Iterator[Text]:
    for measure, comparison in measures.items():
        if (measure.decoding, measure.k) == ("greedy", 1):
            for direction, tasks in (
                ("only the second passes", comparison.gained),
                ("only the first passes", comparison.lost),
            ):
                if tasks:
                    more = f" and {len(tasks) - SHOWN} more" if len(tasks) > SHOWN else ""
                    yield (f"{measure}: {direction} ", *joined([Code(task) for task in tasks[:SHOWN]], ", "), more)


def comparison_record(names: Names, cards: Pair, measures: Measures, notes: Sequence[str]) -> dict[str, Any]:
    """Return the same as one object for JSON, with intervals as records.

    ``better`` is the better one's name, None if neither is shown to be. ``scores`` has of the first and the second
    the step, the losses, what they say of each other (``agree``, ``misleads``, ``differ`` or ``not_measured``), the
    verdict and the probe of the cause. A measure has the fields of :class:`~evalharness.statistics.Comparison`, and
    ``detectable``; its ``test`` is the one that gives its p-value.
    """
    conclusion = headline(names, cards, measures)
    return {
        "first": names[0],
        "second": names[1],
        "headline": f"{conclusion.lead}: {conclusion.rest}",
        "better": None if conclusion.better is None else names[conclusion.better],
        "scores": [_score(name, card) for name, card in zip(names, cards, strict=True)],
        "measures": {
            str(name): asdict(comparison) | {"detectable": comparison.detectable}
            for name, comparison in measures.items()
        },
        "notes": list(notes),
    }


def _score(name: str, card: Scorecard) -> dict[str, Any]:
    return {
        "name": name,
        "step": card.checkpoint.step,
        "logged_nats": card.loss.logged_nats,
        "recomputed_nats": card.loss.recomputed_nats,
        "honest_nats": card.loss.honest_nats,
        "recomputed_bits_per_byte": card.loss.recomputed_bits_per_byte,
        "honest_bits_per_byte": card.loss.honest_bits_per_byte,
        "loss_relation": loss_relation(card.loss),
        "verdict": card.verdict,
        "verdict_reason": card.verdict_reason,
        "cause": None if card.cause is None else card.cause.probe,
    }
