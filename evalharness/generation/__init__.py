"""Writes completions. A token depends only on (weights, prompt, seed, task_id, completion_id, position)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.generation.cached import CachedEngine
from evalharness.generation.decoding import GREEDY, Decoding
from evalharness.generation.measure import (
    TOLERABLE_NATS,
    choose_threads,
    fastest_threads,
    logit_noise,
    usual_generation_s,
)
from evalharness.generation.noise import Noise
from evalharness.generation.parallel import ParallelEngine
from evalharness.generation.request import Prompting, Request, Settings, requests_for
from evalharness.generation.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch

    from evalharness.models.protocols import Tokenizer, TorchModel
    from evalharness.records import Completion

__all__ = [
    "GREEDY",
    "TOLERABLE_NATS",
    "Decoding",
    "Noise",
    "Prompting",
    "Request",
    "Settings",
    "choose_threads",
    "fastest_threads",
    "generate",
    "logit_noise",
    "requests_for",
    "usual_generation_s",
]


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
