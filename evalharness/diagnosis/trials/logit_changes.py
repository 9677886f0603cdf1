"""Whether the same tokens get the same logits in two ways of running a model, up to rounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from evalharness.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.models.protocols import TorchModel

TOLERANCE = 1e-3
"""A change counts from this share of (1 + the largest logit): rounding in single precision moves logits of models of
billions of parameters by less, and what is computed wrongly moves them by more."""
TOLERANCE_OF_HALF = 0.05
"""The same in half precision, whose unit in the last place (2^-8 in bfloat16) grows over the layers; loading a
checkpoint asks the same of its cache."""
MOVED_SHARE = 0.05
"""A row has moved where more than one in twenty of its positions has: rounding tips a router of experts now and then
at a single position, and what is computed wrongly shows at most of them."""


@dataclass(frozen=True, slots=True)
class Moved:
    """How many of ``rows`` have moved, the largest change of a logit (nats), and from which change on it counts."""

    rows: int
    moved_rows: int
    largest_nats: float
    tolerance_nats: float

    @property
    def is_fault(self) -> bool:
        """Whether at least half of the rows have moved: a fault of the computation is in all of them."""
        return self.moved_rows > 0 and 2 * self.moved_rows >= self.rows

    @property
    def evidence(self) -> dict[str, float]:
        """The figures, for a finding and for what is ruled out alike."""
        return {
            "rows": self.rows,
            "moved_rows": self.moved_rows,
            "largest_change_nats": self.largest_nats,
            "tolerance_nats": self.tolerance_nats,
        }


def compare(pairs: Iterable[tuple[torch.Tensor, torch.Tensor]], tolerance: float) -> Moved:
    """Compare logits ``(positions, vocabulary)`` of the same tokens, one pair a row.

    ``tolerance`` is a share of (1 + the largest logit). Raises :class:`EvaluationError` where a logit is NaN.
    """
    changes, largest = [], 0.0
    for one, other in pairs:
        changes.append(change(one, other))
        largest = max(largest, float(one[one.isfinite()].abs().max()))
    allowed = tolerance * (1.0 + largest)
    return Moved(
        rows=len(changes),
        moved_rows=sum(float((moved > allowed).double().mean()) > MOVED_SHARE for moved in changes),
        largest_nats=max(float(moved.max()) for moved in changes),
        tolerance_nats=allowed,
    )


def change(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The largest change at each position; an id that is held out by -infinity both times has not changed."""
    if bool(one.isnan().any() | other.isnan().any()) or not bool(one.isfinite().any(dim=-1).all()):
        raise EvaluationError(f"the model returns NaN or infinity as logits on {len(one)} tokens of its own data")
    return torch.where(one == other, 0.0, (one - other).abs()).amax(dim=-1)


def tolerance_of(model: TorchModel) -> float:
    """The tolerance for the precision that the model runs in."""
    floating = (p.dtype for p in model.module.parameters() if p.is_floating_point())
    return TOLERANCE_OF_HALF if next(floating, None) in {torch.float16, torch.bfloat16} else TOLERANCE


def unsteady(model: TorchModel, row: tuple[int, ...]) -> float | None:
    """The largest change (nats) between two passes over the same input, where it is too large to compare anything."""
    ids = torch.tensor([row], device=model.device)
    moved = compare([(model.logits(ids)[0], model.logits(ids)[0])], tolerance_of(model))
    return moved.largest_nats if moved.largest_nats > moved.tolerance_nats else None


def unsteady_reason(change_nats: float) -> str:
    """Why nothing can be compared in a model that gives other logits for the same input each time."""
    return (
        f"the same input moves the logits by {change_nats:.3g} nats from one pass to the next: nothing to compare with"
    )
