"""What runs a served model and answers requests: a server, or an engine in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.models.endpoint.wire import Payload


@dataclass(frozen=True, slots=True)
class Refused:
    """One request is not accepted (a server answers 400 or 422).

    ``message`` is for people; ``code`` and ``kind`` are the engine's own names for the fault, empty where it has none.
    """

    message: str
    code: str
    kind: str


class Engine(Protocol):
    """Answers requests in OpenAI's completions protocol, with the fields that :mod:`.wire` knows."""

    @property
    def address(self) -> str:
        """Where it is, as messages and the keys of a journal name it."""

    @property
    def settings(self) -> dict[str, str]:
        """How it was set up, as far as that is known here and could change an answer."""

    def models(self) -> list[Payload]:
        """The models that it has. Raises CheckpointError, in one line, where it can't be asked."""

    def version(self) -> str | None:
        """Its version, None where it does not tell."""

    def completions(self, payloads: Sequence[Payload], *, at_once: int) -> Iterator[tuple[int, Payload | Refused]]:
        """Answer every payload, ``at_once`` at a time, and yield each one's index with its answer as it is there.

        Raises EvaluationError if the engine fails; what was yielded before stands.
        """

    def completion(self, payload: Payload) -> Payload | Refused:
        """Answer one payload."""
