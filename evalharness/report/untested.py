"""What was not tested, by why: an input is missing, there was no time, no result came of it, or it does not apply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evalharness.records import NotTestable, NotTestableKind

Group = Literal["missing input", "no time", "no result", "not applicable", "not testable"]
GROUPS: tuple[Group, ...] = ("missing input", "no time", "no result", "not testable", "not applicable")
"""In the order in which reports list them: first what can be supplied, last the questions that do not arise."""
NOT_APPLICABLE: Group = "not applicable"


class Reason(NamedTuple):
    """What kind of reason it is, and what would let the hypothesis be tested; empty if nothing would."""

    group: Group
    supplied_by: str = ""


REASONS: dict[NotTestableKind, Reason] = {
    "no_data": Reason("missing input", "rows: [data] train and validation in evalharness.toml"),
    "no_log": Reason("missing input", "a training log with losses of this step: [log] path, or --log"),
    "no_base": Reason("missing input", "the weights before this training, beside the checkpoint"),
    "no_completions": Reason("missing input", "completions: evalharness score generates them"),
    "no_model": Reason("missing input", "the checkpoint itself: evalharness score CHECKPOINT"),
    "too_few": Reason("missing input", "more rows under [data] validation, or more problems"),
    "not_known": Reason("missing input", "the fact that the reason names, in evalharness.toml"),
    "capability": Reason("missing input", "the weights themselves, run by PyTorch"),
    "no_time": Reason("no time", "more time: --within"),
    "undecided": Reason("no result", "more rows, or a log with the loss of this step"),
    "model_failed": Reason("no result", "a model whose forward pass works on these rows"),
    "failed": Reason("no result", "a report of this fault to the probe's authors"),
    "no_adapter": Reason(NOT_APPLICABLE),
    "declared": Reason(NOT_APPLICABLE),
    "leak": Reason(NOT_APPLICABLE, "a model without the leak"),
    "explained": Reason(NOT_APPLICABLE, "--all-probes"),
    "does_not_apply": Reason(NOT_APPLICABLE),
    "not_recorded": Reason("not testable"),
}
"""Every kind of reason. Those of older scorecards that do not say it are just "not testable"."""


def group_of(item: NotTestable) -> Group:
    """Return why a hypothesis was not tested, in two words."""
    return REASONS[item.kind].group


def supplied_by(item: NotTestable) -> str:
    """Return what would let it be tested."""
    return REASONS[item.kind].supplied_by


def by_group(items: Iterable[NotTestable]) -> Iterator[tuple[Group, tuple[NotTestable, ...]]]:
    """Yield the groups that have any, each with its members in their order."""
    every = tuple(items)
    for group in GROUPS:
        members = tuple(item for item in every if group_of(item) == group)
        if members:
            yield group, members
