"""What comes nearest to an explanation where a checkpoint does badly and no cause was found, and the next step."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from evalharness.report.loss_verdict import was_seen
from evalharness.report.numbers import nats, percent
from evalharness.report.shares import best_pass_at_1, pass_rates
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalharness.records import Scorecard

EASY_SET = "warmup"
"""Has problems that models solve which solve no other."""
MORE_TIME = "Score again with more time: a longer --within, or none."
"""In a limited time rows, problems and samples are left out, so that more of them would not help."""


class Nearest(NamedTuple):
    """One thing that was measured, or that is missing, and what to do about it first."""

    measured: str
    next_step: str


def nearest_measure(card: Scorecard) -> Nearest | None:
    """Return what comes nearest; None where the checkpoint does well, or where a finding explains what it does."""
    explained = any(finding.severity != "note" for finding in card.findings)
    if explained or not was_seen(card) or not _does_badly(card):
        return None
    return next((nearest for look in _LOOKS if (nearest := look(card)) is not None), None)


def _does_badly(card: Scorecard) -> bool:
    best = best_pass_at_1(card)
    return card.verdict in {"collapsed", "degenerating"} or (best is not None and best.estimate == 0)


def _loss_not_fallen(card: Scorecard) -> Nearest | None:
    whole = card.loss.whole
    if whole is None or whole.fall_nats is None or whole.before_nats is None or whole.fall_nats.low > 0:
        return None
    before, after = nats(whole.before_nats.estimate), nats(whole.after_nats.estimate)
    return Nearest(
        f"the loss did not fall: {before} nats per token before this training, {after} now",
        "Check that training changes these weights: the learning rate, frozen layers, and that this checkpoint was "
        "saved after training.",
    )


def _no_loss(card: Scorecard) -> Nearest | None:
    if card.loss.recomputed_nats is not None:
        return None
    untested = counted(len({item.probe for item in card.not_testable}), "hypothesis", "hypotheses")
    return Nearest(
        f"the loss could not be recomputed ({card.loss.convention}), and {untested} could not be tested",
        _to_recompute(card),
    )


def _to_recompute(card: Scorecard) -> str:
    """What would let the loss be recomputed: what failed is mended, what is missing is named."""
    failed = next((lack for lack in card.incomplete if lack.stage == "loss"), None)
    kinds = {item.kind for item in card.not_testable}
    if failed is not None:
        return f"Mend what failed ({failed.reason}), and score again."
    if "no_data" in kinds or not kinds:
        return "Name your data under [data] train and validation in evalharness.toml, and score again."
    if "capability" in kinds:
        return "Score the weights themselves: a server does not give what the loss is computed from."
    if "no_time" in kinds:
        return MORE_TIME
    return "Score again with more rows under [data] validation."


def _few_rows(card: Scorecard) -> Nearest | None:
    few = [item for item in card.not_testable if item.kind == "too_few"]
    if not few:
        return None
    return Nearest(
        f"{counted(len(few), 'hypothesis', 'hypotheses')} could not be tested for lack of numbers: {few[0].reason}",
        MORE_TIME
        if card.protocol.value("within") is not None
        else "Score again with more rows under [data] validation, or with more problems.",
    )


def _easier_set(card: Scorecard) -> Nearest | None:
    solved = [rate for rate in pass_rates(card) if rate.k == "1" and rate.share.estimate > 0]
    if not solved:
        return None
    best = max(solved, key=lambda rate: rate.share.estimate)
    return Nearest(
        f"the model solves {percent(best.share.estimate)} of {best.problems} ({best.decoding})",
        f"Compare the completions of {best.problems} that pass with those that fail: the report shows the worst.",
    )


def _only_hard_sets(card: Scorecard) -> Nearest | None:
    names = [info.name for info in card.protocol.problems]
    if EASY_SET in names:
        return None
    return Nearest(
        f"no problem of {', '.join(names)} is solved, and no easier ones were asked",
        f"Score it with --problems {EASY_SET}: models that solve nothing else differ there.",
    )


def _outcomes(card: Scorecard) -> Nearest | None:
    counts: dict[str, int] = {}
    for by_decoding in card.outcomes.values():
        for outcomes in by_decoding.values():
            for name, count in outcomes.items():
                counts[name] = counts.get(name, 0) + count
    if not counts:
        return None
    listed = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(counts.items(), key=_by_count))
    return Nearest(
        f"what the programs came to: {listed}",
        "Read the failed completions in the report, and compare them with the training rows.",
    )


def _by_count(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


_LOOKS: tuple[Callable[[Scorecard], Nearest | None], ...] = (
    _loss_not_fallen,
    _no_loss,
    _easier_set,
    _few_rows,
    _only_hard_sets,
    _outcomes,
)
"""In the order in which they would explain most."""
