"""Whether the logged loss is this checkpoint's at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.losses.layouts import packed_anew
from evalharness.diagnosis.losses.logged_part import logged_part
from evalharness.diagnosis.losses.logged_training import logged_multiple, smoothed_in_training
from evalharness.diagnosis.losses.recomputed_loss import chance_of_a_fit, plain, reproducing
from evalharness.diagnosis.losses.row_means import capped, counted_nll, figures, mean, shown, too_few
from evalharness.diagnosis.losses.units import logged_unit
from evalharness.diagnosis.probe import LOGITS, Probe
from evalharness.records import Finding, NotTestable, RuledOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.losses.logged_part import Part
    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Subject
    from evalharness.records import Outcome

NAME = "loss_mismatch"
LISTED = 12
"""How many conventions are listed by name, the nearest first; their number is always given."""
MOST_OF_IT = 0.5
"""An adapter over the base that it was trained over brings the loss at least half of the way from it to the log."""
SMALLEST_PART, SMALLEST_PART_ROWS = 0.1, 8
"""A validation that takes some of the rows takes a tenth of a small file, and a batch of 8, or more."""
NEIGHBOURS = 0.03
NEIGHBOURS_OF_TEXT = 0.1
"""By how much rows in another order are harder where neighbours give something away: prompts with their answers have
nothing to do with each other, but the texts of one project make each other easier in any model."""


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
    ours = f"the plain loss of the same rows is {shown(own.loss_nats)} nats ({own.convention.words})"
    if fit:
        return (
            _needs_its_layout(measured, own, said, evidence)
            or (_training_loss(measured, evidence) if any(item.convention.shift == 1 for item in fit) else None)
            or _reproduced(subject, conventions, fit, said, ours, evidence)
        )
    # Where the plain loss is known exactly, that another kind of loss is merely not far tells nothing.
    near = [c for c in conventions if c.plausible and (own.exact is None or (c.exact and c.convention.is_plain))]
    if all(item.is_far_from(logged.loss_nats) for item in near):
        return (
            _in_unit(measured, said, evidence)
            or _of_some_targets(measured, said, evidence)
            or _of_a_part(near, said, evidence)
            or _another(measured, own, said, ours, evidence)
        )
    if own.is_wide:
        reason = f"an interval over {own.rows} rows is too wide to tell {said} from any other figure: {ours}"
        return NotTestable(NAME, "too_few", reason)
    return RuledOut(
        NAME,
        f"None of {len(conventions)} conventions gives {said} exactly, but some are as near as other rows of the "
        f"same kind would be; {ours}.",
        evidence,
    )


def _in_unit(measured: Measured, said: str, evidence: dict[str, Any]) -> Finding | None:
    """Whether the log is this model's, in another unit than nats per token."""
    found = logged_unit(measured)
    if found is None:
        return None
    unit, shown_by, training = found.best.unit, found.best.shown_by, found.best.training
    logged, own = evidence["logged_nats"], shown_by.loss_nats
    nats = unit.nats(logged)
    evidence |= figures("recomputed", own) | figures("recomputed_train", training.own)
    evidence |= {
        "unit": unit.name,
        "factor": logged / own.estimate,
        "logged_in_nats": nats,
        "units_tried": found.tried,
        "units_with_training": found.agreeing,
        "chance_of_a_unit": found.chance,
        "logged_train": training.logged,
        "train_in_unit": training.as_validation,
    }
    of = "The log" if training.as_validation else "The validation loss of the log"
    same = "in the same unit" if training.as_validation else "in nats per token"
    claim = (
        f"{of} is {unit.words}: {said} then mean {nats:.4g} nats per token, and this checkpoint gives "
        f"{shown(own)} ({shown_by.convention.words}). The training loss of {training.logged:.4g} at step "
        f"{training.step} agrees {same}: recomputed it is {shown(training.own)} nats. "
        f"Of {found.tried} pairs of unit and convention the training loss agrees with {found.agreeing}, and "
        f"these would reproduce {found.chance:.0%} of all validation losses of this size by chance."
    )
    remedy = "Log the mean loss in nats per token, and compare this log with no other before you have converted it."
    return Finding(NAME, "contributing", claim, evidence, remedy)


