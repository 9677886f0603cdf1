"""NaN and infinity on real inputs, in the precision that the model is run in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.probe import MODULE, Probe
from evalharness.diagnosis.trials.real_inputs import NO_INPUTS, real_inputs
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics import wilson

if TYPE_CHECKING:
    from evalharness.diagnosis.measured import Measured
    from evalharness.diagnosis.subject import Subject
    from evalharness.records import Outcome

NAME = "not_finite"
ROWS = 32
"""The longest of the real inputs, one pass each: what overflows does so in long rows first."""


def not_finite(measured: Measured) -> Outcome:
    """Look for NaN and infinity in parameters and in logits. Costs ``ROWS`` forwards of one row.

    A logit of -infinity holds an id out and is none, unless all ids of a position are held out.
    """
    subject = measured.subject
    inputs = sorted(real_inputs(subject), key=len, reverse=True)[:ROWS]
    if not inputs:
        return NotTestable(NAME, "no_data", NO_INPUTS)
    broken = [row for row in inputs if not _is_finite(subject, row)]
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
    return Finding(NAME, "cause", claim, evidence, remedy)


def _is_finite(subject: Subject, row: tuple[int, ...]) -> bool:
    logits = subject.torch_model.logits(torch.tensor([row], device=subject.torch_model.device))[0]
    bad = logits.isnan() | (logits == torch.inf)
    return not bool(bad.any()) and bool(logits.isfinite().any(dim=-1).all())


PROBE = Probe(
    name=NAME,
    question="Are all logits finite?",
    run=not_finite,
    order=160,
    at_most="cause",
    explains_all=True,
    forward_passes=ROWS,
    capabilities=MODULE,
    asked_of=frozenset({"checkpoint", "batch", "rows"}),
)
