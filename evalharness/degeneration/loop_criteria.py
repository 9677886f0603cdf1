"""When a loop counts as degeneration, and which one of a completion's loops is reported.

A loop counts by its length and by its share of the completion. Every threshold stands here with its origin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from evalharness.degeneration.alphabet import find_babble
from evalharness.degeneration.content import (
    MAX_PARSED_CHARACTERS,
    is_alignment,
    is_layout,
    is_quoted,
    is_rule,
)
from evalharness.degeneration.ending import find_ending
from evalharness.degeneration.interrupted import MIN_LINKED, OF_BLANKS, OF_CHARACTERS, OF_TOKENS, find_interrupted
from evalharness.degeneration.kinds import Kind, kind_of
from evalharness.degeneration.lexemes import ELEMENT
from evalharness.degeneration.loops import MAX_CHARACTER_PERIOD, MAX_TOKEN_PERIOD, Repetition, find_loops_in
from evalharness.degeneration.near import find_near
from evalharness.degeneration.python_language import PYTHON
from evalharness.degeneration.repeated_definitions import find_redefined
from evalharness.degeneration.short_loops import find_short, in_tokens
from evalharness.records import ENDED_BY_ITSELF

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evalharness.degeneration.alignment import Noise
    from evalharness.degeneration.interrupted import Interrupted
    from evalharness.degeneration.language import Language
    from evalharness.degeneration.measures import Unit
    from evalharness.records import StopReason

MIN_COPIES = 4
"""Serving engines stop a periodic tail at three or four copies; three of a kind are common in code."""

FEW_COPIES, LONG_COPY, FEW_SHARE = 3, 150, 0.67
"""This number of copies is a loop if the unit has at least this length (characters) and the copies are at least this
share of the text. Three equal branches were half of a sound answer."""

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

NEARLY_ALL = 0.90
"""Where an exact loop covers this share of the completion, no other is looked for."""

MAX_LOOPS = 16
"""Of a completion with hundreds of loops only the longest ones are looked at closely."""

_BLANK = re.compile(r"\s|\w+|[^\w\s]")

MOST = 0.70
"""Share of a loop that has to lie in what parses of the text: in front of a string that is still open."""

MIN_WHOLE = 0.60
"""Code of one shape says something else nearly every time; where this share of the copies is the same altogether, it is
a loop although it parses."""

LINKED_IN_CODE = 0.70
"""Where all of the text parses only such loops count, so a finer sieve saves the time (``interrupted.MIN_LINKED``)."""

MAX_GLUED_PERIOD = 16
"""Interrupted loops are looked for in characters, too, where the copy is one word at most: a row of such words is one
word."""

NEARLY = 0.9
"""An exact loop is the one to report where it has this share of the longest one's characters."""

_Span = tuple[int, int]
ExactLoops = tuple[list[Repetition], list[Repetition]]
"""What was found in the ids of a completion, and in its characters."""


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop. ``period``, ``onset`` and ``length`` count ``unit``; ``share`` is of the whole completion.

    ``text`` is the text of one copy, and the loop covers the characters from ``start_character`` to
    ``end_character`` of the completion. ``ran_to_end`` says that its last element is the completion's last.
    ``agreement`` is the share of its elements that are as the copies have them, ``whole`` that of its copies that are
    so altogether: 1.0 for an exact loop.
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
    whole: float = 1.0

    @property
    def span(self) -> _Span:
        """The characters of the completion that the loop covers."""
        return self.start_character, self.end_character


