"""Does the model give the same logits twice? In evaluation mode dropout and other noise have to be off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.probe import MODULE, Probe
from evalharness.diagnosis.trials.logit_changes import compare
from evalharness.diagnosis.trials.real_inputs import NO_INPUTS, awake, real_inputs
from evalharness.records import Finding, NotTestable, RuledOut

if TYPE_CHECKING:
    from evalharness.diagnosis.measured import Measured
    from evalharness.models.protocols import TorchModel
    from evalharness.records import Outcome

NAME = "stochastic_forward"
ROWS = 4
REPEATS = 8
"""Passes over each row: noise that strikes one pass in four, such as a layer that is dropped, is missed by nine
passes with a chance of 0.75^8 = 10 %, and by those over four rows with 0.01 %."""
UNITS = 32
"""What counts as noise, in units in the last place of the largest logit (single precision: about 1e-4 nats). The same
input in the same shape is rounded alike, but for sums in no fixed order on some devices, which move a few units."""
UNITS_OF_HALF = 2
"""The same for half precision, where a unit is 2^-7 of the logit."""


def stochastic_forward(measured: Measured) -> Outcome:
    """Compare repeated passes over the same rows. Costs ``ROWS * (REPEATS + 1)`` forwards of one row."""
    subject = measured.subject
    inputs = real_inputs(subject)
    if not inputs:
        return NotTestable(NAME, "no_data", NO_INPUTS)
    rows, device = evenly(inputs, ROWS), subject.torch_model.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        # Noise is to give the same evidence each time that it is asked for, and to leave no trace.
        torch.manual_seed(subject.seed)
        model, _ = awake(subject.torch_model, inputs)
        pairs = [pair for row in rows for pair in _repeated(model, row)]
    moved = compare(pairs, _tolerance(model))
    evidence = {
        "rows": len(rows),
        "passes_of_a_row": REPEATS + 1,
        "differing_passes": moved.moved_rows,
        "largest_change_nats": moved.largest_nats,
        "tolerance_nats": moved.tolerance_nats,
    }
    if not moved.moved_rows:
        claim = (
            f"The forward pass is deterministic: {REPEATS} repeated passes over each of {len(rows)} rows moved "
            f"no logit by more than {max(moved.largest_nats, moved.tolerance_nats):.1g} nats."
        )
        return RuledOut(NAME, claim, evidence)
    claim = (
        f"The model is random in evaluation mode: {moved.moved_rows} of {moved.rows} repeated passes over the same "
        f"input give other logits, by up to {moved.largest_nats:.3g} nats."
    )
    remedy = (
        "Pass training=self.training to functional dropout (and dropout_p=0.0 to scaled_dot_product_attention outside "
        "of training), and draw no other noise after eval(). The weights need no new training."
    )
    return Finding(NAME, "cause", claim, evidence, remedy)


def _repeated(model: TorchModel, row: tuple[int, ...]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    ids = torch.tensor([row], device=model.device)
    first = model.logits(ids)[0]
    return [(first, model.logits(ids)[0]) for _ in range(REPEATS)]


def _tolerance(model: TorchModel) -> float:
    dtype = next((p.dtype for p in model.module.parameters() if p.is_floating_point()), torch.float32)
    is_half = dtype in {torch.float16, torch.bfloat16}
    return torch.finfo(dtype).eps * (UNITS_OF_HALF if is_half else UNITS)


PROBE = Probe(
    name=NAME,
    question="Does the model give the same logits twice?",
    run=stochastic_forward,
    order=120,
    at_most="cause",
    forward_passes=ROWS * (REPEATS + 1),
    capabilities=MODULE,
    asked_of=frozenset({"checkpoint", "batch", "rows"}),
)
