"""Whether a server runs the weights that are loaded here: both are asked about the same few tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from evalharness.models.endpoint.engine import Refused
from evalharness.models.endpoint.handshake import TEXT, TOKENS
from evalharness.models.endpoint.wire import drawn, read_answer, with_ids
from evalharness.models.protocols import tail_logits
from evalharness.models.requests import GREEDY

if TYPE_CHECKING:
    from evalharness.models.endpoint.served_model import ServedModel
    from evalharness.models.protocols import Tokenizer, TorchModel

ROUNDING_NATS = 0.05
"""What half precision and other kernels may move a log-probability of a short text; other weights move it further."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a server and the weights here agree.

    ``largest_nats`` is the largest difference of a log-probability of ``tokens`` given tokens, None where the server
    gives none; ``alike`` is then how many of ``tokens`` that the server wrote greedily the weights here would write.
    """

    tokens: int
    alike: int
    largest_nats: float | None = None

    @property
    def is_close(self) -> bool:
        """Whether nothing but rounding lies between the two."""
        return self.alike == self.tokens if self.largest_nats is None else self.largest_nats <= ROUNDING_NATS


def agreement_with(
    served: ServedModel, model: TorchModel, tokenizer: Tokenizer, begin_ids: tuple[int, ...]
) -> Agreement | None:
    """Compare ``served`` with ``model`` on a short text; None where the server takes no ids or gives none back.

    Log-probabilities of the text are compared if the server gives them, else the tokens that it writes greedily.
    """
    if "ids_in" not in served.capabilities:
        return None
    ids = [*begin_ids, *tokenizer.encode(TEXT)]
    if "prompt_logprobs" in served.capabilities:
        theirs, ours = served.score([ids])[0], model.score([ids])[0]
        largest = max(abs(a - b) for a, b in zip(theirs, ours, strict=True))
        return Agreement(
            len(ours), sum(abs(a - b) <= ROUNDING_NATS for a, b in zip(theirs, ours, strict=True)), largest
        )
    handshake = served.handshake
    asked = {"model": handshake.model, "prompt": ids, "max_tokens": TOKENS}
    answer = served.server.completion(asked | drawn(GREEDY, 1, bends=handshake.bends) | with_ids(handshake.ids_by))
    written = None if isinstance(answer, Refused) else read_answer(answer, handshake.ids_by).ids
    if not written:
        return None
    logits = tail_logits(model, torch.tensor([[*ids, *written[:-1]]], device=model.device), len(written))
    likeliest = logits[0].argmax(-1).tolist()
    return Agreement(len(written), sum(a == b for a, b in zip(written, likeliest, strict=True)))
