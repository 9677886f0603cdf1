"""How many ids a model needs at least: some refuse a single one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from evalharness.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.models.protocols import TorchModel

LONGEST_TRIED = 8
"""A model that refuses as many ids of its own data refuses more than short inputs."""


def shortest_input(model: TorchModel, ids: Sequence[int]) -> int:
    """The length of the shortest beginning of ``ids`` that the model takes; 1 where it takes none of those tried.

    Costs one forward pass of one id, as a rule.
    """
    for length in range(1, min(len(ids), LONGEST_TRIED) + 1):
        try:
            model.logits(torch.tensor([list(ids[:length])], device=model.device))
        except EvaluationError:
            continue
        return length
    return 1