def best_loop(
    text: str,
    token_ids: Sequence[int] | None = None,
    decode: Callable[[Sequence[int]], str] | None = None,
    stop_reason: StopReason | None = None,
    exact: ExactLoops | None = None,
    prompt: str | None = None,
    language: Language = PYTHON,
) -> Loop | None:
    """Return the longest loop among those that count; an exact one if it is nearly the longest, of tokens first.

    ``exact`` holds what :func:`exact_loops` found in the ids and in the text; it is looked for if it is not given.
    What stands in the ``prompt``, too, is no loop of the completion: its doctests and tables are copied.
    """
    of_ids, of_text = exact_loops([text], [token_ids])[0] if exact is None else exact
    characters = _character_loops(text, of_text)
    candidates: list[Loop] = []
    for loops in (_token_loops(text, token_ids, decode, of_ids, characters), characters):
        candidates += [loop for loop in loops if counts(loop, text, token_ids, stop_reason, language)][:MAX_LOOPS]
        if candidates:
            break
    if not candidates or max(loop.share for loop in candidates) < NEARLY_ALL:
        candidates += [loop for loop in _near_loops(text, stop_reason) if not language.is_in_literal(text, *loop.span)]
        candidates += _interrupted(text, token_ids, decode, stop_reason, language)
        candidates += _ending_loops(text, stop_reason)
    if not candidates:
        candidates = _short_loops(text, token_ids, decode, stop_reason)
    candidates = [
        loop
        for loop in candidates
        if not is_quoted(text, *loop.span, prompt) and not _is_finished(loop, text, stop_reason, language)
    ]
    longest = max((loop.end_character - loop.start_character for loop in candidates), default=0)
    # The earlier in the list the more exact: the first that is nearly the longest is taken.
    return next((loop for loop in candidates if loop.end_character - loop.start_character >= NEARLY * longest), None)


def _interrupted(
    text: str,
    token_ids: Sequence[int] | None,
    decode: Callable[[Sequence[int]], str] | None,
    stop_reason: StopReason | None,
    language: Language,
) -> list[Loop]:
    """The best loop with interruptions that counts and is no code, else that of two words in ever new numbers.

    Nearly equal statements are tests and tables.
    """
    if len(text) > MAX_PARSED_CHARACTERS:
        return []
    code = language.code_until(text)
    for loops in _interrupted_loops(text, token_ids, decode, sound=code == len(text)):
        for loop in loops:
            layout = is_layout(text, *loop.span, copy=loop.text)
            is_loop = counts(loop, text, token_ids, stop_reason, language)
            if is_loop and not layout and not _is_code(loop, text, code, language):
                return [loop]
    babble = [loop for loop in _babble(text) if counts(loop, text, token_ids, stop_reason, language)]
    return [loop for loop in babble if not _is_code(loop, text, code, language)]


def _babble(text: str) -> list[Loop]:
    """The loop of two words in ever new numbers, if there is one."""
    words = [match for match in ELEMENT.finditer(text) if match[0].strip()]
    babble = find_babble([match[0] for match in words], MIN_TOKENS)
    if babble is None:
        return []
    start, end, copy = words[babble.start].start(), words[babble.end - 1].end(), "".join(babble.pair)
    run = Repetition(len(copy), start, end - start)
    return [_loop(run, copy, "character", len(text), (start, end), agreement=0.0, whole=0.0)]


def _is_finished(loop: Loop, text: str, stop_reason: StopReason | None, language: Language) -> bool:
    """Whether a loop whose copies differ is branches that the text ends with the last of, and no limit cut it."""
    was_cut = stop_reason is not None and ran_to_limit(True, stop_reason)
    differs = loop.agreement < 1.0 or loop.kind == "near"
    return differs and not was_cut and language.is_finished_branching(text, *loop.span)


def _is_code(loop: Loop, text: str, code: int, language: Language) -> bool:
    """Whether a loop with interruptions is code of one shape: most of it parses, and its copies are not the same.

    Comments parse whatever they say.
    """
    end_of_most = loop.start_character + MOST * (loop.end_character - loop.start_character)
    if loop.whole >= MIN_WHOLE:
        return False
    is_code = end_of_most < code and not language.is_comment(text, *loop.span)
    return is_code or language.stands_alone(text, *loop.span)


def exact_loops(texts: Sequence[str], token_ids: Sequence[Sequence[int] | None]) -> list[ExactLoops]:
    """Return, for each completion, the exact loops of its ids (none where it has none) and of its characters."""
    of_ids = find_loops_in(
        [ids if ids is not None else () for ids in token_ids],
        min_length=MIN_TOKENS,
        min_copies=MIN_COPIES,
        max_period=MAX_TOKEN_PERIOD,
    )
    of_text = find_loops_in(texts, min_length=MIN_TOKENS, min_copies=FEW_COPIES, max_period=MAX_CHARACTER_PERIOD)
    return list(zip(of_ids, of_text, strict=True))


