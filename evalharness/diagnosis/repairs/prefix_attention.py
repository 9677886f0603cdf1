"""A prompt whose tokens see each other, as they did if the model was trained as a prefix LM."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from evalharness.diagnosis.repair import Repair
from evalharness.diagnosis.trials.opened_masks import OpenedMasks
from evalharness.diagnosis.trials.swapping import no_change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

    from evalharness.diagnosis.subject import Subject

LONG_ENOUGH = 2
"""A prompt of one token sees itself in any model."""
NAMES = ("prefix", "prompt")
"""What an argument that says how long the prompt is has in its name."""


def repairs(subject: Subject) -> Iterator[Repair]:
    """Only for rows that are divided into a prompt and a completion."""
    split = subject.validation or subject.train
    if split is None or not any(row.prompt_tokens >= LONG_ENOUGH for row in split.encoded):
        return
    argument = _argument(subject.torch_model.module)
    given = f": its forward takes `{argument}`, which it is not given" if argument else ""
    yield Repair(
        kind="prefix_attention",
        words="the tokens of each prompt seeing each other",
        place=f"forward(…, {argument})" if argument else "the causal mask",
        remedy=(
            f"Run the model as it was trained, with prompts whose tokens see each other{given} ([model] forward names "
            'a function that does, and attention = "prefix" declares it). Or train it with the causal mask.'
        ),
        change=no_change,
        around_row=lambda row: OpenedMasks(row.prompt_tokens),
    )


def _argument(module: nn.Module) -> str | None:
    """The argument of the forward pass that seems to say where the prompt ends."""
    names = list(inspect.signature(module.forward).parameters)[1:]
    return next((name for name in names if any(part in name for part in NAMES)), None)
