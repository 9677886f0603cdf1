"""A log that is reproduced only with what stands before each row in training and not at scoring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalharness.diagnosis.log_readings import NAME
from evalharness.diagnosis.losses.packed_layouts import packed_anew
from evalharness.diagnosis.losses.row_means import capped, figures, mean, shown
from evalharness.records import Finding

if TYPE_CHECKING:
    from evalharness.diagnosis.losses.recomputed_loss import Recomputed
    from evalharness.diagnosis.measured import Measured

NEIGHBOURS = 0.03
NEIGHBOURS_OF_TEXT = 0.1
"""By how much rows in another order are harder where neighbours give something away: prompts with their answers have
nothing to do with each other, but the texts of one project make each other easier in any model."""


def needs_its_layout(measured: Measured, own: Recomputed, said: str, evidence: dict[str, Any]) -> Finding | None:
    """Whether the log is reproduced only with what stands before each row in training and not at scoring.

    Pieces of running text have no neighbours: what stands before one is the same text.
    """
    shown_by = measured.established.shown_by
    if shown_by is None or not shown_by.convention.is_plain:
        return None
    evidence["layout"] = shown_by.layout.words
    if shown_by.layout.arrangement.left is not None and own.is_far_from(evidence["logged_nats"]):
        return _behind_padding(shown_by, own, said, evidence)
    if not shown_by.layout.packed or measured.established.piece is not None:
        return None
    return _beside_neighbours(measured, shown_by, own, said, evidence)


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
