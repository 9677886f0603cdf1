"""Drawing by the inverse of the cumulative distribution, with the bound on what noise in the logits can change.

Where each logit moves by at most ``noise``, the odds of any set of tokens change by a factor of at most
``exp(2 noise)``: the weights inside grow by at most ``exp(noise)``, those outside shrink by at most as much. So a mass
``F`` moves by at most ``F (1 - F) (exp(2 noise) - 1)``, which is little at either end. The same holds among the tokens
that a cut has left, as long as the cut leaves the same ones.

That is the worst case: all logits up to one move up and all others down. Rounding is nothing of the kind, so where
nothing is cut the bound is also what was measured of this very model, with a margin (:class:`MovedMass`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDING = 1e-11
"""What is added to every bound for the rounding of sums over a vocabulary in double precision."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The temperature (divides the logits), and which tokens stay: the ``top_k`` (0: all), and of these ``top_p``."""

    temperature: float
    top_p: float
    top_k: int


@dataclass(frozen=True, slots=True)
class MovedMass:
    """How far a cumulative probability moves at most (``mass``), as measured at one temperature with nothing cut."""

    temperature: float
    mass: float

    def bounds(self, cut: Cut, vocabulary: int) -> bool:
        """Whether it was measured of distributions that are cut so."""
        whole = cut.top_p >= 1 and not 0 < cut.top_k < vocabulary
        return whole and cut.temperature == self.temperature


def moved_mass(logits: torch.Tensor, reference: torch.Tensor, temperature: float) -> float:
    """The largest difference of two cumulative distributions, over all positions and tokens.

    Both logits are ``(positions, vocabulary)``.
    """
    one, other = (torch.softmax(part.double() / temperature, dim=-1).cumsum(dim=-1) for part in (logits, reference))
    return float((one - other).abs().max())


def cumulative(logits: torch.Tensor, cut: Cut, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Cumulative probabilities after the cuts, in the order of ids, and whether noise leaves the cuts as they are.

    ``logits`` is ``(positions, vocabulary)``, float64; ``noise`` is in nats after division by the temperature.
    """
    scaled = logits / cut.temperature
    certain = torch.ones(scaled.shape[0], dtype=torch.bool, device=scaled.device)
    if 0 < cut.top_k < scaled.shape[-1]:
        best = scaled.topk(cut.top_k + 1, dim=-1).values
        # Where no more than top_k tokens are allowed at all, the difference may be one of infinities.
        certain &= (best[:, -2] - best[:, -1] > 2 * noise) | (best[:, -1] == -torch.inf)
        scaled = scaled.masked_fill(scaled < best[:, -2:-1], -torch.inf)
    p = torch.softmax(scaled, dim=-1)
    if cut.top_p < 1:
        p, clear = _nucleus(p, cut.top_p, noise)
        certain &= clear
    total = p.cumsum(dim=-1)
    return total / total[:, -1:], certain


def invert(
    distribution: torch.Tensor, uniforms: Sequence[float], noise: float, most: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """The first token whose cumulative probability passes its number in [0, 1), and whether noise leaves it the same.

    ``most`` is how far a cumulative probability moves at most, beside what follows from ``noise``.
    ``distribution`` is ``(numbers, vocabulary)`` and ends in exactly 1, so a token without probability is never drawn.
    """
    u = torch.tensor(uniforms, dtype=torch.float64).to(distribution.device).unsqueeze(1)
    tokens = torch.searchsorted(distribution, u, right=True)
    above = distribution.gather(1, tokens)
    below = torch.where(tokens > 0, distribution.gather(1, (tokens - 1).clamp_min(0)), 0.0)
    shift_above, shift_below = (mass_shift(mass, noise).clamp_max(most + ROUNDING) for mass in (above, below))
    certain = (above - u > shift_above) & (u - below > shift_below)
    return tokens.squeeze(1), certain.squeeze(1)


def mass_shift(mass: torch.Tensor, noise: float) -> torch.Tensor:
    """How far the probability of a set of tokens moves at most where each logit moves by up to ``noise`` (nats)."""
    return mass * (1 - mass) * math.expm1(min(2 * noise, 700.0)) + ROUNDING


def _nucleus(p: torch.Tensor, top_p: float, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Keep the fewest most probable tokens whose mass reaches ``top_p`` (Holtzman et al. 2020, section 3.1)."""
    ordered, ids = p.sort(dim=-1, descending=True, stable=True)
    reached = ordered.cumsum(dim=-1)
    kept = reached - ordered < top_p
    kept[:, 0] = True
    size = kept.sum(dim=-1, keepdim=True)
    cut = torch.zeros_like(p).scatter(1, ids, torch.where(kept, ordered, 0.0))
    inside = reached.gather(1, size - 1)
    smaller = torch.where(size > 1, reached.gather(1, (size - 2).clamp_min(0)), 0.0)
    enough = inside - top_p > mass_shift(inside, noise)
    needed = (size == 1) | (top_p - smaller > mass_shift(smaller, noise))
    # Tokens of nearly equal probability on both sides of the cut could change places.
    weakest = ordered.gather(1, size - 1)
    next_one = ordered.gather(1, size.clamp_max(p.shape[-1] - 1))
    apart = weakest > next_one * math.exp(min(2 * noise, 700.0)) * (1 + ROUNDING)
    everything = (size == p.shape[-1]) | (next_one == 0)
    return cut, (needed & ((enough & apart) | everything)).squeeze(1)
