"""What the stages ask of a model and a tokenizer. Structural: no stage needs to import the one that made them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch


class Tokenizer(Protocol):
    """Text to ids and back.

    ``encode`` adds no special tokens, ``decode`` keeps them visible. ``vocab_size`` is one more than the highest id
    that has a token.
    """

    vocab_size: int

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``; raise ``ValueError`` where the vocabulary lacks a character."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ``ids``."""
        ...


class TorchModel(Protocol):
    """A model as generation and diagnosis see it, in evaluation mode and without gradients.

    ``logits`` takes ids of shape ``(rows, length)`` (int64) and returns float32 logits of shape
    ``(rows, length, vocabulary)``, nats, for every position. ``supports_cache`` says whether ``cached_logits`` may be
    used. ``device`` is where ids have to be.
    """

    module: torch.nn.Module
    context_length: int | None
    vocabulary_rows: int
    supports_cache: bool
    device: torch.device

    def logits(self, ids: torch.Tensor) -> torch.Tensor:
        """Return logits for every position of ``ids``."""
        ...

    def cached_logits(
        self, ids: torch.Tensor, attention_mask: torch.Tensor, position_ids: torch.Tensor, cache: Any
    ) -> tuple[torch.Tensor, Any]:
        """Logits of the new ids ``(rows, new)`` after what ``cache`` holds (None at first), and the longer cache.

        ``attention_mask`` is ``(rows, held + new)``, 0 where a slot holds nothing for that row.
        """
        ...


@dataclass(frozen=True, slots=True)
class AdaptedWeight:
    """One weight that an adapter changes.

    ``scale`` is the factor that the change is multiplied with as the model runs, ``configured_scale`` what the
    adapter's configuration says (``lora_alpha / r``, or ``lora_alpha / sqrt(r)`` for rslora; None where it has no
    such factor). The rest are tensors of the weight's shape, made when asked for: ``change`` is Δ with the configured
    scale, ``effective`` the weight that the model runs with, adapter included, and ``original`` W₀, the weight that
    the adapter was trained over, where that is known.
    """

    name: str
    scale: float | None
    configured_scale: float | None
    change: Callable[[], torch.Tensor]
    effective: Callable[[], torch.Tensor]
    original: Callable[[], torch.Tensor] | None = None


@dataclass(frozen=True, slots=True)
class AdapterFacts:
    """What is known of an adapter's tensors: those that it changes, and names in its file that found no place.

    ``step`` is that of the checkpoint: at step 0 an adapter rightly changes nothing.
    """

    weights: tuple[AdaptedWeight, ...]
    unmatched: tuple[str, ...] = ()
    step: int | None = None
