"""What is asked for, and under which settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evalharness.records import Completion, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.generation.decoding import Decoding
    from evalharness.models.protocols import Tokenizer


@dataclass(frozen=True, slots=True)
class Settings:
    """How completions are made. None of this but ``max_new_tokens``, ``stop_loops`` and ``seed`` changes a completion.

    ``exact_lengths`` is for models that are not causal, or not known to be: rows of one length together, nothing
    padded, nothing drafted, no cache. ``noise_nats`` is how far a logit may move between batch shapes
    (:func:`evalharness.generation.measure.logit_noise`).
    """

    max_new_tokens: int
    batch_size: int = 32
    seed: int = 0
    exact_lengths: bool = True
    drafts: bool = True
    cache: bool = True
    stop_loops: bool = True
    noise_nats: float = 0.0


@dataclass(frozen=True, slots=True)
class Prompting:
    """How a problem's prompt becomes ids: the template that the model was tuned on, and the ids put before it."""

    template: str = "{prompt}"
    begin_token_ids: tuple[int, ...] = ()
    end_token_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Request:
    """One completion to make. ``prompt_ids`` is None where the vocabulary lacks a character of the prompt."""

    task_id: str
    completion_id: int
    decoding: Decoding
    prompt_ids: tuple[int, ...] | None
    stop: tuple[str, ...]

    def refused(self, stop_reason: Literal["prompt_too_long", "prompt_not_encodable"]) -> Completion:
        """The record of a completion that was not begun."""
        return Completion(self.task_id, self.completion_id, "", (), stop_reason, self.decoding.name, ())


def requests_for(
    problems: Iterable[Problem], tokenizer: Tokenizer, prompting: Prompting, decoding: Decoding, completions: int
) -> list[Request]:
    """``completions`` requests for each problem, with completion ids from 0 on. Prompts are never stripped or cut."""
    requests = []
    for problem in problems:
        try:
            text = prompting.template.replace("{prompt}", problem.prompt)
            ids = (*prompting.begin_token_ids, *tokenizer.encode(text))
        except ValueError:
            ids = None
        requests += [Request(problem.task_id, i, decoding, ids, problem.stop) for i in range(completions)]
    return requests
