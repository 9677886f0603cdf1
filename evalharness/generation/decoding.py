"""From logits to a token: greedy, or by the inverse of the cumulative distribution.

Floating point makes logits differ in their last digits between batch shapes. So every choice says whether it is
*certain*: whether it would be the same for all logits within ``noise_nats``. A choice that isn't is made again from the
row alone in double precision (:mod:`evalharness.generation.reference`). Together they make the token independent of the
batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from evalharness.errors import EvaluationError
from evalharness.records import DecodingName

ENTROPY_STEP_NATS = 0.01
"""Entropies are kept to this grid, so that they too can be the same for every batch shape."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How tokens are drawn. ``top_p`` 1.0 and ``top_k`` 0 cut nothing; ``temperature`` is not used when greedy."""

    name: DecodingName
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0


GREEDY = Decoding("greedy")


@dataclass(frozen=True, slots=True)
class Choice:
    """One drawn token, the entropy (nats) of the uncut distribution at temperature 1, and whether noise could change it."""

    token_id: int
    entropy_nats: float
    certain: bool


class Distributions:
    """The distributions at a number of positions, from which any decoding picks.

    ``logits`` is ``(positions, vocabulary)`` in nats; ``allowed`` is ``(vocabulary,)``, False for ids that have no
    token; ``noise_nats`` bounds how far a logit may be off (0: every choice counts as certain).

    Raises :class:`EvaluationError` where a logit is NaN or +infinity.
    """

    def __init__(self, logits: torch.Tensor, allowed: torch.Tensor | None, noise_nats: float) -> None:
        logits = logits.double()
        if allowed is not None:
            logits = logits.masked_fill(~allowed, -torch.inf)
        if not bool(torch.isfinite(logits.amax(dim=-1)).all()):
            raise EvaluationError("the model returned NaN or infinity as logits")
        self._logits = logits
        self._noise_nats = noise_nats
        log_p = torch.log_softmax(logits, dim=-1)
        self._p = log_p.exp()
        entropy = -(self._p * log_p.clamp_min(-1e4)).sum(dim=-1)
        grid = entropy / ENTROPY_STEP_NATS
        self._entropy_nats = (grid.round() * ENTROPY_STEP_NATS).tolist()
        to_boundary = ((grid - 0.5) - (grid - 0.5).round()).abs() * ENTROPY_STEP_NATS
        self._entropy_certain = to_boundary > 2 * noise_nats
        self._cut: dict[Decoding, tuple[torch.Tensor, torch.Tensor]] = {}

    def pick(self, decoding: Decoding, positions: Sequence[int], uniforms: Sequence[float]) -> list[Choice]:
        """A choice for each of ``positions`` (indices of rows of ``logits``), each with its own number in [0, 1)."""
        index = torch.tensor(positions, dtype=torch.long, device=self._logits.device)
        if decoding.name == "greedy":
            tokens, certain = self._greedy(index)
        else:
            tokens, certain = self._sampled(decoding, index, uniforms)
        certain = certain & self._entropy_certain[index] if self._noise_nats else torch.ones_like(certain)
        return [
            Choice(token, round(self._entropy_nats[position], 2), sure)
            for token, position, sure in zip(tokens.tolist(), positions, certain.tolist(), strict=True)
        ]

    def _greedy(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        best = self._logits[index].topk(min(2, self._logits.shape[-1]), dim=-1)
        margin = best.values[:, 0] - best.values[:, -1]
        # argmax and topk may order equal values differently; argmax takes the lowest id.
        return self._logits[index].argmax(dim=-1), margin > 2 * self._noise_nats

    def _sampled(
        self, decoding: Decoding, index: torch.Tensor, uniforms: Sequence[float]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if decoding not in self._cut:
            self._cut[decoding] = self._cumulative(decoding)
        cumulative, cut_certain = self._cut[decoding]
        rows = cumulative[index]
        u = torch.tensor(uniforms, dtype=torch.float64, device=rows.device).unsqueeze(1)
        tokens = torch.searchsorted(rows, u, right=True).clamp_max(rows.shape[-1] - 1)
        # u close to 1 may fall on ids behind the last one that has any probability: step back to that one.
        tokens = torch.minimum(tokens, self._last_possible(rows))
        above = rows.gather(1, tokens)
        below = torch.where(tokens > 0, rows.gather(1, (tokens - 1).clamp_min(0)), torch.zeros_like(above))
        tolerance = 2 * self._noise_nats / decoding.temperature
        # The ends at 0 and 1 are no boundaries: there is no token beyond them.
        clear_above = ((above - u) > tolerance) | (above >= 1 - 1e-12)
        clear_below = ((u - below) > tolerance) | (below <= 1e-12)
        return tokens.squeeze(1), (clear_above & clear_below).squeeze(1) & cut_certain[index]

    @staticmethod
    def _last_possible(cumulative: torch.Tensor) -> torch.Tensor:
        return (cumulative < cumulative[:, -1:]).sum(dim=-1, keepdim=True)

    def _cumulative(self, decoding: Decoding) -> tuple[torch.Tensor, torch.Tensor]:
        """Cumulative probabilities in the order of ids after the cuts, and whether noise leaves the cuts as they are."""
        scaled = self._logits / decoding.temperature
        noise = self._noise_nats / decoding.temperature
        certain = torch.ones(scaled.shape[0], dtype=torch.bool, device=scaled.device)
        vocabulary = scaled.shape[-1]
        if 0 < decoding.top_k < vocabulary:
            best = scaled.topk(decoding.top_k + 1, dim=-1).values
            certain &= (best[:, -2] - best[:, -1]) > 2 * noise
            scaled = scaled.masked_fill(scaled < best[:, -2:-1], -torch.inf)
        p = torch.softmax(scaled, dim=-1)
        if decoding.top_p < 1:
            p, clear = _nucleus(p, decoding.top_p, noise)
            certain &= clear
        cumulative = (p / p.sum(dim=-1, keepdim=True)).cumsum(dim=-1)
        return cumulative / cumulative[:, -1:], certain


def _nucleus(p: torch.Tensor, top_p: float, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Keep the smallest set of most probable tokens whose mass reaches ``top_p`` (Holtzman et al. 2020, section 3.1)."""
    ordered, ids = p.sort(dim=-1, descending=True, stable=True)
    mass_before = ordered.cumsum(dim=-1) - ordered
    kept = mass_before < top_p
    kept[:, 0] = True
    cut = torch.zeros_like(p).scatter(1, ids, torch.where(kept, ordered, torch.zeros_like(ordered)))
    last = kept.sum(dim=-1, keepdim=True) - 1
    following = (last + 1).clamp_max(p.shape[-1] - 1)
    reached = mass_before.gather(1, last) + ordered.gather(1, last)
    clear = (top_p - mass_before.gather(1, last) > 2 * noise) & (reached - top_p > 2 * noise)
    # Two tokens of nearly equal probability at the cut could change places.
    ratio = (ordered.gather(1, last).clamp_min(1e-300).log() - ordered.gather(1, following).clamp_min(1e-300).log()) > 2 * noise
    return cut, (clear & ratio).squeeze(1)
