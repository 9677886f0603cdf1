"""Two checkpoints beside each other, as Markdown that reads well in a terminal, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.report.escaping import code, prose, table
from evalharness.report.wording import nats, percent_interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.records import Interval, Scorecard
    from evalharness.statistics import Comparison

SHOWN = 12
"""Problems that are named of those that flipped; how many there are is always said."""
LEVEL = 0.05
LEGEND = (
    "Paired by problem. Intervals at 95 %; p: McNemar's exact test for one completion a problem, else sign flips. "
    "Detectable: the least difference that these problems would have shown at 5 % in 80 of 100 cases."
)


def render_comparison(
    names: tuple[str, str],
    cards: tuple[Scorecard, Scorecard],
    measures: Mapping[str, Comparison],
    notes: Sequence[str],
) -> str:
    """Return the document: the sentence, the losses, every measure with its difference, the problems that flipped."""
    lines = [f"# {prose(names[0])} against {prose(names[1])}", "", _sentence(names, cards, measures), ""]
    lines += [_losses(names, cards), "", _measures(names, measures), ""]
    lines += [LEGEND, ""]
    lines += [f"- {line}" for line in _flips(measures)]
    if notes:
        lines += ["", "Not held fixed:", "", *(f"- {prose(note)}" for note in notes)]
    return "\n".join(lines) + "\n"


def _sentence(names: tuple[str, str], cards: tuple[Scorecard, Scorecard], measures: Mapping[str, Comparison]) -> str:
    """What the losses say, and what the behaviour says."""
    better = _better(measures)
    if better is None:
        return "Neither is shown to be better: no measure differs by more than chance."
    winner, loser = names[better], names[1 - better]
    losses = [card.loss.logged_nats for card in cards]
    if losses[0] is None or losses[1] is None or losses[0] == losses[1]:
        return f"**{prose(winner)} is the better model.**"
    lower = 0 if losses[0] < losses[1] else 1
    figures = f"{nats(losses[better] or 0.0)} nats logged against {nats(losses[1 - better] or 0.0)}"
    if lower != better:
        return f"**The lower loss is the worse model**: {prose(winner)} is better than {prose(loser)} ({figures})."
    return f"**The lower loss is the better model**: {prose(winner)} is better than {prose(loser)} ({figures})."


def _better(measures: Mapping[str, Comparison]) -> int | None:
    """Which is better on the measures that differ by more than chance; None where none does, or they disagree."""
    votes = set()
    for name, found in measures.items():
        if found.p_value <= LEVEL and found.difference.estimate:
            rose = found.difference.estimate > 0
            votes.add(int(rose != name.endswith("degenerate")))
    return votes.pop() if len(votes) == 1 else None


def _losses(names: tuple[str, str], cards: tuple[Scorecard, Scorecard]) -> str:
    rows = [
        ["Logged loss (nats)", *("–" if c.loss.logged_nats is None else nats(c.loss.logged_nats) for c in cards)],
        ["Honest loss (nats)", *(_nats(card.loss.honest_nats) for card in cards)],
        ["Verdict", *(card.verdict for card in cards)],
        ["Cause", *(_cause(card) for card in cards)],
    ]
    return table(["", *map(prose, names)], rows)


def _nats(interval: Interval | None) -> str:
    return "–" if interval is None else f"{nats(interval.estimate)} [{nats(interval.low)}, {nats(interval.high)}]"


def _cause(card: Scorecard) -> str:
    return "none found" if card.cause is None else code(card.cause.probe)


def _measures(names: tuple[str, str], measures: Mapping[str, Comparison]) -> str:
    rows = [
        [
            prose(name),
            str(found.problems),
            percent_interval(found.first),
            percent_interval(found.second),
            _points(found.difference),
            _p(found.p_value),
            "–" if found.detectable is None else f"{100 * found.detectable:.1f}",
            f"{len(found.gained)} up, {len(found.lost)} down",
        ]
        for name, found in measures.items()
    ]
    header = ["Measure", "Problems", *map(prose, names), "Difference (points)", "p", "Detectable", "Flipped"]
    return table(header, rows, frozenset({1, 2, 3, 4, 5, 6}))


def _points(difference: Interval) -> str:
    return f"{100 * difference.estimate:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def _flips(measures: Mapping[str, Comparison]) -> Iterator[str]:
    for name, found in measures.items():
        if name.endswith("greedy, pass@1"):
            for direction, tasks in (("only the second passes", found.gained), ("only the first passes", found.lost)):
                if tasks:
                    shown = ", ".join(map(code, tasks[:SHOWN]))
                    more = f" and {len(tasks) - SHOWN} more" if len(tasks) > SHOWN else ""
                    yield f"{prose(name)}: {direction} {shown}{more}"


def comparison_record(
    names: tuple[str, str], measures: Mapping[str, Comparison], notes: Sequence[str]
) -> dict[str, Any]:
    """Return the same as one object for JSON."""
    return {"first": names[0], "second": names[1], "measures": dict(measures), "notes": list(notes)}
