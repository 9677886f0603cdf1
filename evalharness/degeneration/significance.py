"""When a loop counts as degeneration, and which one of a completion's loops is reported.

A loop counts by its length and by its share of the completion. Every threshold stands here with its origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.degeneration.content import is_alignment, is_in_literal, is_rule
from evalharness.degeneration.kinds import Kind, kind_of
from evalharness.degeneration.loops import MAX_CHARACTER_PERIOD, MAX_TOKEN_PERIOD, Repetition, find_loops

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalharness.degeneration.measures import Unit
    from evalharness.records import StopReason

MIN_COPIES = 4
"""Serving engines stop a periodic tail at three or four copies; three of a kind are common in code."""

MIN_TOKENS = 48
"""What serving engines ask of a periodic tail. Also the least number of elements that is searched for at all."""

MIN_CHARACTERS = 150
"""MIN_TOKENS at three characters a token; more than any one line of code that is not data."""

MIN_CHARACTERS_A_TOKEN = 1.5
"""Below this a completion's tokens are about its characters (a character model, whose token is one character), and
MIN_CHARACTERS is asked of them: 48 equal characters are an ordinary rule."""

MIN_SHARE_ENDED = 0.20
"""A loop that ended is part of a longer text. Gopher's filter drops documents with this share of their characters in
duplicate lines (Rae et al. 2021, table A1)."""

DOMINANT_SHARE = 0.50
"""From this share on a loop of MIN_TOKENS elements of either unit counts: it is most of what was written, however
short that is. Between the looping completions of the seed run, whose lowest share is 0.61, and 57,320 functions of
Python 3.11's standard library and its tests, whose highest is 0.42 but for one test that calls the same two lines six
times."""

_Span = tuple[int, int]
_ENDED_BY_THE_MODEL = frozenset({"end_token", "stop_sequence"})


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop. ``period``, ``onset`` and ``length`` count ``unit``; ``share`` is of the whole completion.

    ``text`` is the text of one copy, and the loop covers the characters from ``start_character`` to
    ``end_character`` of the completion. ``ran_to_end`` says that its last element is the completion's last.
    ``agreement`` is the share of its elements that are as the copies have them: 1.0 for an exact loop.
    """

    period: int
    copies: int
    onset: int
    length: int
    share: float
    kind: Kind
    unit: Unit
    text: str
    ran_to_end: bool
    start_character: int
    end_character: int
    agreement: float = 1.0

    @property
    def span(self) -> _Span:
        """The characters of the completion that the loop covers."""
        return self.start_character, self.end_character


def best_loop(
    text: str,
    token_ids: Sequence[int] | None = None,
    decode: Callable[[Sequence[int]], str] | None = None,
    stop_reason: StopReason | None = None,
) -> Loop | None:
    """Return the loop with the largest share among those that count, one of tokens before one of characters."""
    of_characters = _character_loops(text)
    for loops in (_token_loops(text, token_ids, decode, of_characters), of_characters):
        counting = [loop for loop in loops if counts(loop, text, token_ids, stop_reason)]
        if counting:
            return max(counting, key=lambda loop: loop.length)
    return None


def counts(
    loop: Loop,
    text: str,
    token_ids: Sequence[int] | None = None,
    stop_reason: StopReason | None = None,
) -> bool:
    """Whether ``loop`` of ``text`` is degeneration.

    By length and share: it is ``DOMINANT_SHARE`` of the completion, or it is long and either ran into the limit or is
    ``MIN_SHARE_ENDED`` of the completion. And it is no content: no rule, no alignment, and no literal that ended and
    parses.
    """
    cut = ran_to_limit(loop.ran_to_end, stop_reason)
    is_long = loop.length >= _long(loop, text, token_ids)
    if not (loop.share >= DOMINANT_SHARE or (is_long and (cut or loop.share >= MIN_SHARE_ENDED))):
        return False
    if is_rule(text, *loop.span) or is_alignment(text, *loop.span):
        return False
    return cut or not is_in_literal(text, *loop.span)


def ran_to_limit(ran_to_end: bool, stop_reason: StopReason | None) -> bool:
    """Whether a loop was still going on when generation was cut, which an end by the model itself is not."""
    return ran_to_end and stop_reason not in _ENDED_BY_THE_MODEL


def _long(loop: Loop, text: str, token_ids: Sequence[int] | None) -> int:
    """How many elements make a loop long. So many newlines in a row are in no code, in either unit."""
    if loop.kind == "newline":
        return MIN_TOKENS
    if loop.unit == "token" and token_ids is not None and len(text) >= MIN_CHARACTERS_A_TOKEN * len(token_ids):
        return MIN_TOKENS
    return MIN_CHARACTERS


def _character_loops(text: str) -> list[Loop]:
    """The loops of the characters."""
    runs = find_loops(text, min_length=MIN_TOKENS, min_copies=MIN_COPIES, max_period=MAX_CHARACTER_PERIOD)
    return [
        _loop(run, text[run.onset : run.onset + run.period], "character", len(text), (run.onset, run.end))
        for run in runs
    ]


def _token_loops(
    text: str,
    token_ids: Sequence[int] | None,
    decode: Callable[[Sequence[int]], str] | None,
    of_characters: list[Loop],
) -> list[Loop]:
    """The loops of the tokens, placed in the text by decoding, or where that can't be done by what loops there."""
    if token_ids is None or not text:
        return []
    runs = find_loops(token_ids, min_length=MIN_TOKENS, min_copies=MIN_COPIES, max_period=MAX_TOKEN_PERIOD)
    loops = []
    for run in runs:
        if decode is not None:
            copy, span = _decoded(run, text, token_ids, decode)
        else:
            copy, span = _in_proportion(run, text, len(token_ids), of_characters)
        loops.append(_loop(run, copy, "token", len(token_ids), span))
    return loops


def _decoded(
    run: Repetition, text: str, token_ids: Sequence[int], decode: Callable[[Sequence[int]], str]
) -> tuple[str, _Span]:
    """The text of one copy and the span of a run of tokens. The text may end before the ids do, at a stop sequence."""
    start, end = (min(len(text), len(decode(token_ids[:edge]))) for edge in (run.onset, run.end))
    return decode(token_ids[run.onset : run.onset + run.period]), (start, end)


def _in_proportion(run: Repetition, text: str, tokens: int, of_characters: list[Loop]) -> tuple[str, _Span]:
    """The same without decoding: the loop of characters that covers most of where the run should be, or just there."""
    start, end = (len(text) * edge // tokens for edge in (run.onset, run.end))
    if of_characters:
        loop = max(of_characters, key=lambda it: min(end, it.end_character) - max(start, it.start_character))
        if min(end, loop.end_character) > max(start, loop.start_character):
            return loop.text, loop.span
    return text[start : start + max(1, (end - start) * run.period // run.length)], (start, end)


def _loop(run: Repetition, copy: str, unit: Unit, total: int, span: _Span) -> Loop:
    return Loop(
        period=run.period,
        copies=run.copies,
        onset=run.onset,
        length=run.length,
        share=run.length / total,
        kind=kind_of(copy),
        unit=unit,
        text=copy,
        ran_to_end=run.end == total,
        start_character=span[0],
        end_character=span[1],
    )
