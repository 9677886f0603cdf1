"""Whether the logged loss is this checkpoint's at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.losses.conventions import plain, reproducing
from evalharness.diagnosis.losses.row_means import figures, shown
from evalharness.diagnosis.probe import LOGITS, Probe
from evalharness.records import Finding, NotTestable, RuledOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.losses.conventions import Recomputed
    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Subject
    from evalharness.records import Outcome

NAME = "loss_mismatch"
LISTED = 12
"""How many conventions are listed by name, the nearest first; their number is always given."""


def loss_mismatch(measured: Measured) -> Outcome:
    """Look for conventions that reproduce the logged figure; where none comes anywhere near, it is another's.

    The losses are those of the parallel pass, as a training loop computes them: a model that sees the answers
    reproduces its log too, so that this says nothing about whether the loss is honest.
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
    ours = f"the plain loss of the same rows is {shown(own.loss_nats)} nats ({own.convention.words})"
    if fit:
        return _reproduced(subject, conventions, fit, said, ours, evidence)
    if not all(item.is_far_from(logged.loss_nats) for item in conventions if item.plausible):
        return RuledOut(
            NAME,
            f"None of {len(conventions)} conventions gives {said} exactly, but some are as near as other rows of the "
            f"same kind would be; {ours}.",
            evidence,
        )
    claim = (
        f"No convention that this model can have been trained by gives {said}: {ours}. The log is of another "
        "run, or the model is not built here as it was trained"
    )
    unlikely = reproducing(conventions, logged.loss_nats, plausible=False)
    evidence["reproduced_implausibly_by"] = [item.convention.words for item in unlikely[:LISTED]]
    if unlikely:
        claim += f", or validation counts what training did not ({unlikely[0].convention.words})"
    claim += "."
    elsewhere = [p for p in subject.log if p.split == "validation" and own.reproduces(p.loss_nats)]
    if elsewhere:
        steps = ", ".join(str(point.step) for point in elsewhere[:3])
        claim += f" The same log has a loss like this checkpoint's at step {steps}."
        evidence["like_this_at_step"] = elsewhere[0].step
    remedy = (
        "Look for the step, run, data or precision that the log was written for, and whether the factory builds the "
        "model that was trained (its mask, scales and tokenizer); trust the recomputed loss."
    )
    return Finding(NAME, "contributing", claim, evidence, remedy)


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
        f"This checkpoint's parallel loss reproduces {said}: {len(fit)} of {len(conventions)} conventions do, "
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
        "reproduced_by": [item.convention.words for item in fit[:LISTED]],
        "rows": own.rows,
        "targets": own.targets,
        "bits_per_byte": own.bits_per_byte,
    } | figures("recomputed", own.loss_nats)


PROBE = Probe(
    name=NAME,
    question="Does this checkpoint give the logged loss?",
    run=loss_mismatch,
    order=70,
    at_most="contributing",
    forward_passes=350,
    needs=("logged",),
    capabilities=LOGITS,
)
