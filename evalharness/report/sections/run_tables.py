"""The tables of a run's report, each from the frames and scorecards that it shows, as Markdown."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from evalharness.records import NO_STEP
from evalharness.report.loss_against_behaviour import Pair, decoding_of_kinds, logged_points, losses_by_step, no_losses
from evalharness.report.numbers import (
    DECODINGS,
    degeneration_interval,
    kinds_by_count,
    nats,
    nats_interval,
    percent_interval,
    was_diagnosed,
)
from evalharness.report.run_evidence import OtherRun, Run, in_order, step_name
from evalharness.report.writers.escaping import code, prose, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from evalharness.records import Interval, Scorecard
    from evalharness.statistics import Correlation, Discordance

STEPS_SHOWN = 40
"""Rows of a table by step; of more steps the first and the last of these are shown."""


def loss_table(run: Run) -> str:
    """The losses by step: as logged, with the lowest validation loss marked, and as measured where it was scored."""
    frames = run.frames
    if no_losses(frames):
        return ""
    validation = {int(p.step): float(p.loss_nats) for p in logged_points(frames, "validation").itertuples()}
    train = frames.losses[frames.losses["split"] == "train"].dropna(subset=["loss_nats"])
    measured = losses_by_step(frames)
    steps = in_order({*validation, *frames.scorecards})
    numbered = [step for step in steps if step != NO_STEP]
    first, last = (numbered[0], numbered[-1]) if numbered else (None, None)
    best = min(validation, key=lambda step: (validation[step], step), default=None)
    rows = []
    for step in _few(steps):
        before = train[train["step"] <= step]["loss_nats"]
        status = ["initial"] * (step == first) + ["best"] * (step == best) + ["final"] * (step == last)
        value = validation.get(step)
        shown = "–" if value is None else f"**{nats(value)}**" if step == best else nats(value)
        rows.append(
            [step_name(step), nats(before.iloc[-1]) if len(before) else "–", shown]
            + [_cell(measured, step, name) for name in ("recomputed", "honest")]
            + [", ".join(status) or "–"]
        )
    header = ["Step", "Train", "Validation", "Recomputed", "Honest", "Status"]
    return table(header, rows, frozenset({0, 1, 2, 3, 4}))


def _few(steps: Sequence[int]) -> list[int]:
    half = STEPS_SHOWN // 2
    return list(steps) if len(steps) <= STEPS_SHOWN else [*steps[:half], *steps[-half:]]


def _cell(measured: pd.DataFrame, step: int, name: str) -> str:
    if name not in measured or step not in measured.index:
        return "–"
    value = float(measured.loc[step, name])
    return nats(value) if isfinite(value) else "–"


def fall_in_words(first: float, last: float) -> str:
    """Return by how much the second loss is lower than the first: ``"36 % lower"``."""
    if first <= 0:
        return f"{last - first:+.3g} nats"
    change = 100 * (last - first) / first
    return f"{abs(change):.0f} % {'lower' if change <= 0 else 'higher'}"


def behaviour_table(run: Run) -> str:
    """What the model does at each step: verdict, pass@1, degeneration, cause."""
    cards = run.frames.scorecards
    columns = [
        (info.name, decoding)
        for info in run.last.protocol.problems
        for decoding in DECODINGS
        if "1" in run.last.pass_at_k.get(info.name, {}).get(decoding, {})
    ]
    decodings = [decoding for decoding in DECODINGS if decoding in run.last.degeneration]
    of_kinds = decoding_of_kinds(run.frames)
    header = ["Step", "Verdict", *(f"{prose(name)}, {decoding}, pass@1" for name, decoding in columns)]
    header += [*(f"Degenerate, {decoding}" for decoding in decodings), f"Commonest kinds, {of_kinds}", "Cause"]
    rows = []
    for step in _few(run.steps):
        card = cards[step]
        rate = card.degeneration.get(of_kinds)
        rows.append(
            [
                step_name(step),
                card.verdict,
                *(_share(card.pass_at_k.get(name, {}).get(decoding, {}).get("1")) for name, decoding in columns),
                *(
                    _share(degeneration_interval(card.degeneration[d]) if d in card.degeneration else None)
                    for d in decodings
                ),
                prose(kinds_by_count(rate)) if rate is not None and rate.kinds else "–",
                cause_cell(card),
            ]
        )
    return table(header, rows, frozenset({0, *range(2, 2 + len(columns) + len(decodings))}))


def cause_cell(card: Scorecard) -> str:
    """Return the probe of the cause, or that none was found, or that none was looked for."""
    if card.cause is None:
        return "none found" if was_diagnosed(card) else "not looked for"
    return code(card.cause.probe)


def _share(interval: Interval | None) -> str:
    return "–" if interval is None else percent_interval(interval)


def agreement_table(pairs: Sequence[Pair]) -> str:
    """Correlations that could be computed; why others could not is said below the table (:func:`agreement_notes`)."""
    known = [p for p in pairs if p.agreement.levels.rho is not None or p.agreement.changes.rho is not None]
    rows = [
        [
            prose(p.loss),
            prose(p.behaviour),
            str(p.agreement.levels.points),
            _rho(p.agreement.levels),
            _rho(p.agreement.changes),
        ]
        for p in known
    ]
    header = ["Loss", "Behaviour", "Steps", "Spearman, levels", "Spearman, changes"]
    return table(header, rows, frozenset({2, 3, 4})) if rows else ""


def _rho(found: Correlation) -> str:
    if found.rho is None:
        return "–"
    return f"{found.rho.estimate:+.2f} [{found.rho.low:+.2f}, {found.rho.high:+.2f}]"


def agreement_notes(pairs: Sequence[Pair]) -> list[str]:
    """Why there is no correlation where there is none, each reason once with what it holds for.

    Where neither the levels nor the changes have one, the reason of the levels is given.
    """
    of_levels: dict[str, list[Pair]] = {}
    of_changes: dict[str, list[Pair]] = {}
    for pair in pairs:
        levels, changes = pair.agreement.levels, pair.agreement.changes
        if levels.rho is None:
            of_levels.setdefault(levels.reason or "", []).append(pair)
        elif changes.rho is None:
            of_changes.setdefault(changes.reason or "", []).append(pair)
    shown = [pair for pair in pairs if pair.agreement.levels.rho is not None]
    return [
        *(f"{prose(why)}: {_named(found, pairs, 'every loss and behaviour')}" for why, found in of_levels.items()),
        *(f"{prose(why)}: changes of {_named(found, shown, 'every row')}" for why, found in of_changes.items()),
    ]


def _named(some: Sequence[Pair], every: Sequence[Pair], all_of_them: str) -> str:
    """What a reason holds for, by behaviour; that it holds for all needs no list."""
    if len(some) == len(every):
        return all_of_them
    losses = {pair.loss for pair in every}
    by_behaviour: dict[str, list[str]] = {}
    for pair in some:
        by_behaviour.setdefault(pair.behaviour, []).append(pair.loss)
    return "; ".join(prose(name) + _against(found, losses) for name, found in by_behaviour.items())


def _against(losses: Sequence[str], every: set[str]) -> str:
    return "" if set(losses) == every else f" against the loss {prose(' and '.join(losses))}"


def discordance_table(found: Mapping[str, Discordance]) -> str:
    """By measure of behaviour, in how many of the improvements of the loss it did not improve."""
    rows = [
        [
            prose(name),
            f"{item.pairs} of {item.of_pairs}",
            _share_of(item),
        ]
        for name, item in found.items()
    ]
    header = ["Behaviour", "Pairs of steps whose loss improved", "Of these, behaviour did not"]
    return table(header, rows, frozenset({1, 2})) if rows else ""


def _share_of(item: Discordance) -> str:
    """The share with its interval; where behaviour never changes all pairs count, and nothing tells how surely."""
    if item.share is not None:
        return percent_interval(item.share)
    return "no such pair" if item.why_none == "no_pair" else f"all {item.pairs}: it is the same at every step"


def step_table(found: Mapping[str, Discordance]) -> str:
    """From step to step: what the recomputed loss did, and what each measure of behaviour did, both paired."""
    if not found:
        return ""
    names, first = list(found), next(iter(found.values()))
    rows = []
    for i, change in enumerate(first.changes[:STEPS_SHOWN]):
        loss = f"{change.loss_nats.estimate:+.3g} [{change.loss_nats.low:+.3g}, {change.loss_nats.high:+.3g}]"
        said = [_changed(found[name].changes[i].behaviour_improved) for name in names]
        rows.append([f"{change.from_step:,} → {change.to_step:,}", loss, *said])
    return table(["Steps", "Recomputed loss (nats)", *map(prose, names)], rows, frozenset({1}))


def _changed(improved: bool | None) -> str:
    return "not told apart" if improved is None else "better" if improved else "worse"


def other_runs(run: Run) -> str:
    """This run beside the others in the folder: the same figures, each at its last step."""
    if not run.others:
        return ""
    every = [*run.others, OtherRun(run.name, run.last_step, run.last)]
    rows = [_other(item, item.name == run.name) for item in sorted(every, key=lambda item: item.name)]
    header = ["Run", "Step", "Verdict", "Logged", "Honest", "Best pass@1", "Degenerate, sampled", "Cause"]
    return table(header, rows, frozenset({1, 3, 4, 5, 6}))


def _other(item: OtherRun, own: bool) -> list[str]:
    card = item.card
    passed = [by_k["1"] for sets in card.pass_at_k.values() for by_k in sets.values() if "1" in by_k]
    sampled = card.degeneration.get("sampled")
    return [
        f"**{prose(item.name)}**" if own else prose(item.name),
        step_name(item.step),
        card.verdict,
        "–" if card.loss.logged_nats is None else nats(card.loss.logged_nats),
        "–" if card.loss.honest_nats is None else nats_interval(card.loss.honest_nats),
        _share(max(passed, key=lambda share: share.estimate, default=None)),
        _share(None if sampled is None else degeneration_interval(sampled)),
        cause_cell(card),
    ]
