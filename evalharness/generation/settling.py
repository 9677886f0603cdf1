"""From the logits of a forward pass to the tokens that it settles: draws, drafts that hold, what is decided again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.generation.decoding import Choice, Distributions
from evalharness.generation.drafts import Drafts
from evalharness.generation.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from evalharness.generation.prompting import Settings
    from evalharness.generation.row import Row
    from evalharness.models.protocols import TorchModel
    from evalharness.models.requests import Decoding

LONGEST_DRAFT = 64
LONG_MATCH = 4
"""Tokens that have to match for a guess where a drafted token costs as much as any other. What followed fewer was
right once in ten times on HumanEval, and has to be once in five for a pass to be saved (SmolLM2-135M, four rows)."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What may follow a text, and the rows whose text it is."""

    rows: tuple[Row, ...]
    draft: tuple[int, ...]


class Settler:
    """Guesses what rows will say, and appends what they do say.

    ``shortest_draft`` is how many tokens are guessed for a row whose last guess was wrong; one whose guesses hold gets
    twice as many each time.
    """

    def __init__(
        self,
        model: TorchModel,
        allowed: torch.Tensor | None,
        settings: Settings,
        shortest_draft: int,
        *,
        cached: bool = False,
    ) -> None:
        self._allowed = allowed
        self._noise_nats, self._moved = settings.noise_nats, settings.moved_mass
        self._shortest_draft = shortest_draft
        self._drafts = Drafts(LONG_MATCH if cached else 1) if settings.drafts and not settings.exact_lengths else None
        self._reference = Reference(model, allowed, cached=cached)

    def learn(self, row: Row) -> None:
        """Take in a row's prompt, from which there is much to guess."""
        if self._drafts:
            self._drafts.learn(row.ids)

    def guess(self, row: Row) -> tuple[int, ...]:
        """Tokens that may come next; one less than there is room for, because the pass itself gives one."""
        return tuple(self._drafts.guess(row.ids, min(row.draft_length, row.room - 1))) if self._drafts else ()

    def settle(self, logits: torch.Tensor, guesses: Sequence[Guess]) -> None:
        """Append to the rows of each guess what its logits decide.

        ``logits`` is ``(positions, vocabulary)``, ``len(draft) + 1`` positions for each guess in turn: after the text,
        and after each drafted token.
        Raises :class:`evalharness.errors.EvaluationError` where they are NaN.
        """
        first: list[int] = []
        task_ids: list[str] = []
        for guess in guesses:
            first.append(len(task_ids))
            task_ids += [guess.rows[0].request.task_id] * (len(guess.draft) + 1)
        distributions = Distributions(logits, self._allowed, self._noise_nats, task_ids, self._moved)
        drawn = _draw(distributions, guesses, first)
        # The entropy costs more than the token: it is computed only as far as the drafts hold.
        reach = {row: _reach(guess.draft, drawn[row]) for guess in guesses for row in guess.rows}
        furthest = [max(reach[row] for row in guess.rows) for guess in guesses]
        wanted = [begin + i for begin, count in zip(first, furthest, strict=True) for i in range(count)]
        entropies = dict(zip(wanted, distributions.entropies(wanted), strict=True))
        for guess, begin in zip(guesses, first, strict=True):
            for row in guess.rows:
                choices = [
                    Choice(token_id, entropies[begin + i], certain)
                    for i, (token_id, certain) in enumerate(drawn[row][: reach[row]])
                ]
                self._accept(row, guess.draft, choices)

    def _accept(self, row: Row, draft: tuple[int, ...], choices: list[Choice]) -> None:
        """Append the drawn tokens as long as each was drawn after text that the row really has."""
        begun = len(row.ids)
        for choice, drafted in zip(choices, (*draft, None), strict=False):
            settled = choice if choice.certain else self._reference.choose(row)
            row.append(settled)
            if row.stop_reason or settled.token_id != drafted:
                break
        accepted = len(row.ids) - begun
        if accepted <= len(draft):
            row.draft_length = max(self._shortest_draft, accepted + 2)
        elif 2 * len(draft) >= row.draft_length:
            # A guess that ended by itself, much shorter than it might have been, says nothing of longer ones.
            row.draft_length = min(2 * row.draft_length, LONGEST_DRAFT)
        if self._drafts:
            self._drafts.learn(row.ids, begun)


def _draw(
    distributions: Distributions, guesses: Sequence[Guess], first: Sequence[int]
) -> dict[Row, list[tuple[int, bool]]]:
    """What each row would draw next, and after each of its drafted tokens; and whether that is certain."""
    places: dict[Decoding, list[tuple[Row, int, float]]] = {}
    for guess, begin in zip(guesses, first, strict=True):
        for row in guess.rows:
            of_decoding = places.setdefault(row.request.decoding, [])
            greedy = row.request.decoding.name == "greedy"
            for i in range(len(guess.draft) + 1):
                of_decoding.append((row, begin + i, 0.0 if greedy else row.uniform(i)))
    drawn: dict[Row, list[tuple[int, bool]]] = {}
    for decoding, wanted in places.items():
        rows, positions, uniforms = zip(*wanted, strict=True)
        for row, token in zip(rows, distributions.draw(decoding, positions, uniforms), strict=True):
            drawn.setdefault(row, []).append(token)
    return drawn


def _reach(draft: tuple[int, ...], drawn: list[tuple[int, bool]]) -> int:
    """How many of the tokens drawn may count: up to the first that is certain and not what was drafted."""
    for i, (drafted, (token_id, certain)) in enumerate(zip(draft, drawn, strict=False)):
        if certain and token_id != drafted:
            return i + 1
    return len(drawn)