def counts(
    loop: Loop,
    text: str,
    token_ids: Sequence[int] | None = None,
    stop_reason: StopReason | None = None,
    language: Language = PYTHON,
) -> bool:
    """Whether ``loop`` of ``text`` is degeneration.

    By length and share: it is ``DOMINANT_SHARE`` of the completion, or it is long and either ran into the limit or is
    ``MIN_SHARE_ENDED`` of the completion. And it is no content: no rule, no alignment, and no literal that ended and
    parses.
    """
    if loop.copies < MIN_COPIES and not (loop.period >= LONG_COPY and loop.share >= FEW_SHARE):
        return False
    cut = ran_to_limit(loop.ran_to_end, stop_reason)
    is_long = loop.length >= _long(loop, text, token_ids)
    if not (loop.share >= DOMINANT_SHARE or (is_long and (cut or loop.share >= MIN_SHARE_ENDED))):
        return False
    if is_rule(text, *loop.span) or is_alignment(text, *loop.span):
        return False
    # Where interruptions are passed over, the end may be, too: the last copy is not asked.
    within = loop.end_character - (len(loop.text) if loop.agreement < 1.0 else 0)
    return cut or not language.is_in_literal(text, loop.start_character, max(loop.start_character, within))


def ran_to_limit(ran_to_end: bool, stop_reason: StopReason | None) -> bool:
    """Whether a loop was still going on when generation was cut, which an end by the model itself is not."""
    return ran_to_end and stop_reason not in ENDED_BY_ITSELF


def _long(loop: Loop, text: str, token_ids: Sequence[int] | None) -> int:
    """How many elements make a loop long. So many newlines in a row are in no code, in either unit."""
    if loop.kind == "newline":
        return MIN_TOKENS
    if loop.unit == "token" and token_ids is not None and len(text) >= MIN_CHARACTERS_A_TOKEN * len(token_ids):
        return MIN_TOKENS
    return MIN_CHARACTERS


def _character_loops(text: str, runs: Sequence[Repetition]) -> list[Loop]:
    """The loops of the characters, longest first."""
    loops = [
        _loop(run, text[run.onset : run.onset + run.period], "character", len(text), (run.onset, run.end))
        for run in runs
    ]
    return sorted(loops, key=lambda loop: -loop.length)


def _token_loops(
    text: str,
    token_ids: Sequence[int] | None,
    decode: Callable[[Sequence[int]], str] | None,
    runs: Sequence[Repetition],
    of_characters: list[Loop],
) -> list[Loop]:
    """The loops of the tokens, longest first, placed in the text by decoding, or else by what loops there."""
    if token_ids is None or not text:
        return []
    loops = []
    for run in sorted(runs, key=lambda run: -run.length)[:MAX_LOOPS]:
        if decode is not None:
            copy, span = _decoded(run, text, token_ids, decode)
        else:
            copy, span = _in_proportion(run, text, len(token_ids), of_characters)
        loops.append(_loop(run, copy, "token", len(token_ids), span))
    return loops


def _interrupted_loops(
    text: str,
    token_ids: Sequence[int] | None,
    decode: Callable[[Sequence[int]], str] | None,
    *,
    sound: bool,
) -> Iterator[list[Loop]]:
    """The loops with interruptions, best first: of the tokens where they are known, of words and signs, of characters.

    Blanks are one word, and so are words that are not parted: short copies are looked for in characters, too.
    """
    if token_ids is not None and decode is not None:
        loops = []
        for interrupted in _interrupted_in(token_ids, MAX_TOKEN_PERIOD, OF_TOKENS, sound=sound):
            _, span = _decoded(interrupted.run, text, token_ids, decode)
            loops.append(
                _loop(
                    interrupted.run,
                    decode(interrupted.copy),
                    "token",
                    len(token_ids),
                    span,
                    interrupted.agreement,
                    interrupted.whole,
                )
            )
        yield loops
    words = [match.start() for match in ELEMENT.finditer(text)]
    yield _interrupted_between(text, words, MAX_TOKEN_PERIOD, OF_TOKENS, sound=sound)
    blanks = [match.start() for match in _BLANK.finditer(text)]
    yield _interrupted_between(text, blanks, MAX_GLUED_PERIOD, OF_BLANKS, sound=sound)
    yield _interrupted_between(text, range(len(text)), MAX_GLUED_PERIOD, OF_CHARACTERS, sound=sound)


