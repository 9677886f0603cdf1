"""One completion while it is being written: what it has so far, and what ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.degeneration import LoopDetector
from evalharness.generation.noise import Noise
from evalharness.records import Completion, StopReason

if TYPE_CHECKING:
    from evalharness.generation.decoding import Choice
    from evalharness.generation.prompting import Prompting, Settings
    from evalharness.models.protocols import Tokenizer
    from evalharness.models.requests import Request

LOOP_CHARACTERS = 200
"""A loop has to cover this many characters, too, before it ends a completion: a token may be one character.

A loop of blank lines does not: 64 of them are no rule in a comment and no table, and a model that is asked for every
further one at a full forward pass takes three times as long to be found out."""


class Row:
    """One completion in the making. ``ids`` is the prompt's ids and the tokens drawn so far."""

    def __init__(
        self,
        request: Request,
        tokenizer: Tokenizer,
        prompting: Prompting,
        settings: Settings,
        context_length: int | None,
    ) -> None:
        assert request.prompt_ids is not None  # noqa: S101 - requests without ids never become rows
        self.request = request
        self.ids = list(request.prompt_ids)
        self.prompt_length = len(request.prompt_ids)
        self.stop_reason: StopReason | None = None
        self.draft_length = 8
        self._tokenizer = tokenizer
        self._prompting = prompting
        self._settings = settings
        self._context_length = context_length
        self._noise = Noise(settings.seed, request.task_id, request.completion_id)
        self._entropy_nats: list[float] = []
        self._tail = LoopDetector() if settings.stop_loops else None
        self._text: str | None = None
        # A stop sequence of n characters that has just ended lies within the last n tokens, each of which holds at
        # least one character or a part of one (a character takes up to four bytes, each of which may be a token).
        self._tail_tokens = 4 * max(map(len, request.stop), default=0) + 4

    @property
    def written(self) -> int:
        """How many tokens have been drawn."""
        return len(self.ids) - self.prompt_length

    @property
    def room(self) -> int:
        """How many more tokens may be drawn."""
        room = self._settings.max_new_tokens - self.written
        return room if self._context_length is None else min(room, self._context_length - len(self.ids))

    def uniform(self, ahead: int) -> float:
        """The random number for the token that comes ``ahead`` tokens after the next one."""
        return self._noise.uniform(self.written + ahead)

    def append(self, choice: Choice) -> None:
        """Take the next token; sets ``stop_reason`` where it ends the completion."""
        if choice.token_id in self._prompting.end_token_ids:
            self.stop_reason = "end_token"
            return
        self.ids.append(choice.token_id)
        self._entropy_nats.append(choice.entropy_nats)
        loop = self._tail.append(choice.token_id) if self._tail else None
        if self._stopped_by_text():
            self.stop_reason = "stop_sequence"
        elif loop is not None and self._is_long_enough(self._decode(self.ids[-loop[1] :])):
            self.stop_reason = "loop"
        elif self.written >= self._settings.max_new_tokens:
            self.stop_reason = "max_new_tokens"
        elif self.room <= 0:
            self.stop_reason = "context_full"

    def completion(self) -> Completion:
        """The record of what was written; tokens that lie wholly behind the text's end are left out."""
        assert self.stop_reason is not None  # noqa: S101 - asked for only once a reason is set
        ids = self.ids[self.prompt_length :]
        text = self._decode(ids)
        if self._text is not None:
            text = self._text
            while ids and len(self._decode(ids[:-1])) >= len(text):
                ids = ids[:-1]
        return Completion(
            task_id=self.request.task_id,
            completion_id=self.request.completion_id,
            text=text,
            token_ids=tuple(ids),
            stop_reason=self.stop_reason,
            decoding=self.request.decoding.name,
            token_entropy_nats=tuple(self._entropy_nats[: len(ids)]),
        )

    def _decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids)

    def _stopped_by_text(self) -> bool:
        stop = self.request.stop
        if not stop:
            return False
        tail = self._decode(self.ids[max(self.prompt_length, len(self.ids) - self._tail_tokens) :])
        if not any(s in tail for s in stop):
            return False
        text = self._decode(self.ids[self.prompt_length :])
        ends = [end for s in stop if (end := text.find(s)) >= 0]
        if ends:
            self._text = text[: min(ends)]
        return bool(ends)

    @staticmethod
    def _is_long_enough(loop: str) -> bool:
        return len(loop) >= LOOP_CHARACTERS or ("\n" in loop and not loop.strip())
