"""NaN and infinity on real inputs, in the precision that the model is run in."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.data.rows import TokenRow
from evalharness.diagnosis.probe import MODULE, Probe
from evalharness.diagnosis.trials.real_inputs import NO_INPUTS, data_inputs, real_inputs
from evalharness.errors import EvaluationError
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics import wilson

if TYPE_CHECKING:
    from evalharness.diagnosis.measured import Measured
    from evalharness.records import Outcome

NAME = "not_finite"
ROWS = 32
"""The longest rows of data, or problems without any, one pass each: what overflows does so in long rows first."""


def not_finite(measured: Measured) -> Outcome:
    """Look for NaN and infinity in parameters and in logits. Costs ``ROWS`` forwards of one row.

    A logit of -infinity holds an id out and is none, unless all ids of a position are held out.
    """
    subject = measured.subject
    inputs = sorted(data_inputs(subject) or real_inputs(subject), key=len, reverse=True)[:ROWS]
    if not inputs:
        return NotTestable(NAME, "no_data", NO_INPUTS)
    broken = [row for row in inputs if not _is_finite(measured, row)]
    parameters = [name for name, p in subject.torch_model.module.named_parameters() if not bool(p.isfinite().all())]
    dtype = next((p.dtype for p in subject.torch_model.module.parameters() if p.is_floating_point()), torch.float32)
    precision = str(dtype).removeprefix("torch.")
    share = wilson(len(broken), len(inputs))
    evidence = {
        "rows": len(inputs),
        "rows_not_finite": len(broken),
        "share_low": share.low,
        "share_high": share.high,
        "parameters_not_finite": len(parameters),
        "precision": precision,
    }
    if not broken and not parameters:
        claim = f"All logits of {len(inputs)} real inputs are finite in {precision}, and so are all parameters."
        return RuledOut(NAME, claim, evidence)
    named = f"; {len(parameters)} parameters hold such values ({parameters[0]} first)" if parameters else ""
    claim = (
        f"The model returns NaN or infinity on {len(broken)} of {len(inputs)} real inputs "
        f"({100 * share.estimate:.0f} % [{100 * share.low:.1f}, {100 * share.high:.1f}]) in {precision}{named}."
    )
    remedy = (
        "The weights were saved after training diverged: go back to an earlier step, lower the rate, clip gradients."
        if parameters
        else "Run it in a precision with a wider range (--dtype float32 or bfloat16); where that does not help, look "
        "for a row of the attention mask in which everything is masked out, and for divisions by zero."
    )
    return Finding(NAME, "cause", claim, evidence | ({"modules": parameters} if parameters else {}), remedy)


def _is_finite(measured: Measured, row: tuple[int, ...]) -> bool:
    """Whether all logits are: with any that is not the losses are no numbers. Others will ask for the same losses."""
    with contextlib.suppress(EvaluationError):
        measured.passes.losses([TokenRow(row, 1)])
        return True
    model = measured.subject.torch_model
    logits = model.logits(torch.tensor([row], device=model.device))[0]
    bad = logits.isnan() | (logits == torch.inf)
    return not bool(bad.any()) and bool(logits.isfinite().any(dim=-1).all())


PROBE = Probe(
    name=NAME,
    question="Are all logits finite?",
    run=not_finite,
    order=160,
    not_worth_trying="Higher precision against NaN or infinity",
    at_most="cause",
    explains_all=True,
    forward_passes=ROWS,
    capabilities=MODULE,
    asked_of=frozenset({"checkpoint", "batch", "rows"}),
)
