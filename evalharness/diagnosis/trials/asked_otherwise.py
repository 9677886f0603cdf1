"""The same problems asked with a small change of the prompt, in ways that training rows suggest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.diagnosis.data.shared_ends import shared_prefix, shared_suffix
from evalharness.diagnosis.data.spread import every
from evalharness.diagnosis.trials.greedy_trials import (
    Asked,
    Change,
    as_scored,
    change,
    completed_otherwise,
    encoded,
    fits,
    is_split,
    judged,
)
from evalharness.models.requests import continues_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evalharness.degeneration import CompletionText
    from evalharness.diagnosis.subject import Subject

ROWS = 500
"""Training prompts that are compared: what as many share they share by rule."""
FEWEST_ROWS = 8
"""What fewer prompts have in common says nothing of a format."""
EXAMPLES = 2
"""Solved rows that are put before a prompt, where the context has room for them."""
FIRST = 6
"""Problems that a change is tried on first; it is given up where none of them becomes better. One that betters half of
all problems is given up so once in 64 times (0.5^6), and one that betters none costs a third."""
COMMONLY = 0.5
"""A change is tried where it changes the prompts of more than half of the problems."""
BY_EXAMPLES = f"with {EXAMPLES} solved training rows before it"
"""What asking so is called."""


@dataclass(frozen=True, slots=True)
class Way:
    """The problems asked otherwise, of the subject that they are asked of."""

    subject: Subject
    variants: list[Asked]


@dataclass(frozen=True, slots=True)
class Frame:
    """What all training prompts begin and end with, as ids without begin tokens, and how many of these there are."""

    head: tuple[int, ...]
    tail: tuple[int, ...]
    begin_tokens: float


def training_frame(subject: Subject) -> Frame | None:
    """What the training prompts share; None where too few have one."""
    if subject.train is None:
        return None
    apart = [row for row in subject.train.rows if row.prompt]
    prompts = [ids for row in apart[:: max(1, len(apart) // ROWS)] if (ids := encoded(subject, row.prompt))]
    if len(prompts) < FEWEST_ROWS:
        return None
    head, tail = shared_prefix(prompts), shared_suffix(prompts)
    first = prompts[0]
    begins = [begin_tokens(subject, row.ids) for row in subject.train.encoded[:ROWS]]
    counted = sum(begins) / len(begins) if begins else 0.0
    return Frame(first[:head], first[len(first) - tail :], counted)


def begin_tokens(subject: Subject, ids: Sequence[int]) -> int:
    """How often the begin token stands at the start; 0 where none is known."""
    if not subject.begin_ids:
        return 0
    return next((i for i, token_id in enumerate(ids) if token_id != subject.begin_ids[0]), len(ids))


def changed_ways(subject: Subject, asked: Sequence[Asked], frame: Frame | None) -> dict[str, Way]:
    """The same problems asked otherwise, by what was changed; only changes that change most and still fit."""
    ways: dict[str, Callable[[Asked], tuple[int, ...] | None]] = {}
    if frame is not None:
        ways["with what all training prompts begin and end with"] = lambda a: _framed(subject, a, frame)
        if (examples := _examples(subject)) is not None:
            ways[BY_EXAMPLES] = lambda a: _led_by(subject, a, examples)
    ways["with a newline more at the end"] = lambda a: _ending(subject, a, a.problem.prompt + "\n")
    ways["with a newline less at the end"] = lambda a: _ending(subject, a, a.problem.prompt.removesuffix("\n"))
    ways["with one begin token"] = lambda a: _begun_once(subject, a, frame)
    made = {name: [(a, way(a)) for a in asked] for name, way in ways.items()}
    fitting = {
        name: [Asked(a.problem, ids) for a, ids in variants if ids is not None and ids != a.ids and fits(subject, ids)]
        for name, variants in made.items()
    }
    made_of = {name: Way(subject, variants) for name, variants in fitting.items()} | _other_format(subject, asked)
    return {name: way for name, way in made_of.items() if len(way.variants) > COMMONLY * len(asked)}


def _other_format(subject: Subject, asked: Sequence[Asked]) -> dict[str, Way]:
    """The problems in the chat template if they are asked plainly, and the other way round; nothing without one."""
    if subject.other_way is None:
        return {}
    name = (
        "in the tokenizer's chat template" if continues_prompt(subject.prompt_template) else "without a chat template"
    )
    other = subject.asked_otherwise(subject.other_way)
    variants = [(a.problem, as_scored(other, a.problem.prompt)) for a in asked]
    return {name: Way(other, [Asked(p, ids) for p, ids in variants if ids is not None and fits(other, ids)])}


def _framed(subject: Subject, asked: Asked, frame: Frame) -> tuple[int, ...]:
    """The prompt between the head and the tail of the training prompts, as far as it has not these already."""
    own = asked.ids[len(subject.begin_ids) :]
    head = frame.head[: len(frame.head) - _overlap(frame.head, own)]
    tail = frame.tail[_overlap(own, frame.tail) :]
    return (*subject.begin_ids, *head, *own, *tail)


def _overlap(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many ids at the end of ``one`` are those that ``other`` begins with, at most."""
    return next(n for n in range(min(len(one), len(other)), -1, -1) if one[len(one) - n :] == other[:n])


def _examples(subject: Subject) -> tuple[int, ...] | None:
    """Ids of the shortest training rows that have a prompt, one after the other."""
    rows = [row for row in (subject.train.rows if subject.train else ()) if row.prompt and row.completion]
    rows.sort(key=lambda row: len(row.prompt + row.completion))
    parts = [encoded(subject, text) for row in rows[:EXAMPLES] for text in (row.prompt, row.completion)]
    return None if len(parts) < 2 * EXAMPLES or None in parts else tuple(i for ids in parts for i in ids or ())


def _led_by(subject: Subject, asked: Asked, examples: tuple[int, ...]) -> tuple[int, ...]:
    begin = len(subject.begin_ids)
    return (*asked.ids[:begin], *examples, *asked.ids[begin:])


def _ending(subject: Subject, asked: Asked, prompt: str) -> tuple[int, ...] | None:
    """The prompt with another end; None if a token spans its boundary: that is `token_boundary`."""
    crossed = is_split(subject, asked.problem.prompt, asked.problem.canonical_solution)
    return None if crossed else as_scored(subject, prompt)


def _begun_once(subject: Subject, asked: Asked, frame: Frame | None) -> tuple[int, ...] | None:
    """One begin token, where there are two, or where training rows have one and the prompt none."""
    count = begin_tokens(subject, asked.ids)
    if not subject.begin_ids or count == 1 or (count == 0 and (frame is None or frame.begin_tokens < 1)):
        return None
    return (subject.begin_ids[0], *asked.ids[count:])


def tried(way: Way, before: Mapping[str, bool], written: Mapping[str, CompletionText]) -> Change:
    """Ask the first few, and the others where any of these became better."""
    subject, variants = way.subject, way.variants
    first = every(len(variants), FIRST)
    after = completed_otherwise(subject, [variants[i] for i in first], written)
    first_change = change(before, judged(subject, after))
    if not first_change.better:
        return first_change
    others = [variant for i, variant in enumerate(variants) if i not in first]
    after |= completed_otherwise(subject, others, written)
    # The same problems on both sides: that answers are all the same depends on which are looked at together.
    return change(judged(subject, {task: written[task] for task in after}), judged(subject, after))
