"""The losses of single targets from one parallel pass over each row, with all that probes ask of the same pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from evalharness.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.models.protocols import TorchModel

OFFSETS = (-1, 0, 1, 2, 3)
"""Which id, counted from the input at a position, the loss is also taken against: 1 is the next token, 0 the input."""

CHUNK = 2**23
"""Logits that are looked at together: 64 MiB in double precision, whatever the length and the vocabulary are."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RowLosses:
    """One row in one forward pass over all its ids but the last; arrays are over the ``n - 1`` predicted positions.

    ``nll_nats``: against the next id. ``at_offset_nats``: shape ``(len(OFFSETS), n - 1)``, against the id that many
    places from the input, NaN where there is none. ``mean_nll_nats``: against all ids of the vocabulary alike (the part
    that label smoothing adds). ``entropy_nats``: of the prediction. ``rank``: how many ids are more probable than the
    target. ``end_log_p``: log-probability of all end tokens together (-inf without any). Position ``t`` of the arrays
    predicts ``row.ids[t + 1]``.
    """

    row: TokenRow
    nll_nats: _Floats
    at_offset_nats: _Floats
    mean_nll_nats: _Floats
    entropy_nats: _Floats
    rank: npt.NDArray[np.int64]
    end_log_p: _Floats

    @property
    def counted(self) -> slice:
        """Which positions are targets of the row's own convention."""
        return slice(self.row.first_target - 1, None)


TokenLosses = tuple[RowLosses, ...]


def token_losses(
    model: TorchModel,
    rows: Sequence[TokenRow],
    end_ids: Sequence[int],
    forward: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> TokenLosses:
    """Measure all of ``rows``, each in a pass of its own: no padding, no neighbours, but for what ``forward`` adds.

    ``forward`` gives logits as the model does, which is asked itself without it. Raises :class:`EvaluationError` where
    the model returns NaN on its own data.
    """
    return tuple(_measured(forward or model.logits, model.device, row, end_ids) for row in rows)


def _measured(
    forward: Callable[[torch.Tensor], torch.Tensor], device: torch.device, row: TokenRow, end_ids: Sequence[int]
) -> RowLosses:
    ids = torch.tensor(row.ids, device=device)
    logits = forward(ids[None, :-1])[0]
    at_once = max(1, CHUNK // logits.shape[-1])
    parts = [
        _of_positions(row, logits[begin : begin + at_once], ids, begin, end_ids)
        for begin in range(0, len(logits), at_once)
    ]
    return parts[0] if len(parts) == 1 else _joined(row, parts)


def _joined(row: TokenRow, parts: Sequence[RowLosses]) -> RowLosses:
    """The losses of all positions of ``row``, from those of its parts in their order."""
    names = ("nll_nats", "at_offset_nats", "mean_nll_nats", "entropy_nats", "rank", "end_log_p")
    return RowLosses(row, *(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in names))


def _of_positions(
    row: TokenRow, logits: torch.Tensor, ids: torch.Tensor, begin: int, end_ids: Sequence[int]
) -> RowLosses:
    """The losses of the positions from ``begin`` on that ``logits`` ``(positions, vocabulary)`` are of."""
    log_p = torch.log_softmax(logits.double(), dim=-1)
    nll = -log_p.gather(1, ids[begin + 1 : begin + 1 + len(log_p), None])[:, 0]
    if bool(nll.isnan().any()):
        raise EvaluationError(f"the model returns NaN on {len(row.ids)} tokens of its own data")
    rank = (log_p > -nll[:, None]).sum(dim=-1)
    ends = log_p[:, list(end_ids)].logsumexp(dim=-1) if end_ids else torch.full_like(nll, -torch.inf)
    p = log_p.exp()
    return RowLosses(
        row=row,
        nll_nats=_array(nll),
        at_offset_nats=np.stack([_array(_at_offset(log_p, ids, begin, offset)) for offset in OFFSETS]),
        mean_nll_nats=_array(-log_p.mean(dim=-1)),
        entropy_nats=_array(-torch.xlogy(p, p).sum(dim=-1)),
        rank=rank.cpu().numpy(),
        end_log_p=_array(ends),
    )


def _at_offset(log_p: torch.Tensor, ids: torch.Tensor, begin: int, offset: int) -> torch.Tensor:
    """The loss of each position from ``begin`` on against the id ``offset`` places from its input."""
    places = torch.arange(begin, begin + len(log_p), device=ids.device) + offset
    inside = (places >= 0) & (places < len(ids))
    losses = -log_p.gather(1, ids[places.clamp(0, len(ids) - 1)][:, None])[:, 0]
    return torch.where(inside, losses, torch.nan)


def _array(values: torch.Tensor) -> _Floats:
    return values.cpu().numpy().astype(np.float64)
