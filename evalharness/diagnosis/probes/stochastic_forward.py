"""Does the model give the same logits twice? In evaluation mode noise has to be off, and nothing kept between calls.

Noise and state are told apart by the random numbers: with the same ones before each call noise repeats itself, and what
still differs after another input was kept from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from evalharness.diagnosis.data.spread import evenly
from evalharness.diagnosis.probe import MODULE, Probe
from evalharness.diagnosis.trials.logit_changes import compare
from evalharness.diagnosis.trials.real_inputs import NO_INPUTS, awake, real_inputs
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.diagnosis.measured import Measured
    from evalharness.models.protocols import TorchModel
    from evalharness.records import Outcome

NAME = "stochastic_forward"
ROWS = 4
LENGTH = 64
"""Ids of a row: noise and state are in short rows as in long ones, and each is read a dozen times."""
REPEATS = 8
"""Passes over each row: noise that strikes one pass in four, such as a layer that is dropped, is missed by nine
passes with a chance of 0.75^8 = 10 %, and by those over four rows with 0.01 %."""
UNITS = 32
"""What counts as noise, in units in the last place of the largest logit (single precision: about 1e-4 nats). The same
input in the same shape is rounded alike, but for sums in no fixed order on some devices, which move a few units."""
UNITS_OF_HALF = 2
"""The same for half precision, where a unit is 2^-7 of the logit."""


def stochastic_forward(measured: Measured) -> Outcome:
    """Compare repeated passes over the same rows, and passes before and after another row.

    Costs ``ROWS * (REPEATS + 5)`` forwards of one row.
    """
    subject = measured.subject
    inputs = real_inputs(subject)
    if not inputs:
        return NotTestable(NAME, "no_data", NO_INPUTS)
    inputs = tuple(row[:LENGTH] for row in inputs)
    rows, device = evenly(inputs, ROWS), subject.torch_model.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        # Noise is to give the same evidence each time that it is asked for, and to leave no trace.
        torch.manual_seed(subject.seed)
        model, _ = awake(subject.torch_model, inputs)
        # Each pair is compared as soon as it is there: the logits of all of them are larger than many a model.
        pairs = (pair for row in rows for pair in _repeated(model, row))
        around = (_around_another(model, row, _other(inputs, row), subject.seed) for row in rows)
        moved, kept = compare(pairs, _tolerance(model)), compare(around, _tolerance(model))
    evidence = {
        "differing_after_another": kept.moved_rows,
        "largest_change_after_another_nats": kept.largest_nats,
        "rows": len(rows),
        "passes_of_a_row": REPEATS + 1,
        "differing_passes": moved.moved_rows,
        "largest_change_nats": moved.largest_nats,
        "tolerance_nats": moved.tolerance_nats,
    }
    if kept.moved_rows:
        claim = (
            f"The model keeps state from one call to the next: after another input, {kept.moved_rows} of {kept.rows} "
            f"inputs give other logits, by up to {kept.largest_nats:.3g} nats, with the same random numbers."
        )
        remedy = (
            "Start every call from the same state: reset what the module keeps (a cache, a hidden state, running "
            "statistics that go on in evaluation mode) at the beginning of forward, or pass it in and out. A loss that "
            "was computed so depends on the order of the rows. The weights need no new training if they were trained "
            "without it."
        )
        return Finding(NAME, "cause", claim, {**evidence, "kind": "state"}, remedy)
    if not moved.moved_rows:
        claim = (
            f"The forward pass is deterministic: {REPEATS} repeated passes over each of "
            f"{counted(len(rows), 'row')} moved "
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
    return Finding(NAME, "cause", claim, {**evidence, "kind": "noise"}, remedy)


def _other(inputs: Sequence[tuple[int, ...]], row: tuple[int, ...]) -> tuple[int, ...]:
    """Another input; of a single one, the same from the back."""
    return next((other for other in inputs if other != row), row[::-1])


def _around_another(
    model: TorchModel, row: tuple[int, ...], other: tuple[int, ...], seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits of ``row`` after itself and after ``other``, each pass with the same random numbers."""
    passes = []
    for ids in (row, row, other, row):
        torch.manual_seed(seed)
        passes.append(model.logits(torch.tensor([ids], device=model.device))[0])
    return passes[1], passes[3]


def _repeated(model: TorchModel, row: tuple[int, ...]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    ids = torch.tensor([row], device=model.device)
    first = model.logits(ids)[0]
    yield from ((first, model.logits(ids)[0]) for _ in range(REPEATS))


def _tolerance(model: TorchModel) -> float:
    dtype = next((p.dtype for p in model.module.parameters() if p.is_floating_point()), torch.float32)
    is_half = dtype in {torch.float16, torch.bfloat16}
    return torch.finfo(dtype).eps * (UNITS_OF_HALF if is_half else UNITS)


PROBE = Probe(
    name=NAME,
    question="Does the model give the same logits twice?",
    run=stochastic_forward,
    order=120,
    not_worth_trying="Looking for dropout or other randomness in the forward pass",
    at_most="cause",
    forward_passes=ROWS * (REPEATS + 5),
    capabilities=MODULE,
    asked_of=frozenset({"checkpoint", "batch", "rows"}),
)
