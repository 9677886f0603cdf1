"""Whether problems are in rows of data: as they are, without their layout, or by most of their n-grams."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evalharness.degeneration.lexemes import lexemes, windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.records import Problem

N = 13
"""Words and signs of an n-gram. Brown et al. 2020 ("Language Models are Few-Shot Learners", appendix C) use 8 to 13
words by the length of a benchmark's texts; code has signs as well, so the longest is taken."""
MOST_NGRAMS = 0.7
"""A problem is seen where this share of its n-grams is in the rows (Chowdhery et al. 2022, "PaLM", section 8)."""
FEWEST_LEXEMES = 20
"""A solution, a prompt or a row of fewer words and signs is written by many people (``return a + b``): found alone, it
shows nothing. Twice the length of a usual signature in HumanEval."""

How = Literal["exact", "normalised", "n-gram"]


@dataclass(frozen=True, slots=True)
class _Sought:
    """What is looked for of one problem: texts long enough to be unique, the same without layout, and n-grams.

    ``short``: a text without layout that is too short to have an n-gram, so that every row is searched for it.
    """

    texts: tuple[str, ...]
    normalised: tuple[str, ...]
    short: tuple[str, ...]
    ngrams: frozenset[tuple[str, ...]]


class ProblemSearch:
    """A search for problems that is given one row after another.

    What holds a problem holds its n-grams, so only rows with one are looked at closely.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._sought = {problem.task_id: _sought(problem) for problem in problems}
        self._owners: dict[tuple[str, ...], set[str]] = defaultdict(set)
        self._short: dict[str, set[str]] = defaultdict(set)
        for task, wanted in self._sought.items():
            for text in wanted.normalised:
                for gram in windows(text.split(), N) if text not in wanted.short else ():
                    self._owners[gram].add(task)
            for text in wanted.short:
                self._short[text].add(task)
        self._grams = frozenset(self._owners)
        self._exact: set[str] = set()
        self._normalised: set[str] = set()
        self._known: dict[str, set[tuple[str, ...]]] = defaultdict(set)

    def read(self, text: str, words: list[str]) -> None:
        """Look for the problems in one row; ``words`` are the words and signs of its ``text``, whatever their case."""
        known = self._grams.intersection(windows(words, N)) if self._grams else self._grams
        joined = _joined(words) if known or self._short else ""
        tasks = {task for gram in known for task in self._owners[gram]}
        tasks.update(*(of for short, of in self._short.items() if short in joined))
        for task in tasks - self._exact:
            wanted = self._sought[task]
            self._known[task] |= known & wanted.ngrams
            if any(sought in text for sought in wanted.texts):
                self._exact.add(task)
            elif any(sought in joined for sought in wanted.normalised):
                self._normalised.add(task)

    def found(self) -> dict[str, How]:
        """The tasks that are in the rows so far, in the order of the problems, each with how it was found."""
        found = {task: self._how(task, wanted) for task, wanted in self._sought.items()}
        return {task: how for task, how in found.items() if how is not None}

    def _how(self, task: str, wanted: _Sought) -> How | None:
        """How the problem is in the rows, the strictest way first; None where it is not."""
        if task in self._exact:
            return "exact"
        if task in self._normalised:
            return "normalised"
        known = len(self._known.get(task, ()))
        return "n-gram" if wanted.ngrams and known >= MOST_NGRAMS * len(wanted.ngrams) else None


def _sought(problem: Problem) -> _Sought:
    alone = [text.strip() for text in (problem.prompt, problem.canonical_solution)]
    long = [text for text in alone if len(lexemes(text)) >= FEWEST_LEXEMES]
    whole = [(problem.prompt + problem.canonical_solution).strip()] if problem.canonical_solution.strip() else []
    texts = tuple(text for text in (*long, *whole) if lexemes(text))
    return _Sought(
        texts=texts,
        normalised=tuple(_joined(_words(text)) for text in texts),
        short=tuple(_joined(_words(text)) for text in texts if len(lexemes(text)) < N),
        ngrams=frozenset(gram for text in long for gram in windows(_words(text), N)),
    )


def _words(text: str) -> list[str]:
    return lexemes(text.lower())


def _joined(words: Sequence[str]) -> str:
    return f" {' '.join(words)} "
