"""Whether passes of a model are so dear that none is made which can't change the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalharness.models.protocols import TorchModel

PARAMETERS = 64_000_000
"""On two cores a model of this size reads some 500 tokens a second: 64 rows of 256 tokens take half a minute."""


def is_dear(model: TorchModel) -> bool:
    """Whether the model has more than :data:`PARAMETERS` parameters."""
    return sum(parameter.numel() for parameter in model.module.parameters()) > PARAMETERS
