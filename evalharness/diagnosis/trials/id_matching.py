"""Which id of the model means which token of the tokenizer, found from how often one follows the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from evalharness.models.protocols import last_logits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evalharness.models.protocols import TorchModel

Counts = npt.NDArray[np.float64]
ROUNDS = 4
"""Each reads the rows anew in a better order."""
SWEEPS = 12
"""Each tries every swap of two ids; a few are enough as a rule."""


def bigram_counts(rows: Iterable[Sequence[int]], size: int) -> Counts:
    """How often each id follows each other one: ``(size, size)``, the earlier one first."""
    counts = np.zeros((size, size))
    for row in rows:
        np.add.at(counts, (np.asarray(row[:-1]), np.asarray(row[1:])), 1.0)
    return counts


def written(model: TorchModel, size: int, length: int, seed: int) -> list[list[int]]:
    """Text that the model writes by itself, sampled, one row after each id; costs ``length`` passes."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.arange(size, device=model.device)[:, None]
    while ids.shape[1] < length:
        probabilities = last_logits(model, ids)[:, :size].float().softmax(dim=-1).cpu()
        ids = torch.cat([ids, torch.multinomial(probabilities, 1, generator=generator).to(ids.device)], dim=1)
    rows: list[list[int]] = ids.tolist()
    return rows


def matched(own: Counts, wanted: Counts) -> npt.NDArray[np.int64]:
    """For each id of ``own`` the id of ``wanted`` that it is: the order under which ``own`` is likeliest.

    Both are counts of bigrams. Begins with the order of their frequencies, and swaps two ids as long as that makes the
    log-likelihood higher, as one solves a substitution cipher.
    """
    order = np.empty(len(own), dtype=np.int64)
    order[np.argsort(-own.sum(axis=1), kind="stable")] = np.argsort(-wanted.sum(axis=1), kind="stable")
    smooth = wanted + 0.05
    log_p = np.log(smooth / smooth.sum(axis=1, keepdims=True))
    for _ in range(SWEEPS):
        if not _swept(own, log_p, order):
            break
    return order


def _swept(own: Counts, log_p: Counts, order: npt.NDArray[np.int64]) -> bool:
    """Swap in place, most frequent ids first, each pair that gains; whether any did."""
    changed = False
    frequent: Any = np.argsort(-own.sum(axis=1), kind="stable")
    for place, a in enumerate(frequent):
        for b in frequent[place + 1 :]:
            if _gain(own, log_p, order, int(a), int(b)) > 1e-9:
                order[[a, b]] = order[[b, a]]
                changed = True
    return changed


def _gain(own: Counts, log_p: Counts, order: npt.NDArray[np.int64], a: int, b: int) -> float:
    """By how much the log-likelihood rises if ``a`` and ``b`` change places: only their rows and columns matter."""
    new = order.copy()
    new[[a, b]] = new[[b, a]]
    pair, others = np.array([a, b]), np.delete(np.arange(len(order)), [a, b])

    def likelihood(how: npt.NDArray[np.int64]) -> float:
        rows = (own[pair] * log_p[how[pair]][:, how]).sum()
        columns = (own[np.ix_(others, pair)] * log_p[np.ix_(how[others], how[pair])]).sum()
        return float(rows + columns)

    return likelihood(new) - likelihood(order)


def refined(model: TorchModel, rows: Sequence[Sequence[int]], order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The order with each id where the model expects it: it reads ``rows`` in the order so far, which is nearly right.

    Rare ids are hardly written, but read they are known by what stands before them.
    """
    order = order.copy()
    for _ in range(ROUNDS):
        fits = np.zeros((len(order), len(order)))
        for row in rows:
            ids = torch.from_numpy(order[list(row)])[None].to(model.device)
            log_p = model.logits(ids[:, :-1])[0, :, : len(order)].float().log_softmax(dim=-1)
            np.add.at(fits, np.asarray(row[1:]), log_p.cpu().numpy())
        before = order.copy()
        for _ in range(SWEEPS):
            if not _placed(fits, order):
                break
        if np.array_equal(order, before):
            break
    return order


def _placed(fits: Counts, order: npt.NDArray[np.int64]) -> bool:
    """Swap in place each pair that fits better the other way round; whether any did."""
    changed = False
    for a in range(len(order)):
        for b in range(a + 1, len(order)):
            gain = fits[a, order[b]] + fits[b, order[a]] - fits[a, order[a]] - fits[b, order[b]]
            if gain > 1e-9:
                order[[a, b]] = order[[b, a]]
                changed = True
    return changed
