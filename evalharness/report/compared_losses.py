"""Losses of two checkpoints in a unit in which they compare: nats per token if their tokens are equally long.

If not, as with two tokenizers, one token holds more text than the other, and bits per byte compare.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isclose, log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalharness.records import Interval, Loss, Scorecard

ALIKE = 0.01
"""Lengths of tokens that differ by less are those of one tokenizer, on rows of which some were cut elsewhere."""


@dataclass(frozen=True, slots=True)
class ComparedLosses:
    """The losses of both in ``unit``. ``bytes_per_token`` has the lengths of their tokens; None if they are alike."""

    unit: str
    logged: tuple[float | None, ...]
    honest: tuple[Interval | None, ...]
    bytes_per_token: tuple[float, float] | None


def compared_losses(first: Scorecard, second: Scorecard) -> ComparedLosses:
    """In bits per byte if tokens of the two are of other lengths, else in nats per token.

    How long tokens are is known of losses that were recomputed.
    """
    losses = (first.loss, second.loss)
    logged, honest = tuple(loss.logged_nats for loss in losses), tuple(loss.honest_nats for loss in losses)
    one, other = map(_bytes_per_token, losses)
    if one is None or other is None or isclose(one, other, rel_tol=ALIKE):
        return ComparedLosses("nats per token", logged, honest, None)
    lengths = (one, other)
    return ComparedLosses(
        "bits per byte",
        tuple(None if nats is None else _bits(nats, length) for nats, length in zip(logged, lengths, strict=True)),
        tuple(None if nats is None else _scaled(nats, length) for nats, length in zip(honest, lengths, strict=True)),
        lengths,
    )


def _bytes_per_token(loss: Loss) -> float | None:
    nats, bits = loss.recomputed_nats, loss.recomputed_bits_per_byte
    return nats.estimate / log(2) / bits if nats is not None and bits else None


def _bits(nats: float, bytes_per_token: float) -> float:
    return nats / log(2) / bytes_per_token


def _scaled(nats: Interval, bytes_per_token: float) -> Interval:
    estimate, low, high = (_bits(value, bytes_per_token) for value in (nats.estimate, nats.low, nats.high))
    return replace(nats, estimate=estimate, low=low, high=high)
