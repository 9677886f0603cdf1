"""What is wrong with one completion: the loop that it is in, or another of the kinds, and the measures beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from evalharness.degeneration.completion_text import CompletionText
from evalharness.degeneration.echo import find_echo
from evalharness.degeneration.gibberish import find_gibberish, is_guessed, is_sign_salad
from evalharness.degeneration.language import LANGUAGES
from evalharness.degeneration.loop_criteria import Loop, best_loop, exact_loops, ran_to_limit
from evalharness.degeneration.measures import Measures, measure_all
from evalharness.degeneration.same_answer import same_answers
from evalharness.degeneration.validity import Validity, validity
from evalharness.records import ENDED_BY_ITSELF, NOT_BEGUN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalharness.degeneration.kinds import Kind
    from evalharness.records import StopReason


_NOT_GENERATED = NOT_BEGUN | {"context_full"}
FEWEST_BLANKS = 16
"""So many blanks in a row are deeper than code is indented."""
_QUOTED_CHARACTERS = 40
_NEXT_DEFINITION = re.compile(r"(?<=\n)(?:def|class|@)")
_FIRST_DEFINITIONS = 4
"""Definitions in a loop before which an answer may be finished: the prompt's, the answer, and one more of each."""


@dataclass(frozen=True, slots=True)
class Degeneration:
    """Whether one completion is degenerate, of which kind, the loop if that makes it so, and the measures.

    ``evidence`` is one sentence. ``ran_to_limit`` says that the loop was still going on when generation ended; whether
    the model would have recovered is unknown. ``after_answer`` says that the loop follows a finished answer, and is
    None without a loop. ``loop_tokens`` are the loop's first token and the one after its last, in proportion where it
    was found in the characters; None without a loop or without ids.
    """

    degenerate: bool
    kind: Kind | None
    evidence: str
    loop: Loop | None
    loop_tokens: tuple[int, int] | None
    after_answer: bool | None
    validity: Validity
    measures: Measures
    stop_reason: StopReason | None
    ran_to_limit: bool

    @property
    def period(self) -> int | None:
        """Length of one copy in ``loop.unit``."""
        return self.loop.period if self.loop else None

    @property
    def copies(self) -> int | None:
        """Whole copies."""
        return self.loop.copies if self.loop else None

    @property
    def onset(self) -> int | None:
        """Index of the loop's first element, in ``loop.unit``."""
        return self.loop.onset if self.loop else None

    @property
    def share(self) -> float | None:
        """Share of the completion that the loop covers, in ``loop.unit``."""
        return self.loop.share if self.loop else None


def analyse(
    text: str,
    token_ids: Sequence[int] | None = None,
    *,
    decode: Callable[[Sequence[int]], str] | None = None,
    token_entropy_nats: Sequence[float] | None = None,
    stop_reason: StopReason | None = None,
    prompt: str | None = None,
) -> Degeneration:
    """Measure one completion: ``text``, and the ``token_ids`` that it was decoded from where they are known.

    Loops are searched on the ids and on the characters: exact ones, ones with interruptions, and near ones; the one
    reported is the most exact of the longest that count (see :mod:`evalharness.degeneration.loop_criteria`).
    ``decode`` turns ids into text and places token loops in the text exactly; without it they are placed in proportion.
    ``token_entropy_nats`` has one value a token. Without a ``stop_reason`` the completion is taken to have been cut at
    its end. An echo is looked for where the ``prompt`` is known. A completion that was never begun (its prompt did not
    fit) is not degenerate. Whether all problems got the same answer only :func:`analyse_all` can tell.
    """
    written = CompletionText(text, token_ids, token_entropy_nats, stop_reason, prompt)
    (degeneration,) = analyse_all([written], decode)
    return degeneration


def analyse_all(
    completions: Sequence[CompletionText], decode: Callable[[Sequence[int]], str] | None = None
) -> tuple[Degeneration, ...]:
    """Measure the completions of one checkpoint, in their order; several times as fast as one by one."""
    exact = exact_loops([c.text for c in completions], [c.token_ids for c in completions])
    loops = [
        best_loop(
            written.text,
            written.token_ids,
            decode,
            written.stop_reason,
            loops_of_one,
            written.prompt,
            LANGUAGES[written.language],
        )
        for written, loops_of_one in zip(completions, exact, strict=True)
    ]
    spans = [_tokens_of(loop, written) for loop, written in zip(loops, completions, strict=True)]
    measured = measure_all(completions, spans)
    same = same_answers(completions)
    return tuple(_judged(*one) for one in zip(completions, loops, spans, measured, same, strict=True))


