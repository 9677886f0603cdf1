"""Whether a run can have started from the base that an adapter is put over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.losses.counted_losses import Counting, counted_losses, figure
from evalharness.diagnosis.trials.random_adapter import random_adapter
from evalharness.diagnosis.trials.repair_nulls import NULLS
from evalharness.records import REPAIRED, Finding
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from evalharness.diagnosis.trials.repair_search import RepairSearch
    from evalharness.records import LossPoint

TIMES = 4.0
"""The base is another one if its loss is above the log's first by four times what the adapter lowers it by: training
had learned far less than that when it first logged."""


@dataclass(frozen=True, slots=True)
class BaseGap:
    """The loss of the base alone, far above ``first``, the first that was logged, and what the adapter lowers it by."""

    first: LossPoint
    base_nats: float
    lowered_nats: float
    counting: Counting


def base_gap(search: RepairSearch) -> BaseGap | None:
    """The gap however prompt and end are counted, told as it is smallest; None without an adapter or without a gap."""
    subject = search.subject
    points = [point for point in subject.log if point.split == "validation"]
    if subject.without_adapter is None or not points:
        return None
    alone = counted_losses(subject.without_adapter, search.rows, subject.end_ids)
    gaps: list[BaseGap] = []
    for counting, loaded in search.as_loaded.figures.items():
        base = figure(alone, counting, subject.seed)
        if base is None:
            continue
        lowered = base.estimate - loaded.estimate
        learned = max(abs(lowered), abs(points[0].loss_nats - points[-1].loss_nats), search.error_nats(base))
        if base.estimate - points[0].loss_nats <= TIMES * learned:
            return None
        gaps.append(BaseGap(points[0], base.estimate, lowered, counting))
    return min(gaps, key=lambda gap: gap.base_nats, default=None)


def another_base(search: RepairSearch, gap: BaseGap, evidence: dict[str, Any]) -> Finding:
    """Say so, beside what an adapter drawn at random, of the same norm, does to this base."""
    bases, random = search.tried["adapter_base"], _random_lowering(search, gap)
    claim = (
        "The adapter was trained over another base than this one, or on rows of another form: "
        f"{gap.first.loss_nats:.4g} nats were logged first (step {gap.first.step}), this base has {gap.base_nats:.4g} "
        f"without the adapter, and the adapter lowers that by {gap.lowered_nats:.3g} only ({gap.counting.words}, "
        f"{search.rows_in_words}{_random_words(random)}). "
        f"{search.tried_in_words}, {counted(bases, 'other base')} among them, and none brings the log back."
    )
    remedy = (
        "Put the adapter over the model that its training started from. If an earlier adapter was merged into the base "
        "first, save that merged model and name it in adapter_config.json, `base_model_name_or_path`."
    )
    evidence |= {"kind": "adapter_base", "proven": False, "first_step": gap.first.step, "bases_tried": bases}
    evidence |= {
        "first_logged_nats": gap.first.loss_nats,
        "base_nats": gap.base_nats,
        "adapter_lowers_nats": gap.lowered_nats,
        "random_adapter_lowers_nats": random,
    }
    return Finding(REPAIRED, "contributing", claim, evidence, remedy)


def _random_lowering(search: RepairSearch, gap: BaseGap) -> float | None:
    """By how much the best of some adapters drawn at random lowers the base's loss (nats); None without LoRA layers."""
    subject = search.subject
    losses: list[float] = []
    for seed in range(NULLS):
        drawn = random_adapter(subject.torch_model.module, seed)
        if drawn is None:
            return None
        with drawn:
            found = figure(counted_losses(subject.torch_model, search.rows, subject.end_ids), gap.counting, seed)
        losses += [found.estimate] if found else []
    return gap.base_nats - min(losses) if losses else None


def _random_words(lowered: float | None) -> str:
    return "" if lowered is None else f"; one drawn at random, of the same norm, changes it by {-lowered:+.3g} at best"
