"""What need not be tried again for a run that failed: each with the figures that rule it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.records import NO_STEP
from evalharness.report.numbers import nats_interval
from evalharness.report.parts import Code, marked
from evalharness.report.printable import first_sentence
from evalharness.report.shares import best_pass_at_1

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.records import Interval, Scorecard
    from evalharness.report.parts import Text
    from evalharness.report.run_evidence import Run

FEWEST_STEPS = 3
"""Of fewer scored steps nothing is said about longer training."""


def dead_ends(run: Run) -> Iterator[Text]:
    """Yield what is in vain; nothing of a run in which nothing is wrong."""
    card = run.last
    if card.verdict not in {"collapsed", "degenerating"} and all(f.severity == "note" for f in card.findings):
        return
    yield from _longer_training(run)
    unclear = {finding.probe for finding in card.findings} | {item.probe for item in card.not_testable}
    cleared = {item.probe: item for item in reversed(card.ruled_out) if item.probe not in unclear}
    for probe, words in run.not_worth_trying.items():
        if probe in cleared:
            yield (f"{words}: ", *marked(first_sentence(cleared[probe].claim)), " (", Code(probe), ")")


def _longer_training(run: Run) -> Iterator[Text]:
    """More steps, if between the first and the last scored one nothing got better but the logged loss."""
    steps = [step for step in run.steps if step != NO_STEP]
    cards = [run.frames.scorecards[step] for step in steps]
    if len(steps) < FEWEST_STEPS or {card.verdict for card in cards} != {"collapsed"}:
        return
    first, last = cards[0], cards[-1]
    if _is_better(best_pass_at_1(last), best_pass_at_1(first)) or _is_better(_honest(first), _honest(last)):
        return
    honest = (_honest(first), _honest(last))
    losses = "" if None in honest else ", and its honest loss did not fall: " + " → ".join(map(_shown, honest))
    yield f"More steps: from step {steps[0]:,} to {steps[-1]:,} the model is collapsed at every scored step{losses}."


def _honest(card: Scorecard) -> Interval | None:
    return card.loss.honest_nats


def _shown(loss: Interval | None) -> str:
    return "" if loss is None else nats_interval(loss)


def _is_better(higher: Interval | None, lower: Interval | None) -> bool:
    """Whether the first is above the second beyond both intervals."""
    return higher is not None and lower is not None and higher.low > lower.high
