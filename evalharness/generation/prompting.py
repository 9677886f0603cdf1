"""How problems become requests, and how completions are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.models.requests import Request, stop_sequences

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.generation.inverse_cdf import MovedMass
    from evalharness.models.protocols import Tokenizer
    from evalharness.models.requests import Decoding
    from evalharness.records import Problem


@dataclass(frozen=True, slots=True)
class Settings:
    """How completions are made. None of this but ``max_new_tokens``, ``stop_loops`` and ``seed`` changes a completion.

    ``exact_lengths`` is for models that are not causal, or not known to be: rows of one length together, nothing
    padded, nothing drafted, no cache. ``noise_nats`` is how far a logit may move between batch shapes
    (:func:`evalharness.generation.measure.measured_noise`), and ``moved_mass`` how far a cumulative probability may.
    ``most_logits`` is how many logits a pass gives at most, unless one row alone has more; None: no limit.
    """

    max_new_tokens: int
    batch_size: int = 32
    seed: int = 0
    exact_lengths: bool = True
    drafts: bool = True
    cache: bool = True
    stop_loops: bool = True
    noise_nats: float = 0.0
    moved_mass: MovedMass | None = None
    most_logits: int | None = None

    def rows_at_once(self, logits_of_row: int) -> int:
        """How many rows with so many logits each go into one pass: at least one, and a batch at most."""
        if self.most_logits is None:
            return self.batch_size
        return max(1, min(self.batch_size, self.most_logits // logits_of_row))


@dataclass(frozen=True, slots=True)
class Prompting:
    """How a problem's prompt becomes ids: the template that the model was tuned on, and the ids put before it."""

    template: str = "{prompt}"
    begin_token_ids: tuple[int, ...] = ()
    end_token_ids: frozenset[int] = frozenset()


def requests_for(
    problems: Iterable[Problem],
    tokenizer: Tokenizer | None,
    prompting: Prompting,
    decoding: Decoding,
    completions: int,
) -> list[Request]:
    """``completions`` requests for each problem, numbered from 0. Prompts are never stripped or cut.

    In a chat only the end of the turn ends a completion (:func:`evalharness.models.requests.stop_sequences`).
    Without a tokenizer (for a generator that has its own) requests carry the text of the prompt and no ids.
    """
    requests = []
    for problem in problems:
        text = prompting.template.replace("{prompt}", problem.prompt)
        ids = None if tokenizer is None else _prompt_ids(text, tokenizer, prompting)
        stop = stop_sequences(problem, prompting.template)
        requests += [Request(problem.task_id, i, decoding, ids, stop, text) for i in range(completions)]
    return requests


def _prompt_ids(text: str, tokenizer: Tokenizer, prompting: Prompting) -> tuple[int, ...] | None:
    """The ids of a prompt, None if the vocabulary lacks a character of it."""
    try:
        return (*prompting.begin_token_ids, *tokenizer.encode(text))
    except ValueError:
        return None
