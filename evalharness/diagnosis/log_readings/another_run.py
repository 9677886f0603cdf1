"""A log of another run, or a model that is not built as it was trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.log_readings import NAME
from evalharness.diagnosis.losses.recomputed_loss import reproducing
from evalharness.diagnosis.losses.row_means import counted_nll, figures, mean, shown, too_few
from evalharness.records import Finding
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.measured import Measured

LISTED = 12
"""How many conventions are listed by name, the nearest first."""
MOST_OF_IT = 0.5
"""An adapter over the base that it was trained over brings the loss at least half of the way from it to the log."""


def of_another_run(measured: Measured, own: Recomputed, said: str, ours: str, evidence: dict[str, Any]) -> Finding:
    """The log is not this model's; what is near all the same is named, but explains nothing."""
    subject = measured.subject
    claim = (
        f"No convention that this model can have been trained by gives {said}: {ours}. The log is of another "
        "run, or the model is not built here as it was trained"
    )
    if own.exact is not None:
        evidence["all_rows"] = own.rows
        claim += f" (all {counted(own.rows, 'row')} were measured, so that no sampling error is left)"
    measured_in_full = [item for item in measured.conventions if not item.layout.is_look]
    unlikely = reproducing(measured_in_full, evidence["logged_nats"], plausible=False)
    evidence["reproduced_implausibly_by"] = [item.convention.words for item in unlikely[:LISTED]]
    if any(item.convention.padding and (item.padding_nats or 0.0) < own.loss_nats.estimate for item in unlikely):
        unlikely = tuple(item for item in unlikely if not item.convention.padding)
    if unlikely:
        claim += f", or validation counts what training did not ({unlikely[0].convention.words})"
    claim += "." + _from_the_base(measured, evidence)
    elsewhere = [p for p in subject.log if p.split == "validation" and own.reproduces(p.loss_nats)]
    if elsewhere:
        steps = ", ".join(str(point.step) for point in elsewhere[:3])
        claim += f" The same log has a loss like this checkpoint's at step {steps}."
        evidence["like_this_at_step"] = elsewhere[0].step
    built = (
        "the files in this folder are those that training saved together (config.json, tokenizer and weights)"
        if subject.built_by_library
        else "your code builds the model that was trained (its mask, scales and tokenizer)"
    )
    remedy = (
        f"Look for the step, run, data or precision that the log was written for, and whether {built}; trust the "
        "recomputed loss."
    )
    if subject.adapter is not None:
        remedy = (
            "Load the adapter over the very weights that it was trained over (base_model_name_or_path in its "
            "adapter_config.json), with all that was trained beside it, embeddings of new tokens among it."
        )
    return Finding(NAME, "contributing", claim, evidence, remedy)


def _from_the_base(measured: Measured, evidence: dict[str, Any]) -> str:
    """For an adapter: where training would have begun over this base, and where the log begins."""
    subject = measured.subject
    first = min(subject.log, key=lambda point: point.step, default=None)
    if subject.without_adapter is None or first is None or too_few(measured.losses_before):
        return ""
    base, with_it = (
        mean(map(counted_nll, losses), subject.seed) for losses in (measured.losses_before, measured.validation_losses)
    )
    evidence |= figures("base", base) | figures("with_adapter", with_it)
    evidence |= {"first_logged_nats": first.loss_nats, "first_logged_step": first.step}
    said = (
        f" The base without its adapter gives {shown(base)} nats, with it {shown(with_it)}; the log begins with "
        f"{first.loss_nats:.4g} at step {first.step}"
    )
    way = base.estimate - first.loss_nats
    if way > 0 and base.estimate - with_it.estimate < MOST_OF_IT * way:
        return f"{said}. The adapter goes hardly part of this way: it was trained over another base."
    return f"{said}."