def _judged(
    written: CompletionText, loop: Loop | None, loop_tokens: tuple[int, int] | None, measures: Measures, same: int
) -> Degeneration:
    text, stop_reason = written.text, written.stop_reason
    kind, evidence = (loop.kind, _loop_in_words(loop)) if loop else _without_loop(written, same)
    return Degeneration(
        degenerate=kind is not None,
        kind=kind,
        evidence=evidence,
        loop=loop,
        loop_tokens=loop_tokens,
        after_answer=_follows_answer(loop, written) if loop else None,
        validity=validity(text, written.prompt, LANGUAGES[written.language]),
        measures=measures,
        stop_reason=stop_reason,
        ran_to_limit=loop is not None and ran_to_limit(loop.ran_to_end, stop_reason),
    )


def _without_loop(written: CompletionText, same: int) -> tuple[Kind | None, str]:
    """The kind of a completion that has no loop, or None, with its evidence."""
    text, prompt, language = written.text, written.prompt, LANGUAGES[written.language]
    if not text.strip():
        if _is_run_of_blanks(text, written.stop_reason):
            return "whitespace", f"nothing but blanks, {len(text)} up to the limit"
        begun = text or written.stop_reason not in _NOT_GENERATED
        return ("empty" if begun else None), "nothing but whitespace was written" if text else "nothing was written"
    if prompt is not None and (echo := find_echo(text, prompt, language)):
        return "echo", f"{echo.covered} of {echo.of} words and signs only say the prompt again"
    if gibberish := _gibberish_in_words(written):
        return "gibberish", gibberish
    if same:
        return "same_answer", f"{same} problems got this answer"
    return None, "no loop"


def _is_run_of_blanks(text: str, stop_reason: StopReason | None) -> bool:
    """Whether a limit cut a run of blanks that is shorter than a loop has to be, as a model of characters writes it."""
    was_cut = stop_reason is not None and stop_reason not in ENDED_BY_ITSELF
    return was_cut and len(text) >= FEWEST_BLANKS and "\n" not in text


def _gibberish_in_words(written: CompletionText) -> str | None:
    """Why a completion is gibberish, or None."""
    text, entropies, language = written.text, written.token_entropy_nats, LANGUAGES[written.language]
    if gibberish := find_gibberish(text, written.prompt, language):
        return f"no program, and only {100 * gibberish.known:.0f} % of the letters in its words are in known words"
    if is_sign_salad(text, written.prompt, language):
        return "nearly nothing but signs, in no order"
    if entropies is not None and is_guessed(text, entropies, written.prompt, language):
        mean = sum(entropies) / len(entropies)
        return f"no program, and the model guessed: its predictions have a mean entropy of {mean:.1f} nats"
    return None


def _follows_answer(loop: Loop, written: CompletionText) -> bool:
    """Whether a finished answer stands before the loop, or is its first copy; the prompt may be copied before that.

    A line end that is the loop's first element ends the line before it, too.
    """
    text, start, language = written.text, loop.start_character, LANGUAGES[written.language]
    before = text[:start] + ("\n" if text.startswith("\n", start) else "")
    copy = (loop.end_character - start) // max(1, loop.copies)
    ends = [start + copy, start + 2 * copy]
    ends += [start + match.start() for match in islice(_NEXT_DEFINITION.finditer(text[start:]), _FIRST_DEFINITIONS)]
    return any(language.is_finished_answer(said, written.prompt) for said in (before, *(text[:end] for end in ends)))


def _tokens_of(loop: Loop | None, written: CompletionText) -> tuple[int, int] | None:
    """The loop's first token and the one after its last."""
    if loop is None or written.token_ids is None:
        return None
    if loop.unit == "token":
        return loop.onset, loop.onset + loop.length
    tokens, characters = len(written.token_ids), max(1, len(written.text))
    return tokens * loop.start_character // characters, -(-tokens * loop.end_character // characters)


def _loop_in_words(loop: Loop) -> str:
    copy = loop.kind if loop.kind == "newline" else f"{loop.kind} {_quoted(loop.text)}"
    end = "the end" if loop.ran_to_end else f"{loop.unit} {loop.onset + loop.length}"
    interrupted = " with interruptions" if loop.agreement < 1.0 and loop.kind != "near" else ""
    return f"{copy} repeated {loop.copies} times{interrupted} from {loop.unit} {loop.onset} to {end}"


def _quoted(text: str) -> str:
    shortened = text if len(text) <= _QUOTED_CHARACTERS else f"{text[: _QUOTED_CHARACTERS - 1]}…"
    return repr(shortened)