def _of_some_targets(measured: Measured, said: str, evidence: dict[str, Any]) -> Finding | None:
    """Whether the log is the loss of one batch of the file, or of answers without their first token."""
    found = logged_part(measured)
    if found is None:
        return None
    part = found.best
    evidence |= figures("recomputed", part.whole.loss_nats) | {
        "part": part.kind,
        "part_nats": part.nats,
        "parts_tried": found.tried,
        "chance_of_a_part": found.chance,
        "logged_train": found.logged_train,
    }
    proof = (
        f"The training loss of {found.logged_train:.4g} agrees. Of {found.tried} parts of the targets it agrees "
        f"with {found.agreeing}; these would give {found.chance:.0%} of all validation losses of this size by chance."
    )
    if part.left_out_nats is not None:
        return _without_first_token(part, said, proof, evidence)
    which = "last" if part.kind == "last_batch" else "first"
    evidence[f"{which}_rows"] = part.rows
    claim = (
        f"The validation loss of the log is that of the {which} {part.rows} rows of the file, as if one batch were "
        f"logged and not the mean of all: they give {part.nats:.4g} nats, and {said} is that. All {part.whole.rows} "
        f"rows give {shown(part.whole.loss_nats)} ({part.whole.convention.words}). {proof}"
    )
    remedy = "Log the mean over the targets of all batches, each batch's loss times its targets summed."
    return Finding(NAME, "contributing", claim, evidence, remedy)


def _without_first_token(part: Part, said: str, proof: str, evidence: dict[str, Any]) -> Finding:
    evidence["first_token_nats"] = part.left_out_nats
    claim = (
        f"The first token of each answer is left out of the loss: without it the rows give {part.nats:.4g} nats, and "
        f"{said} is that; with it they give {shown(part.whole.loss_nats)} ({part.whole.convention.words}). First "
        f"tokens cost {part.left_out_nats:.3g} nats each: the model never learned to begin an answer. {proof}"
    )
    remedy = (
        "Count each answer's first token: it is the target of the prompt's last position. Shift the mask of the loss "
        "with the labels, and train again."
    )
    return Finding(NAME, "contributing", claim, evidence, remedy)


def _of_a_part(near: Sequence[Recomputed], said: str, evidence: dict[str, Any]) -> Finding | None:
    """Whether a loss of some of the rows can be so far from that of all of them; then the log may be right."""
    of_all = [item for item in near if item.exact is not None]
    nearest = max(of_all, key=lambda item: item.rows_of_a_part(evidence["logged_nats"]), default=None)
    part = 0 if nearest is None else nearest.rows_of_a_part(evidence["logged_nats"])
    if nearest is None or part < max(SMALLEST_PART_ROWS, SMALLEST_PART * nearest.rows):
        return None
    evidence |= {"all_rows": nearest.rows, "rows_of_a_part": part}
    claim = (
        f"No convention gives {said} on all {nearest.rows} rows. The nearest is {shown(nearest.loss_nats)} "
        f"({nearest.convention.words}), as far away as the loss of {part} of these rows, drawn at random, would be. If "
        "validation takes all of them, the log is of another run, or the model is not built here as it was trained."
    )
    remedy = "Compute the validation loss over the whole file, always the same rows: it is small enough."
    return Finding(NAME, "note", claim, evidence, remedy)


def _another(measured: Measured, own: Recomputed, said: str, ours: str, evidence: dict[str, Any]) -> Finding:
    """The log is not this model's; what is near all the same is named, but explains nothing."""
    subject = measured.subject
    claim = (
        f"No convention that this model can have been trained by gives {said}: {ours}. The log is of another "
        "run, or the model is not built here as it was trained"
    )
    if own.exact is not None:
        evidence["all_rows"] = own.rows
        claim += f" (all {own.rows} rows were measured, so that no sampling error is left)"
    unlikely = reproducing(measured.conventions, evidence["logged_nats"], plausible=False)
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
    if base.estimate - with_it.estimate < MOST_OF_IT * (base.estimate - first.loss_nats):
        return f"{said}. The adapter goes hardly part of this way: it was trained over another base."
    return f"{said}."


def _needs_its_layout(measured: Measured, own: Recomputed, said: str, evidence: dict[str, Any]) -> Finding | None:
    """Whether the log is reproduced only with what stands before each row in training and not at scoring."""
    shown_by = measured.established.shown_by
    if shown_by is None or not shown_by.convention.is_plain:
        return None
    evidence["layout"] = shown_by.layout.words
    if shown_by.layout.arrangement.left is not None and own.is_far_from(evidence["logged_nats"]):
        return _behind_padding(shown_by, own, said, evidence)
    return _beside_neighbours(measured, shown_by, own, said, evidence) if shown_by.layout.packed else None


def _behind_padding(shown_by: Recomputed, own: Recomputed, said: str, evidence: dict[str, Any]) -> Finding:
    claim = (
        f"The model was trained on {shown_by.layout.words}: so it gives {said} ({shown(shown_by.loss_nats)}), and "
        f"{shown(own.loss_nats)} from position 0, where prompts begin at scoring. The first positions were hardly "
        "trained."
    )
    remedy = (
        "Train again with padding on the right, or with position_ids counted from each row's first token "
        "(attention_mask.cumsum(-1) - 1); this checkpoint can only be used behind the same padding."
    )
    return Finding(NAME, "contributing", claim, evidence, remedy)


