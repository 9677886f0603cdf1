"""Does a row keep its logits in company? They must not depend on its neighbours, nor on padding behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.probe import MODULE, Probe
from evalharness.diagnosis.trials.logit_changes import Moved, compare, tolerance_of, unsteady, unsteady_reason
from evalharness.diagnosis.trials.real_inputs import LONGEST, NO_INPUTS, awake, of_one_length, real_inputs
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.measured import Measured
    from evalharness.models.protocols import TorchModel
    from evalharness.records import Outcome, Severity

NAME = "batch_invariance"
ROWS = 4
LENGTH = 96
"""Ids of a row together with its padding, which is a third of it."""
COSTLY_NATS = 0.05
"""Where padding moves the mean loss of a row by less, it is worth a note alone: position codes that depend on the
length of the input do so in sound models, within what the seeds of a training differ by."""

_Rows = list[tuple[int, ...]]
_REMEDY = (
    "Compute nothing over the rows of a batch or over its width: no statistics of the batch (BatchNorm outside of "
    "evaluation mode), no capacity that rows share, no positions counted from the end; mask what is padding."
)


def batch_invariance(measured: Measured) -> tuple[Outcome, ...] | Outcome:
    """Compare rows alone, in a batch of equal lengths, padded on the right, and, where a mask is taken, on the left.

    Costs about ``6 * ROWS`` forwards of one row. In a model that leaks padding can't but matter, and is not tried.
    """
    subject = measured.subject
    inputs = real_inputs(subject)
    if not inputs:
        return NotTestable(NAME, "no_data", NO_INPUTS)
    model, _ = awake(subject.torch_model, inputs)
    whole = min(subject.model.context_length or LONGEST, LENGTH)
    rows = of_one_length(inputs, ROWS, max(1, whole - whole // 3))
    noise = unsteady(model, rows[0])
    if noise is not None:
        return NotTestable(NAME, "undecided", unsteady_reason(noise))
    alone = [model.logits(_ids(model, [row]))[0] for row in rows]
    tolerance = tolerance_of(model)
    together = compare(zip(alone, model.logits(_ids(model, rows)), strict=True), tolerance)
    if together.is_fault:
        return _neighbours(together)
    if measured.leaks:
        reason = "padding is not tried: in a model that sees the future it is seen as well; neighbours move nothing"
        return NotTestable(NAME, "leak", reason)
    tried = [("its neighbours", together)]
    findings: list[Outcome] = []
    behind = _padded_right(model, rows, whole)
    if behind is not None:
        right = compare(zip(alone, behind, strict=True), tolerance)
        cost = _cost(rows, alone, behind)
        findings += [_padding("right", right, cost)] if right.is_fault else []
        tried += [] if right.is_fault else [("padding on the right", right)]
    if model.supports_cache and whole > len(rows[0]):
        before = _padded_left(model, rows, whole)
        left = compare(zip(alone, before, strict=True), tolerance)
        findings += [_padding("left", left, _cost(rows, alone, before))] if left.is_fault else []
        tried += [] if left.is_fault else [("masked padding on the left", left)]
    return tuple(findings) or (_cleared(tried),)


def _neighbours(moved: Moved) -> Finding:
    claim = (
        f"A row's logits depend on its neighbours: {moved.moved_rows} of {counted(moved.rows, 'row')} get others "
        f"in a batch of "
        f"equal lengths than alone, by up to {moved.largest_nats:.3g} nats."
    )
    return Finding(NAME, "cause", claim, moved.evidence, _REMEDY)


def _padding(side: str, moved: Moved, cost_nats: float) -> Finding:
    claim = (
        f"A row's logits depend on padding on the {side}, although "
        f"{'it is masked out' if side == 'left' else 'no position sees what is after it'}: {moved.moved_rows} of "
        f"{counted(moved.rows, 'row')} get others than alone, by up to {moved.largest_nats:.3g} nats; the mean "
        f"loss of those "
        f"tokens moves by {cost_nats:.3g} nats."
    )
    evidence = moved.evidence | {"side": side, "loss_change_nats": cost_nats, "costly_nats": COSTLY_NATS}
    # Nothing is padded on the left here: who writes with a generation loop of their own may do it.
    costly: Severity = "cause" if side == "right" else "contributing"
    return Finding(NAME, costly if cost_nats >= COSTLY_NATS else "note", claim, evidence, _REMEDY)


def _cleared(tried: Sequence[tuple[str, Moved]]) -> RuledOut:
    largest = max(moved.largest_nats for _, moved in tried)
    allowed = max(moved.tolerance_nats for _, moved in tried)
    claim = (
        f"A row keeps its logits whatever {' and '.join(name for name, _ in tried)} may be: of {ROWS} rows none moved "
        f"at more than a few positions (largest change {largest:.1g} nats; {allowed:.1g} are allowed)."
    )
    evidence = {f"largest_change_nats, {name}": moved.largest_nats for name, moved in tried}
    return RuledOut(NAME, claim, evidence | {"rows": ROWS, "tolerance_nats": allowed})


def _ids(model: TorchModel, rows: _Rows) -> torch.Tensor:
    return torch.tensor(rows, device=model.device)


def _filler(rows: _Rows, count: int) -> tuple[int, ...]:
    """Ids that occur: one that never does may be in no embedding."""
    return (rows[0][0],) * count


def _padded_right(model: TorchModel, rows: _Rows, whole: int) -> list[torch.Tensor] | None:
    length = len(rows[0])
    if whole == length:
        return None
    padding = _filler(rows, whole - length)
    return [model.logits(_ids(model, [(*row, *padding)]))[0, :length] for row in rows]


def _padded_left(model: TorchModel, rows: _Rows, whole: int) -> list[torch.Tensor]:
    """Rows of different lengths in one batch, positions counted from each row's first token."""
    padding = whole - len(rows[0])
    ids = _ids(model, [(*_filler(rows, padding), *row) for row in rows])
    mask = torch.ones_like(ids)
    mask[:, :padding] = 0
    positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)
    return list(model.cached_logits(ids, mask, positions, None)[0][:, padding:])


def _cost(rows: _Rows, alone: list[torch.Tensor], padded: list[torch.Tensor]) -> float:
    """How far padding moves the mean loss of the rows' own tokens (nats)."""
    ids = torch.tensor(rows, device=alone[0].device)
    losses = [
        float(torch.nn.functional.cross_entropy(torch.stack(way)[:, :-1].flatten(0, 1), ids[:, 1:].flatten()))
        if ids.shape[1] > 1
        else 0.0
        for way in (alone, padded)
    ]
    return abs(losses[1] - losses[0])


PROBE = Probe(
    name=NAME,
    question="Does a row keep its logits next to other rows and before padding?",
    run=batch_invariance,
    order=130,
    not_worth_trying="Generating one row at a time, or with other padding",
    at_most="cause",
    forward_passes=6 * ROWS,
    capabilities=MODULE,
)
