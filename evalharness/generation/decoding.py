"""From logits to a token: greedy, or by the inverse of the cumulative distribution.

Floating point makes logits differ in their last digits between batch shapes. So every choice says whether it is
*certain*: whether it would be the same for all logits within ``noise_nats``. A choice that isn't is made again from the
row alone in double precision (:mod:`evalharness.generation.reference`). Together they make the token independent of the
batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from evalharness.errors import EvaluationError
from evalharness.generation.inverse_cdf import Cut, cumulative, invert

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.generation.inverse_cdf import MovedMass
    from evalharness.models.requests import Decoding

AT_ONCE = 2**21
"""Logits that are looked at together: 16 MiB in float64, and drawing needs about six times that. Long drafts of many
rows have sixty million."""
ENTROPY_DECIMALS = 2
"""Entropies (nats) are kept to this number of decimals. Rounding may move the last one between batch shapes. No
token depends on it, and to compute the row again for it would be four fifths of all such passes."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One drawn token and the entropy (nats) of the uncut distribution at temperature 1.

    ``certain`` says that no noise would change the token.
    """

    token_id: int
    entropy_nats: float
    certain: bool


class Distributions:
    """The distributions at a number of positions, from which any decoding draws.

    ``logits`` is ``(positions, vocabulary)`` in nats; ``allowed`` is ``(vocabulary,)``, False for ids that have no
    token; ``noise_nats`` bounds how far a logit may be off (0: everything counts as certain), and ``moved``, if it is
    known, how far a cumulative probability is. ``task_ids`` names each
    position for errors.
    """

    def __init__(
        self,
        logits: torch.Tensor,
        allowed: torch.Tensor | None,
        noise_nats: float,
        task_ids: Sequence[str],
        moved: MovedMass | None = None,
    ) -> None:
        if allowed is not None:
            logits = logits.masked_fill(~allowed, -torch.inf)
        finite = torch.isfinite(logits.amax(dim=-1))
        self._finite: list[bool] = finite.tolist()
        # What follows a wrong guess may be no number and does not matter, so it is an error only once it is asked for.
        self._logits = logits if all(self._finite) else torch.where(finite.unsqueeze(1), logits, 0.0)
        self._task_ids = task_ids
        self._noise_nats = noise_nats
        self._moved = moved

    def draw(self, decoding: Decoding, positions: Sequence[int], uniforms: Sequence[float]) -> list[tuple[int, bool]]:
        """A token for each of ``positions`` (rows of ``logits``) by its number in [0, 1), and if it is certain."""
        # Completions of one problem share positions: what depends on the logits alone is computed once.
        sharing: dict[int, list[int]] = {}
        for number, position in enumerate(positions):
            sharing.setdefault(position, []).append(number)
        drawn: dict[int, tuple[int, bool]] = {}
        for few in self._few(sorted(sharing)):
            numbers = [number for position in few for number in sharing[position]]
            index = [i for i, position in enumerate(few) for _ in sharing[position]]
            tokens = self._drawn(decoding, few, index, [uniforms[number] for number in numbers])
            drawn.update(zip(numbers, tokens, strict=True))
        return [drawn[number] for number in range(len(positions))]

    def _drawn(
        self, decoding: Decoding, places: Sequence[int], at: Sequence[int], uniforms: Sequence[float]
    ) -> list[tuple[int, bool]]:
        """A token for each number of ``uniforms``, from the distribution at ``places[at]``."""
        logits, index = self._logits[self._index(places)], self._index(at)
        if decoding.name == "greedy":
            tokens, certain = (part[index] for part in _most_probable(logits, self._noise_nats))
        else:
            noise = self._noise_nats / decoding.temperature
            cut = Cut(decoding.temperature, decoding.top_p, decoding.top_k)
            distribution, cut_certain = cumulative(logits.double(), cut, noise)
            most = self._moved.mass if self._moved and self._moved.bounds(cut, logits.shape[-1]) else 1.0
            tokens, certain = invert(distribution[index], uniforms, noise, most)
            certain &= cut_certain[index]
        sure: list[bool] = certain.tolist() if self._noise_nats else [True] * len(at)
        return list(zip(tokens.tolist(), sure, strict=True))

    def entropies(self, positions: Sequence[int]) -> list[float]:
        """The entropy (nats, rounded) at each of ``positions``.

        Raises :class:`EvaluationError` where a logit there is NaN or +infinity, or all are -infinity.
        """
        for position in positions:
            if not self._finite[position]:
                raise EvaluationError(f"{self._task_ids[position]}: the model returned NaN or infinity as logits")
        entropies: list[float] = []
        for few in self._few(positions):
            log_p = torch.log_softmax(self._logits[self._index(few)].double(), dim=-1)
            entropies += (-(log_p.exp() * log_p.clamp_min(-1e4)).sum(dim=-1)).tolist()
        # Adding zero makes the zero positive, whichever sign rounding gave it.
        return [round(nats, ENTROPY_DECIMALS) + 0.0 for nats in entropies]

    def choose(self, decoding: Decoding, position: int, uniform: float) -> Choice:
        """Draw one token, with its entropy. Raises :class:`EvaluationError` as :meth:`entropies` does."""
        (entropy_nats,) = self.entropies([position])
        ((token_id, certain),) = self.draw(decoding, [position], [uniform])
        return Choice(token_id, entropy_nats, certain)

    def _few(self, positions: Sequence[int]) -> Iterator[Sequence[int]]:
        """So many of ``positions`` at a time that what is computed of them in float64 needs little memory."""
        at_once = max(1, AT_ONCE // self._logits.shape[-1])
        return (positions[begin : begin + at_once] for begin in range(0, len(positions), at_once))

    def _index(self, positions: Sequence[int]) -> torch.Tensor:
        return torch.tensor(positions, dtype=torch.long, device=self._logits.device)


def _most_probable(logits: torch.Tensor, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The lowest id with the largest logit, and whether every other one is further below than noise can move both."""
    best = logits.argmax(dim=-1, keepdim=True)
    second = logits.scatter(1, best, -torch.inf).amax(dim=-1)
    margin = logits.gather(1, best).squeeze(1).double() - second.double()
    return best.squeeze(1), margin > 2 * noise
