"""Whether what the model returns are logits, or already probabilities: the loss takes a softmax of them again.

Probabilities lie between 0 and 1, and so do the outputs of a sigmoid. A softmax over ``V`` such numbers gives no token
more than ``e / (e + V - 1)``, however sure the model is: the loss has a floor, and sampling is nearly uniform.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from evalharness.diagnosis.probe import LOGITS, Probe
from evalharness.diagnosis.trials.real_inputs import NO_INPUTS, real_inputs
from evalharness.records import Finding, NotTestable, RuledOut
from evalharness.statistics.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.diagnosis.measured import Measured
    from evalharness.models.protocols import TorchModel
    from evalharness.records import Outcome

NAME = "not_logits"
ROWS = 16
"""Real inputs that are run, one pass each."""
LENGTH = 64
"""Ids of each: what the outputs are does not depend on how long a row is."""
FEWEST_IDS = 16
"""Of fewer ids, the logits of a position may all lie between 0 and 1 by chance."""
SUM_ERROR = 1e-2
"""How far the outputs of a position may be from one in sum and be probabilities: half precision rounds that much."""


def not_logits(measured: Measured) -> Outcome:
    """Look at the range and at the sum of the outputs, and take the loss of both readings."""
    long_enough = [row for row in real_inputs(measured.subject) if len(row) > measured.shortest_input]
    inputs = [row[:LENGTH] for row in long_enough[:ROWS]]
    if not inputs:
        return NotTestable(NAME, "no_data", NO_INPUTS)
    model = measured.subject.torch_model
    lowest, highest, furthest, ids = math.inf, -math.inf, 0.0, 0
    for row in inputs:
        outputs = _outputs(model, row)
        finite = outputs[outputs.isfinite()]
        lowest, highest = min(lowest, float(finite.min())), max(highest, float(finite.max()))
        furthest, ids = max(furthest, float((outputs.sum(dim=-1) - 1).abs().max())), outputs.shape[-1]
    evidence: dict[str, Any] = {"lowest": lowest, "highest": highest, "ids": ids, "furthest_sum_from_one": furthest}
    probabilities, within = furthest <= SUM_ERROR, lowest >= 0 and highest <= 1 + SUM_ERROR
    # A head of zeros gives zeros, and these are logits: a sigmoid has values on both sides of a half.
    if ids < FEWEST_IDS or not within or not (probabilities or lowest < 0.5 < highest):
        claim = f"The outputs are logits: they range from {lowest:.3g} to {highest:.3g}."
        return RuledOut(NAME, claim, evidence)
    evidence["floor_nats"] = floor = math.log(math.e + ids - 1) - 1
    described = (
        "probabilities: in every position they sum to one" if probabilities else "the outputs of a sigmoid, it seems"
    )
    claim = (
        f"The model does not return logits but {described}, between {lowest:.2g} and {highest:.2g}. The loss takes a "
        f"softmax of them again, and can't fall below {floor:.3f} nats per token, whatever the model knows; sampling "
        "is nearly uniform."
    )
    if probabilities:
        as_logits, as_probabilities = _losses(model, inputs)
        evidence |= {"as_logits_nats": as_logits, "as_probabilities_nats": as_probabilities}
        claim += (
            f" On {counted(len(inputs), 'row')} the outputs have {as_logits:.3f} nats per token read as logits, and "
            f"{as_probabilities:.3f} read as probabilities."
        )
    remedy = (
        "Take the last softmax or sigmoid out of the forward pass (cross_entropy applies its own), and train again: "
        "gradients were squashed, too. Until then generate from the logarithm of the outputs."
    )
    return Finding(NAME, "cause", claim, evidence, remedy)


def _outputs(model: TorchModel, row: Sequence[int]) -> torch.Tensor:
    """``(length, vocabulary)``, in double precision."""
    return model.logits(torch.tensor([list(row)], device=model.device))[0].double()


def _losses(model: TorchModel, rows: Sequence[Sequence[int]]) -> tuple[float, float]:
    """The mean loss (nats per token) of all targets, the outputs read as logits and as probabilities."""
    as_logits, as_probabilities = [], []
    for row in rows:
        outputs, targets = _outputs(model, row[:-1]), torch.tensor(list(row[1:]), device=model.device)[:, None]
        as_logits.append(-outputs.log_softmax(dim=-1).gather(1, targets))
        as_probabilities.append(-outputs.clamp_min(torch.finfo(torch.float32).tiny).log().gather(1, targets))
    return float(torch.cat(as_logits).mean()), float(torch.cat(as_probabilities).mean())


PROBE = Probe(
    name=NAME,
    question="Does the model return logits?",
    run=not_logits,
    order=15,
    not_worth_trying="Another way to read the model's outputs",
    at_most="cause",
    explains_all=True,
    forward_passes=3 * ROWS,
    capabilities=LOGITS,
    asked_of=frozenset({"checkpoint", "batch", "rows"}),
)