def _beside_neighbours(
    measured: Measured, shown_by: Recomputed, own: Recomputed, said: str, evidence: dict[str, Any]
) -> Finding | None:
    """Whether packed rows are easier beside their neighbours of the file than beside any others.

    Rows of text that are packed are the rule in pre-training; prompts and answers that see each other are worth a note.
    """
    anew = packed_anew(measured.subject, shown_by.layout)
    if anew is None:
        return None
    seed = measured.subject.seed
    as_packed, shuffled = (
        mean([capped(r.nll_nats) for r in layout.losses], seed) for layout in (shown_by.layout, anew)
    )
    evidence |= figures("packed", as_packed) | figures("packed_in_another_order", shuffled)
    gain = shuffled.estimate / as_packed.estimate - 1 if as_packed.estimate > 0 else 0.0
    has_prompts = shown_by.prompt_share > 0
    gives_away = gain >= (NEIGHBOURS if has_prompts else NEIGHBOURS_OF_TEXT) and shuffled.low > as_packed.high
    if not gives_away and not has_prompts:
        return None
    claim = (
        f"Packed rows see each other: {said} is {shown(as_packed)} nats in the order of the file "
        f"({shown_by.layout.words}), {shown(shuffled)} with the same rows in another order, and {shown(own.loss_nats)} "
        "each alone, as at scoring. "
    )
    claim += (
        f"Without the neighbours that the file gives it the loss is {gain:.0%} higher: the model copies from them."
        if gives_away
        else "On these rows it gains next to nothing by it; related rows side by side would give their answers away."
    )
    remedy = (
        "Keep packed rows apart (a block-diagonal attention mask, cu_seqlens or position_ids that start again at each "
        "row), or shuffle related rows apart before packing; validate on rows alone."
    )
    return Finding(NAME, "contributing" if gives_away else "note", claim, evidence, remedy)


def _training_loss(measured: Measured, evidence: dict[str, Any]) -> Finding | None:
    return _smoothed(measured, evidence) or _multiplied(measured, evidence)


def _smoothed(measured: Measured, evidence: dict[str, Any]) -> Finding | None:
    """Whether label smoothing in training alone would give the logged training loss; the validation loss is right."""
    smoothed = smoothed_in_training(measured)
    if smoothed is None:
        return None
    evidence |= figures("smoothed_train", smoothed.loss) | {
        "logged_train_nats": smoothed.point.loss_nats,
        "train_label_smoothing": smoothed.strength,
    }
    claim = (
        f"Label smoothing in training explains the logged training loss: {smoothed.point.loss_nats:.4g} nats at step "
        f"{smoothed.point.step}; with smoothing of {smoothed.strength:g} this checkpoint gives "
        f"{shown(smoothed.loss)} on training rows. The logged validation loss is right, and so is the model."
    )
    remedy = "Log the training loss without smoothing beside it: only that can be compared with the validation loss."
    return Finding(NAME, "note", claim, evidence, remedy)


def _multiplied(measured: Measured, evidence: dict[str, Any]) -> Finding | None:
    """Whether the validation loss is right and the training loss in the log is a multiple of the true one."""
    multiple = logged_multiple(measured)
    if multiple is None:
        return None
    evidence |= figures("recomputed_train", multiple.own) | {
        "logged_train_nats": multiple.point.loss_nats,
        "train_factor": multiple.factor,
    }
    many = f"{multiple.times} times" if multiple.factor > 1 else f"1/{multiple.times} of"
    claim = (
        f"The logged training loss is {many} the true one: {multiple.point.loss_nats:.4g} nats were logged at step "
        f"{multiple.point.step}, and on training rows this checkpoint gives {shown(multiple.own)} (a factor of "
        f"{multiple.factor:.2f}). The logged validation loss is right, and so is the model."
    )
    remedy = (
        f"Look for gradient accumulation over {multiple.times} batches: the logger adds up their losses, or divides "
        "them once too often. The gradients may be right all the same; compare their norm with that of one large "
        "batch."
    )
    return Finding(NAME, "contributing" if multiple.factor > 1 else "note", claim, evidence, remedy)


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
        "chance_of_a_fit": chance_of_a_fit(conventions, logged_nats),
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
    not_worth_trying="Looking for another log or another checkpoint",
    at_most="contributing",
    forward_passes=1_200,
    needs=("logged",),
    skipped_if_repaired=True,
    capabilities=LOGITS,
)