def _interrupted_between(text: str, starts: Sequence[int], max_period: int, noise: Noise, *, sound: bool) -> list[Loop]:
    edges = [*starts, len(text)]
    names: dict[str, int] = {}
    ids = [names.setdefault(text[a:b], len(names)) for a, b in pairwise(edges)]
    written = list(names)
    loops = []
    for interrupted in _interrupted_in(ids, max_period, noise, sound=sound):
        start, end = edges[interrupted.run.onset], edges[interrupted.run.end]
        copy = "".join(written[i] for i in interrupted.copy)
        placed = Repetition(max(1, len(copy)), start, end - start)
        loops.append(
            _loop(placed, copy, "character", len(text), (start, end), interrupted.agreement, interrupted.whole)
        )
    return loops


def _interrupted_in(elements: Sequence[int], max_period: int, noise: Noise, *, sound: bool) -> list[Interrupted]:
    """Loops with interruptions of ``elements``. What is ``sound`` code was not torn, and is sifted more finely."""
    linked = LINKED_IN_CODE if sound else MIN_LINKED
    return find_interrupted(
        elements, min_length=MIN_TOKENS, max_period=max_period, noise=noise, torn=not sound, min_linked=linked
    )


def _near_loops(text: str, stop_reason: StopReason | None) -> list[Loop]:
    """The near loops that count: long, and not ended. Code unrolled by hand counts, too, and then goes on."""
    if len(text) > MAX_PARSED_CHARACTERS:
        return []
    written = len(text.rstrip())
    loops = []
    for near in find_near(text):
        length = near.end - near.start
        ran_to_end = near.end >= written
        cut = ran_to_limit(ran_to_end, stop_reason)
        if length < MIN_CHARACTERS or not cut or (stop_reason is None and not near.predictable):
            continue
        loops.append(
            Loop(
                period=max(1, length // near.copies),
                copies=near.copies,
                onset=near.start,
                length=length,
                share=length / len(text),
                kind="near",
                unit="character",
                text=near.text,
                ran_to_end=ran_to_end,
                start_character=near.start,
                end_character=near.end,
                agreement=near.agreement,
            )
        )
    return loops


def _short_loops(
    text: str,
    token_ids: Sequence[int] | None,
    decode: Callable[[Sequence[int]], str] | None,
    stop_reason: StopReason | None,
) -> list[Loop]:
    """The loop that a short limit cut, in tokens if they loop there, too."""
    run = find_short(text) if text and ran_to_limit(True, stop_reason) else None
    if run is None:
        return []
    of_text = _loop(run, text[run.onset : run.onset + run.period], "character", len(text), (run.onset, run.end))
    in_ids = in_tokens(token_ids, of_text.share) if token_ids else None
    if token_ids is None or in_ids is None:
        return [replace(of_text, ran_to_end=True)]
    copy = decode(token_ids[in_ids.onset : in_ids.onset + in_ids.period]) if decode else of_text.text
    return [replace(_loop(in_ids, copy, "token", len(token_ids), of_text.span), kind=of_text.kind, ran_to_end=True)]


def _ending_loops(text: str, stop_reason: StopReason | None) -> list[Loop]:
    """The tail of lines that say nothing new, if the text was cut there."""
    if len(text) > MAX_PARSED_CHARACTERS or not ran_to_limit(True, stop_reason):
        return []
    ending = find_ending(text, was_cut=stop_reason is not None) or find_redefined(text)
    if ending is None:
        return []
    placed = Repetition(max(1, (ending.end - ending.start) // ending.copies), ending.start, ending.end - ending.start)
    loop = _loop(placed, ending.copy, "character", len(text), (ending.start, ending.end), ending.agreement)
    kind = "near" if ending.counts else loop.kind
    return [replace(loop, copies=ending.copies, kind=kind, ran_to_end=True)]


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


def _loop(
    run: Repetition, copy: str, unit: Unit, total: int, span: _Span, agreement: float = 1.0, whole: float = 1.0
) -> Loop:
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
        agreement=agreement,
        whole=whole,
    )
