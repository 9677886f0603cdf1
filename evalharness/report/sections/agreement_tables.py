"""The section that asks whether the behaviour of a run follows its loss."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from evalharness.report.loss_against_behaviour import Pair, agreements, discordances, no_losses
from evalharness.report.numbers import percent_interval
from evalharness.report.parts import BulletList, Heading, Paragraph, Table
from evalharness.report.sections.figure_parts import figure
from evalharness.report.sections.run_losses import STEPS_SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalharness.report.parts import Part
    from evalharness.report.run_evidence import Run
    from evalharness.statistics import Correlation, Discordance, NoCorrelation

_CORRELATIONS = (
    "Rank correlations over the steps, of the values and of their changes from step to step: -1 if behaviour is better "
    "whenever the loss is lower, 0 if they are unrelated. Confidence intervals are over problems. The steps of one run "
    "are not independent, so there is no p-value, and two series that only drift agree in their values."
)
_DISCORDANCE = (
    "Of all pairs of an earlier and a later step, those count whose recomputed loss fell by more than its error, paired"
    " over rows. The last column is the share of these in which behaviour did not improve, with its confidence "
    "interval over problems."
)


def agreement_section(run: Run, figures: Mapping[str, bytes]) -> Iterator[Part]:
    """Yield correlations, the pairs of steps in which only the loss improved, and the figure."""
    yield Heading("Does the behaviour follow the loss?")
    agreed, discordant = agreements(run.frames), discordances(run.frames)
    shown = [*agreement_parts(agreed), *discordance_parts(discordant)]
    yield from shown or [Paragraph(_not_compared(run))]
    yield from figure("loss_against_behaviour", figures)


def agreement_parts(pairs: Sequence[Pair]) -> Iterator[Part]:
    """Yield the correlations, then why others could not be computed."""
    known = [p for p in pairs if p.agreement.levels.rho is not None or p.agreement.changes.rho is not None]
    rows = tuple(
        (p.loss, p.behaviour, str(p.agreement.levels.points), _rho(p.agreement.levels), _rho(p.agreement.changes))
        for p in known
    )
    if rows:
        header = ("Loss", "Behaviour", "Steps", "Spearman, values", "Spearman, changes")
        yield Table(header, rows, frozenset({2, 3, 4}))
        yield Paragraph(_CORRELATIONS)
    notes = agreement_notes(pairs)
    if notes:
        yield Paragraph("There is no correlation if:")
        yield BulletList(tuple(notes))


def _rho(correlation: Correlation) -> str:
    if correlation.rho is None:
        return "–"
    return f"{correlation.rho.estimate:+.2f} [{correlation.rho.low:+.2f}, {correlation.rho.high:+.2f}]"


def agreement_notes(pairs: Sequence[Pair]) -> list[str]:
    """Return why there is no correlation, each reason once with the pairs that it holds for.

    If neither the values nor the changes have one, the reason of the values is given.
    """
    of_levels: defaultdict[NoCorrelation | None, list[Pair]] = defaultdict(list)
    of_changes: defaultdict[NoCorrelation | None, list[Pair]] = defaultdict(list)
    for pair in pairs:
        levels, changes = pair.agreement.levels, pair.agreement.changes
        if levels.rho is None:
            of_levels[levels.reason].append(pair)
        elif changes.rho is None:
            of_changes[changes.reason].append(pair)
    shown = [pair for pair in pairs if pair.agreement.levels.rho is not None]
    return [
        *(f"{why}: {_named(some, pairs, 'every loss and behaviour')}" for why, some in of_levels.items()),
        *(f"{why}: changes of {_named(some, shown, 'every row')}" for why, some in of_changes.items()),
    ]


def _named(some: Sequence[Pair], every: Sequence[Pair], all_of_them: str) -> str:
    """The pairs that a reason holds for, by behaviour; if it holds for all, no list is needed."""
    if len(some) == len(every):
        return all_of_them
    losses = {pair.loss for pair in every}
    by_behaviour: dict[str, list[str]] = {}
    for pair in some:
        by_behaviour.setdefault(pair.behaviour, []).append(pair.loss)
    return "; ".join(name + _against(of_behaviour, losses) for name, of_behaviour in by_behaviour.items())


def _against(losses: Sequence[str], every: set[str]) -> str:
    return "" if set(losses) == every else f" against the loss {' and '.join(losses)}"


def discordance_parts(by_measure: Mapping[str, Discordance]) -> Iterator[Part]:
    """Yield in how many of the improvements of the loss each measure of behaviour did not improve, and each step."""
    if not by_measure:
        return
    rows = tuple((name, f"{item.pairs} of {item.of_pairs}", _share_of(item)) for name, item in by_measure.items())
    header = ("Behaviour", "Pairs of steps whose loss improved", "Of these, behaviour did not")
    yield Table(header, rows, frozenset({1, 2}))
    yield Paragraph(_DISCORDANCE)
    yield Paragraph("From step to step, paired by row and by problem:")
    yield _steps(by_measure)


def _share_of(item: Discordance) -> str:
    """The share with its interval; if the behaviour never changes all pairs count, and there is no interval."""
    if item.share is not None:
        return percent_interval(item.share)
    return "no such pair" if item.why_none == "no_pair" else f"all {item.pairs}: it is the same at every step"


def _steps(by_measure: Mapping[str, Discordance]) -> Table:
    """What the recomputed loss did from step to step, and what each measure of behaviour did."""
    first = next(iter(by_measure.values()))
    rows = []
    for i, change in enumerate(first.changes[:STEPS_SHOWN]):
        loss = f"{change.loss_nats.estimate:+.3g} [{change.loss_nats.low:+.3g}, {change.loss_nats.high:+.3g}]"
        changed = [_changed(item.changes[i].behaviour_improved) for item in by_measure.values()]
        rows.append((f"{change.from_step:,} → {change.to_step:,}", loss, *changed))
    return Table(("Steps", "Recomputed loss (nats per token)", *by_measure), tuple(rows), frozenset({1}))


def _changed(improved: bool | None) -> str:
    return "no clear change" if improved is None else "better" if improved else "worse"


def _not_compared(run: Run) -> str:
    """Why behaviour is not compared with the loss."""
    if len(run.frames.numbered().scorecards) < 2:
        return "With fewer than two scored steps, nothing can be compared."
    if no_losses(run.frames):
        return "There are no losses of these steps to compare behaviour with."
    return "No scored step has both a loss and completions of problems that every step has."
