"""Whether the logged loss is this checkpoint's at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.log_readings import NAME
from evalharness.diagnosis.log_readings.another_run import LISTED, of_another_run
from evalharness.diagnosis.log_readings.other_layout import needs_its_layout
from evalharness.diagnosis.log_readings.other_rows import of_other_rows
from evalharness.diagnosis.log_readings.other_step import of_another_step
from evalharness.diagnosis.log_readings.other_unit import in_another_unit
from evalharness.diagnosis.log_readings.part_of_targets import of_some_rows, of_some_targets
from evalharness.diagnosis.log_readings.training_loss import another_training_loss
from evalharness.diagnosis.log_readings.untrained_weights import of_untrained_weights
from evalharness.diagnosis.losses.recomputed_loss import chance_of_a_fit, plain, reproducing
from evalharness.diagnosis.losses.row_means import figures, shown
from evalharness.diagnosis.probe import LOGITS, Probe
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Subject
    from evalharness.records import Outcome

MOST_CHANCE = 0.5
"""A convention other than that of the rows as they are clears nothing if more than half of all losses fit some one."""


def loss_mismatch(measured: Measured) -> Outcome:
    """Look for conventions that reproduce the logged figure; where none comes anywhere near, it is another's.

    The losses are those of the parallel pass, as a training loop computes them: a model that sees the answers
    reproduces its log too, so that this says nothing about whether the loss is honest. Where the log is reproduced, the
    layout that it takes and the logged training loss are looked at as well.
    """
    subject = measured.subject
    logged = subject.logged
    if logged is None:
        return NotTestable(NAME, "no_log", "no validation loss was logged for this step")
    conventions = measured.conventions
    own = plain(conventions, prompt=subject.declared.count_prompt is not False)
    if own is None:
        return NotTestable(NAME, "too_few", "too few rows with targets to recompute the loss on")
    fit = reproducing(conventions, logged.loss_nats)
    evidence = _evidence(conventions, fit, logged.loss_nats, own)
    said = f"the logged {logged.loss_nats:.4g} nats (step {logged.step})"
    targets = f"{own.convention.words}, {counted(own.targets, 'target')}"
    ours = f"the plain loss of the same rows is {shown(own.loss_nats)} nats ({targets})"
    if fit:
        return _fitting(measured, own, fit, said, ours, evidence)
    # Where the plain loss is known exactly, that another kind of loss is merely not far tells nothing.
    near = [c for c in conventions if c.plausible and (own.exact is None or (c.exact and c.convention.is_plain))]
    if all(item.is_far_from(logged.loss_nats) for item in near):
        return (
            of_untrained_weights(measured, own, said, evidence)
            or of_another_step(measured, near, said, evidence)
            or in_another_unit(measured, said, evidence)
            or of_some_targets(measured, said, evidence)
            or of_other_rows(measured, said, evidence)
            or of_some_rows(near, said, evidence)
            or of_another_run(measured, own, said, ours, evidence)
        )
    if own.is_wide:
        reason = f"an interval over {counted(own.rows, 'row')} is too wide to tell {said} from any other figure: {ours}"
        return NotTestable(NAME, "too_few", reason)
    return RuledOut(
        NAME,
        f"None of {counted(len(conventions), 'convention')} gives {said} exactly, but some are as near as other "
        f"rows of the "
        f"same kind would be; {ours}.",
        evidence,
    )


def _fitting(
    measured: Measured, own: Recomputed, fit: Sequence[Recomputed], said: str, ours: str, evidence: dict[str, Any]
) -> Outcome:
    """What is said of a log that some convention reproduces."""
    chance = evidence["chance_of_a_fit"]
    if _is_by_chance(fit, chance):
        reason = (
            f"{said} is reproduced by {_listed(fit)}, but some convention would reproduce {chance:.0%} of all losses "
            f"of this size; {ours}"
        )
        return NotTestable(NAME, "undecided", reason)
    return (
        needs_its_layout(measured, own, said, evidence)
        or (another_training_loss(measured, evidence) if any(item.convention.shift == 1 for item in fit) else None)
        or _reproduced(measured.subject, measured.conventions, fit, said, ours, evidence)
    )


def _is_by_chance(fit: Sequence[Recomputed], chance: float) -> bool:
    """Whether only unusual conventions fit, and so many that some one would fit nearly any loss."""
    return chance > MOST_CHANCE and not any(item.as_given and item.convention.is_plain for item in fit)


def _reproduced(
    subject: Subject,
    conventions: Sequence[Recomputed],
    fit: Sequence[Recomputed],
    said: str,
    ours: str,
    evidence: dict[str, Any],
) -> Outcome:
    """What is declared is checked like everything else: where it doesn't fit and others do, that is worth a note."""
    declared = [item for item in conventions if _as_declared(item, subject)]
    if declared and not any(item in fit for item in declared) and _says_something(subject):
        nearest = min(declared, key=lambda item: abs(item.loss_nats.estimate - evidence["logged_nats"]))
        if nearest.is_far_from(evidence["logged_nats"]):
            claim = (
                f"The loss was not computed as the manifest says: so it would be {shown(nearest.loss_nats)} nats, but "
                f"{said} is reproduced by {_listed(fit)}."
            )
            return Finding(NAME, "note", claim, evidence, "Correct [loss] in the manifest, or the training loop.")
    claim = (
        f"This checkpoint's recomputed loss reproduces {said}: {len(fit)} of "
        f"{counted(len(conventions), 'convention')} do, "
        f"{_listed(fit)}; {ours}."
    )
    return RuledOut(NAME, claim, evidence)


def _says_something(subject: Subject) -> bool:
    said = subject.declared
    return any(value is not None for value in (said.label_smoothing, said.count_prompt, said.count_padding))


def _as_declared(item: Recomputed, subject: Subject) -> bool:
    """Whether a convention is one of those that the manifest leaves open."""
    said, how = subject.declared, item.convention
    return (
        how.shift == 1
        and (said.label_smoothing is None or how.smoothing == said.label_smoothing)
        and (said.count_prompt is None or how.prompt == said.count_prompt or not item.prompt_share)
        and (said.count_padding is None or how.padding == said.count_padding)
    )


def _listed(fit: Sequence[Recomputed]) -> str:
    nearest = "; ".join(f"{item.convention.words} ({item.loss_nats.estimate:.3f})" for item in fit[:2])
    return nearest + (f"; and {len(fit) - 2} more" if len(fit) > 2 else "")


def _evidence(
    conventions: Sequence[Recomputed], fit: Sequence[Recomputed], logged_nats: float, own: Recomputed
) -> dict[str, Any]:
    return {
        "logged_nats": logged_nats,
        "conventions": len(conventions),
        "reproducing": len(fit),
        "chance_of_a_fit": chance_of_a_fit(conventions, logged_nats),
        "reproduced_by": [item.convention.words for item in fit[:LISTED]],
        "rows": own.rows,
        "targets": own.targets,
        "bits_per_byte": own.bits_per_byte,
    } | figures("plain", own.loss_nats)


PROBE = Probe(
    name=NAME,
    question="Does this checkpoint give the logged loss?",
    run=loss_mismatch,
    order=70,
    not_worth_trying="Looking for another log or another checkpoint",
    at_most="contributing",
    forward_passes=1_200,
    needs=("logged",),
    skipped_if_repaired=True,
    capabilities=LOGITS,
)
