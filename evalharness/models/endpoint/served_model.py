"""A model that a server runs, as the stages see one: it completes and, where the server can, scores given ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.errors import EvaluationError
from evalharness.models.endpoint.engine import Refused
from evalharness.models.endpoint.wire import prompt_fields, read_prompt_logprobs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalharness.models.endpoint.engine import Engine
    from evalharness.models.endpoint.handshake import Handshake
    from evalharness.models.protocols import Capability


_TELLING = ("model", "engine", "version", "context_length", "parameters", "bends")
"""What of a handshake tells one model from another."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A :class:`evalharness.models.protocols.Scorer`, if its capabilities say so; ``at_once`` requests at a time."""

    server: Engine
    handshake: Handshake
    at_once: int

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the handshake found."""
        return self.handshake.capabilities

    @property
    def context_length(self) -> int | None:
        """The longest input in tokens, None if the server does not say."""
        return self.handshake.context_length

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that a completion depends on at the server, as far as it tells, as JSON has it."""
        found = {name: getattr(self.handshake, name) for name in _TELLING}
        more = {"dtype": self.handshake.dtype, "settings": self.server.settings or None}
        return {
            "base_url": self.server.address,
            "capabilities": sorted(self.capabilities),
            **found,
            **{name: value for name, value in more.items() if value is not None},
        }

    def score(self, rows: Sequence[Sequence[int]]) -> list[list[float]]:
        """For each row of n ids, the n - 1 log-probabilities (nats) of all ids but the first, given those before.

        Raises EvaluationError where the server gives none for a row.
        """
        way = self.handshake.prompt_by
        if way is None:
            raise EvaluationError(f"{self.server.address} gives no log-probabilities of given tokens")
        payloads = [{"model": self.handshake.model, "prompt": list(row)} | prompt_fields(way) for row in rows]
        scored: dict[int, list[float]] = {}
        for index, answer in self.server.completions(payloads, at_once=self.at_once):
            values = None if isinstance(answer, Refused) else read_prompt_logprobs(answer, rows[index], way)
            if values is None:
                why = answer.message if isinstance(answer, Refused) else "it gives no log-probabilities"
                raise EvaluationError(
                    f"{self.server.address}: a row of {len(rows[index])} ids could not be scored: {why}"
                )
            scored[index] = values
        return [scored[index] for index in range(len(rows))]
