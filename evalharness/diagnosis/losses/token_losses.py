"""The losses of single targets from one parallel pass over each row, with all that probes ask of the same pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from evalharness.errors import EvaluationError
from evalharness.models.log_softmax import in_chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalharness.diagnosis.data.rows import TokenRow
    from evalharness.models.protocols import TorchModel

OFFSETS = (-1, 0, 1, 2, 3)
"""Which id, counted from the input at a position, the loss is also taken against: 1 is the next token, 0 the input."""

_ARRAYS = ("nll_nats", "at_offset_nats", "mean_nll_nats", "end_log_p", "end_rank", "best")
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RowLosses:
    """One row in one forward pass over all its ids but the last; arrays are over the ``n - 1`` predicted positions.

    ``nll_nats``: against the next id. ``at_offset_nats``: shape ``(len(OFFSETS), n - 1)``, against the id that many
    places from the input, NaN where there is none. ``mean_nll_nats``: against all ids of the vocabulary alike (the part
    that label smoothing adds). ``end_log_p``: log-probability of all end tokens together (-inf without any).
    ``end_rank``: where the target is an end token, how many ids are more probable than the likeliest of these; -1
    elsewhere. ``best``: the most probable id. Position ``t`` of the arrays predicts ``row.ids[t + 1]``.
    """

    row: TokenRow
    nll_nats: _Floats
    at_offset_nats: _Floats
    mean_nll_nats: _Floats
    end_log_p: _Floats
    end_rank: npt.NDArray[np.int64]
    best: npt.NDArray[np.int64]

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
    parts = [_of_positions(row, part, ids, places.start, end_ids) for places, part in in_chunks(logits)]
    return parts[0] if len(parts) == 1 else _joined(row, parts)


def _joined(row: TokenRow, parts: Sequence[RowLosses]) -> RowLosses:
    """The losses of all positions of ``row``, from those of its parts in their order."""
    return RowLosses(row, *(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in _ARRAYS))


def first_positions(losses: RowLosses, ids: int) -> RowLosses:
    """The losses of a row's first ``ids`` ids. What follows them matters only to a model that leaks."""
    n = ids - 1
    if n == len(losses.nll_nats):
        return losses
    arrays = {name: getattr(losses, name)[..., :n] for name in _ARRAYS}
    # What an input is compared with beyond the end of the shorter row is not there.
    places = np.arange(n) + np.array(OFFSETS)[:, None]
    arrays["at_offset_nats"] = np.where(places < ids, arrays["at_offset_nats"], np.nan)
    return RowLosses(replace(losses.row, ids=losses.row.ids[:ids]), **arrays)


def repeated_last(losses: RowLosses, ids: int) -> RowLosses:
    """The losses of a row as if its last id were repeated up to ``ids`` ids, each at the same cost as the last."""
    more = max(0, ids - len(losses.row.ids))
    arrays = {
        name: np.pad(values, (*[(0, 0)] * (values.ndim - 1), (0, more)), mode="edge")
        for name in _ARRAYS
        for values in (getattr(losses, name),)
    }
    return RowLosses(replace(losses.row, ids=(*losses.row.ids, *losses.row.ids[-1:] * more)), **arrays)


def _of_positions(
    row: TokenRow, logits: torch.Tensor, ids: torch.Tensor, begin: int, end_ids: Sequence[int]
) -> RowLosses:
    """The losses of the positions from ``begin`` on that ``logits`` ``(positions, vocabulary)``, float64, are of."""
    log_p = torch.log_softmax(logits, dim=-1)
    nll = -log_p.gather(1, ids[begin + 1 : begin + 1 + len(log_p), None])[:, 0]
    if bool(nll.isnan().any()):
        raise EvaluationError(f"the model returns NaN on {len(row.ids)} tokens of its own data")
    of_ends = log_p[:, [i for i in end_ids if i < log_p.shape[1]]]
    ends = of_ends.logsumexp(dim=-1) if of_ends.shape[1] else torch.full_like(nll, -torch.inf)
    return RowLosses(
        row=row,
        nll_nats=_array(nll),
        at_offset_nats=np.stack([_array(_at_offset(log_p, ids, begin, offset)) for offset in OFFSETS]),
        mean_nll_nats=_array(-log_p.mean(dim=-1)),
        end_log_p=_array(ends),
        end_rank=_end_ranks(log_p, of_ends, ids[begin + 1 : begin + 1 + len(log_p)], end_ids),
        best=log_p.argmax(dim=-1).cpu().numpy(),
    )


def _end_ranks(
    log_p: torch.Tensor, of_ends: torch.Tensor, targets: torch.Tensor, end_ids: Sequence[int]
) -> npt.NDArray[np.int64]:
    """Looked for at few positions only: to compare a whole vocabulary takes as long as its log-softmax."""
    ranks = np.full(len(log_p), -1, dtype=np.int64)
    for t, target in enumerate(targets.tolist()):
        if target in end_ids and of_ends.shape[1]:
            ranks[t] = int((log_p[t] > of_ends[t].max()).sum())
    return ranks


def _at_offset(log_p: torch.Tensor, ids: torch.Tensor, begin: int, offset: int) -> torch.Tensor:
    """The loss of each position from ``begin`` on against the id ``offset`` places from its input."""
    places = torch.arange(begin, begin + len(log_p), device=ids.device) + offset
    inside = (places >= 0) & (places < len(ids))
    losses = -log_p.gather(1, ids[places.clamp(0, len(ids) - 1)][:, None])[:, 0]
    return torch.where(inside, losses, torch.nan)


def _array(values: torch.Tensor) -> _Floats:
    return values.cpu().numpy().astype(np.float64)
