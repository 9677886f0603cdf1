"""Completions of a model whose logits can be had: what `generation` is for, and its face as a `Generator`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from evalharness.generation.cached import CachedEngine
from evalharness.generation.measure import generation_s
from evalharness.generation.parallel import ParallelEngine
from evalharness.generation.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch

    from evalharness.generation.prompting import Prompting, Settings
    from evalharness.models.protocols import Capability, Tokenizer, TorchModel
    from evalharness.models.requests import Request
    from evalharness.records import Completion


@dataclass(frozen=True, slots=True)
class TorchGenerator:
    """A :class:`evalharness.models.protocols.Generator` over a model on this machine.

    ``allowed`` is ``(vocabulary,)``, False for ids that no token has.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset({"ids_in", "ids_out", "seed"})
    model: TorchModel
    tokenizer: Tokenizer
    prompting: Prompting
    settings: Settings
    allowed: torch.Tensor | None = None

    @property
    def context_length(self) -> int | None:
        """The longest input in tokens, None if it has no limit."""
        return self.model.context_length

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """See :func:`generate`."""
        return generate(self.model, self.tokenizer, requests, self.prompting, self.settings, self.allowed)

    def usual_s(self, requests: Sequence[Request]) -> float | None:
        """How many seconds ``requests`` take if completions have the usual length, None if that is not known."""
        return generation_s(self.model, requests, self.settings)


def generate(
    model: TorchModel,
    tokenizer: Tokenizer,
    requests: Sequence[Request],
    prompting: Prompting,
    settings: Settings,
    allowed: torch.Tensor | None = None,
) -> Iterator[Completion]:
    """Yield a completion for each request as it is finished, in no particular order.

    ``allowed`` is ``(vocabulary,)``, False for ids that no token has. A prompt that does not fit gives
    ``prompt_too_long``, one that the vocabulary can't spell ``prompt_not_encodable``; neither is cut or changed.

    Raises :class:`evalharness.errors.EvaluationError` where the model returns NaN or its forward pass fails; what was
    yielded before stands.
    """
    rows = []
    for request in requests:
        if request.prompt_ids is None:
            yield request.refused("prompt_not_encodable")
        elif model.context_length is not None and len(request.prompt_ids) >= model.context_length:
            yield request.refused("prompt_too_long")
        else:
            rows.append(Row(request, tokenizer, prompting, settings, model.context_length))
    cached = settings.cache and model.supports_cache and not settings.exact_lengths
    engine = (CachedEngine if cached else ParallelEngine)(model, allowed, settings)
    for row in engine.run(rows):
        yield row.completion()
