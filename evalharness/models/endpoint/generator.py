"""Completions from a server: many requests at a time, each with a seed of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.errors import EvaluationError
from evalharness.models.endpoint.engine import Refused
from evalharness.models.endpoint.wire import MOST_STOPS, drawn, read_answer, seed_of, stop_reason, with_ids
from evalharness.records import Completion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.models.endpoint.served_model import ServedModel
    from evalharness.models.endpoint.wire import Answer, Payload
    from evalharness.models.protocols import Capability, Tokenizer
    from evalharness.models.requests import Request

TOO_LONG = frozenset({"exceed_context_size_error", "context_length_exceeded"})
"""How llama.cpp's server and OpenAI's call a prompt that does not fit."""


@dataclass(frozen=True, slots=True)
class EndpointGenerator:
    """A :class:`evalharness.models.protocols.Generator` over a served model.

    Loops are not stopped early, for the server does not look for them. ``tokenizer`` and ``end_ids`` are None and empty
    where the server tokenizes.
    """

    model: ServedModel
    max_new_tokens: int
    seed: int
    tokenizer: Tokenizer | None = None
    end_ids: frozenset[int] = frozenset()

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the handshake found."""
        return self.model.capabilities

    @property
    def context_length(self) -> int | None:
        """The longest input in tokens, None if the server does not say."""
        return self.model.context_length

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield a completion for each request as it arrives.

        A prompt that does not fit gives ``prompt_too_long``, one that the vocabulary can't spell
        ``prompt_not_encodable``. Raises EvaluationError if the server fails; what was yielded before stands.
        """
        sent = []
        for request in requests:
            if "ids_in" in self.capabilities and request.prompt_ids is None:
                yield request.refused("prompt_not_encodable")
            elif self._room(request) <= 0:
                yield request.refused("prompt_too_long")
            else:
                sent.append(request)
        payloads = [self._payload(request) for request in sent]
        for index, answer in self.model.server.completions(payloads, at_once=self.model.at_once):
            yield self._completion(sent[index], answer)

    def usual_s(self, requests: Sequence[Request]) -> float | None:  # noqa: ARG002 - the protocol asks with them
        """None: how fast a server is depends on who else asks it, and shows as completions arrive."""
        return None

    def _room(self, request: Request) -> int:
        """How many tokens may follow the prompt, as far as that is known here."""
        if self.context_length is None or request.prompt_ids is None:
            return self.max_new_tokens
        return min(self.max_new_tokens, self.context_length - len(request.prompt_ids))

    def _payload(self, request: Request) -> Payload:
        handshake = self.model.handshake
        takes_ids = "ids_in" in self.capabilities and request.prompt_ids is not None
        prompt = {"prompt": list(request.prompt_ids or ()) if takes_ids else request.prompt}
        stops = {"stop": list(request.stop[:MOST_STOPS])} if request.stop else {}
        seed = seed_of(self.seed, request.task_id, request.completion_id)
        return {
            "model": handshake.model,
            "max_tokens": self._room(request),
            **prompt,
            **stops,
            **drawn(request.decoding, seed, bends=handshake.bends),
            **with_ids(handshake.ids_by),
        }

    def _completion(self, request: Request, answer: Payload | Refused) -> Completion:
        if isinstance(answer, Refused):
            if answer.kind in TOO_LONG or answer.code in TOO_LONG:
                return request.refused("prompt_too_long")
            raise EvaluationError(f"{self.model.server.address}: {request.task_id} was refused: {answer.message}")
        seen = read_answer(answer, self.model.handshake.ids_by)
        text, is_cut = self._cut(seen.text, request.stop)
        return Completion(
            task_id=request.task_id,
            completion_id=request.completion_id,
            text=text,
            token_ids=self._ids_of(text, seen),
            stop_reason="stop_sequence" if is_cut else stop_reason(seen, request.stop, self.end_ids),
            decoding=request.decoding.name,
            token_entropy_nats=None,
        )

    @staticmethod
    def _cut(text: str, stops: Sequence[str]) -> tuple[str, bool]:
        """The text before its first stop sequence, and whether there was one: not all of them were sent."""
        ends = [end for stop in stops if (end := text.find(stop)) >= 0]
        return (text[: min(ends)], True) if ends else (text, False)

    def _ids_of(self, text: str, seen: Answer) -> tuple[int, ...] | None:
        """The ids of the text, without those of an end token or a stop sequence behind it; None if some are missing."""
        if seen.ids is None or self.tokenizer is None:
            return None
        ids = seen.ids
        while ids and (ids[-1] in self.end_ids or len(self.tokenizer.decode(ids[:-1])) >= len(text)):
            ids = ids[:-1]
        return ids if self.tokenizer.decode(ids).startswith(text) else None
