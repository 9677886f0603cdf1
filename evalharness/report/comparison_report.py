"""Two checkpoints beside each other, as Markdown that reads well in a terminal, too, and as a record for JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from evalharness.report.numbers import loss_relation, nats, nats_interval, percent_interval
from evalharness.report.sections.run_tables import cause_cell
from evalharness.report.writers.escaping import code, prose, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.records import Interval, Measure, Scorecard
    from evalharness.statistics import Comparison

    Pair = tuple[Scorecard, Scorecard]
    Names = tuple[str, str]
    Measures = Mapping[Measure, Comparison]

SHOWN = 12
"""Problems that are named of those that flipped; how many there are is always said."""
LEVEL = 0.05
LEGEND = (
    "Paired by problem. Intervals at 95 %; p is two-sided, by the test beside it: McNemar's exact one where each "
    "problem's share is 0 or 1 in both, else sign flips. Flipped: the problems whose share rose and fell, with several "
    "completions a problem by however little; of degeneration down is good. Detectable: the least difference (points) "
    "that as many problems would have shown at 5 % in 80 of 100 cases, with as many flips as there were."
)


@dataclass(frozen=True, slots=True)
class Headline:
    """What a comparison comes to, as plain text: the ``lead``, and the ``rest`` with its grounds, after a colon.

    ``better`` is the place of the better one, 0 or 1; None where neither is shown to be.
    """

    lead: str
    rest: str
    better: int | None


def render_comparison(names: Names, cards: Pair, measures: Measures, notes: Sequence[str]) -> str:
    """Return the document: the sentence, the losses, every measure with its difference, the problems that flipped."""
    said = headline(names, cards, measures)
    lines = [f"# {prose(names[0])} against {prose(names[1])}", "", f"**{prose(said.lead)}**: {prose(said.rest)}", ""]
    lines += [_losses(names, cards), "", _measures(names, measures), ""]
    lines += [LEGEND, ""]
    lines += [f"- {line}" for line in _flips(measures)]
    if notes:
        lines += ["", "Not held fixed:", "", *(f"- {prose(note)}" for note in notes)]
    return "\n".join(lines) + "\n"


def headline(names: Names, cards: Pair, measures: Measures) -> Headline:
    """Say which is better, on what that rests, what the losses said, and whose loss is not real."""
    votes = {measure: vote for measure, found in measures.items() if (vote := _vote(measure, found)) is not None}
    of_each = [[measure for measure, vote in votes.items() if vote == side] for side in (0, 1)]
    unreal = _not_real(names, cards)
    if not votes or all(of_each):
        grounds = [
            f"{name} is better by {'; '.join(map(str, of))}" for name, of in zip(names, of_each, strict=True) if of
        ]
        why = ", ".join(grounds) or "no measure differs by more than chance"
        return Headline("Neither is shown to be better", f"{why}{unreal}.", None)
    better = 0 if of_each[0] else 1
    winner, loser = names[better], names[1 - better]
    won, lost = (cards[i].loss.logged_nats for i in (better, 1 - better))
    if won is None or lost is None or won == lost:
        return Headline(f"{winner} is the better model", f"{_grounds(of_each[better])}{unreal}.", better)
    return Headline(
        f"The lower loss is the {'better' if won < lost else 'worse'} model",
        f"{winner} is better than {loser} ({nats(won)} nats logged against {nats(lost)}){unreal}. "
        f"It is better {_grounds(of_each[better])}.",
        better,
    )


def _vote(measure: Measure, found: Comparison) -> int | None:
    """Which of the two a measure says is better; None where it differs by no more than chance."""
    if found.p_value > LEVEL or not found.difference.estimate:
        return None
    return int((found.difference.estimate > 0) != measure.is_degeneration)


def _grounds(measures: Sequence[Measure]) -> str:
    """What "better" rests on."""
    named = "; ".join(map(str, measures))
    if all(measure.is_degeneration for measure in measures):
        return f"by degeneration alone ({named}), for no pass rate differs by more than chance"
    return f"by {named}"


def _not_real(names: Names, cards: Pair) -> str:
    """Whose loss is not real, with the cause; nothing where neither's is known to be."""
    found = [
        f"the loss of {name} is not real{f' ({card.cause.probe})' if card.cause else ''}"
        for name, card in zip(names, cards, strict=True)
        if loss_relation(card.loss) == "misleads"
    ]
    return f", and {' and '.join(found)}" if found else ""


def _losses(names: Names, cards: Pair) -> str:
    rows = [
        ["Logged loss (nats)", *("–" if c.loss.logged_nats is None else nats(c.loss.logged_nats) for c in cards)],
        ["Honest loss (nats)", *(_nats(card.loss.honest_nats) for card in cards)],
        ["Verdict", *(card.verdict for card in cards)],
        ["Cause", *(cause_cell(card) for card in cards)],
    ]
    return table(["", *map(prose, names)], rows)


def _nats(interval: Interval | None) -> str:
    return "–" if interval is None else nats_interval(interval)


def _measures(names: Names, measures: Measures) -> str:
    rows = [
        [
            prose(str(measure)),
            str(found.problems),
            percent_interval(found.first),
            percent_interval(found.second),
            _points(found.difference),
            _p(found.p_value),
            found.test.removeprefix("exact "),
            "–" if found.detectable is None else f"{100 * found.detectable:.1f}",
            f"{len(found.gained)} up, {len(found.lost)} down",
        ]
        for measure, found in measures.items()
    ]
    header = ["Measure", "Problems", *map(prose, names), "Difference (points)", "p", "Test", "Detectable", "Flipped"]
    return table(header, rows, frozenset({1, 2, 3, 4, 5, 7}))


def _points(difference: Interval) -> str:
    return f"{100 * difference.estimate:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def _flips(measures: Measures) -> Iterator[str]:
    for measure, found in measures.items():
        if measure.decoding == "greedy" and measure.k == 1:
            for direction, tasks in (("only the second passes", found.gained), ("only the first passes", found.lost)):
                if tasks:
                    shown = ", ".join(map(code, tasks[:SHOWN]))
                    more = f" and {len(tasks) - SHOWN} more" if len(tasks) > SHOWN else ""
                    yield f"{prose(str(measure))}: {direction} {shown}{more}"


def comparison_record(names: Names, cards: Pair, measures: Measures, notes: Sequence[str]) -> dict[str, Any]:
    """Return the same as one object for JSON, with intervals as records.

    ``better`` is the better one's name, None where neither is shown to be. ``scores`` has of the first and the second
    the step, the losses, what they say of each other (``agree``, ``misleads``, ``differ`` or ``not_measured``), the
    verdict and the probe of the cause. A measure has the fields of :class:`~evalharness.statistics.Comparison`, whose
    ``test`` is the one its p-values are of, and ``detectable``.
    """
    said = headline(names, cards, measures)
    return {
        "first": names[0],
        "second": names[1],
        "headline": f"{said.lead}: {said.rest}",
        "better": None if said.better is None else names[said.better],
        "scores": [_score(name, card) for name, card in zip(names, cards, strict=True)],
        "measures": {
            str(measure): asdict(found) | {"detectable": found.detectable} for measure, found in measures.items()
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
        "loss_relation": loss_relation(card.loss),
        "verdict": card.verdict,
        "verdict_reason": card.verdict_reason,
        "cause": None if card.cause is None else card.cause.probe,
    }
