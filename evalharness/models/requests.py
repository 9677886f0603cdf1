"""What a generator is asked for: one completion of one prompt, drawn in one way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evalharness.records import Completion, DecodingName, Identity

if TYPE_CHECKING:
    from evalharness.records import Problem


@dataclass(frozen=True, slots=True)
class Decoding:
    """How tokens are drawn. ``top_p`` 1.0 and ``top_k`` 0 cut nothing; ``temperature`` is not used when greedy."""

    name: DecodingName
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0


GREEDY = Decoding("greedy")


@dataclass(frozen=True, slots=True)
class Request:
    """One completion to make.

    ``prompt_ids`` are for generators that take ids (``ids_in``): None if the vocabulary lacks a character of the
    prompt. ``prompt`` is the same as text, without begin tokens, for generators that tokenize it themselves.
    """

    task_id: str
    completion_id: int
    decoding: Decoding
    prompt_ids: tuple[int, ...] | None
    stop: tuple[str, ...]
    prompt: str = ""

    @property
    def identity(self) -> Identity:
        """Which completion it asks for."""
        return self.task_id, self.decoding.name, self.completion_id

    def refused(self, stop_reason: Literal["prompt_too_long", "prompt_not_encodable"]) -> Completion:
        """The record of a completion that was not begun."""
        return Completion(self.task_id, self.completion_id, "", (), stop_reason, self.decoding.name, ())


def continues_prompt(template: str) -> bool:
    """Whether a completion goes on from the end of its prompt under ``template``, as bare code does.

    Else the template puts something after the prompt, such as the head of a chat's answer: the completion is a turn of
    its own, with prose and fences, and ends with the end of the turn.
    """
    return template.rstrip().endswith("{prompt}")


def stop_sequences(problem: Problem, template: str) -> tuple[str, ...]:
    """The stop sequences of a problem under a template: none in a chat.

    They are made for bare code: a line that begins with ``def`` ends that, but begins the code of a chat answer.
    """
    return problem.stop if continues_prompt(template) else ()
