"""The form of training prompts: the text that stands around each problem in them, and the space before each answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.diagnosis.data.shared_ends import shared_prefix, shared_suffix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.diagnosis.data.rows import DataRow

ROWS = 500
"""Rows that are compared: what as many share they share by rule."""
FEWEST_ROWS = 8
"""What fewer rows have in common says nothing of a form."""


_MARKER = re.compile(r" ?(?:<[^<>\s]+>|\[/?[A-Z_]+\])[ \n]?")
"""A token that marks turns and ends, such as ``<|im_end|>`` or ``[/INST]``: it is part of the form, never of a text."""


@dataclass(frozen=True, slots=True)
class RowForm:
    """``head`` and ``tail`` stand around what is asked, ``lead`` is the white space that answers begin with."""

    head: str
    tail: str
    lead: str

    @property
    def template(self) -> str:
        """The form as a setting has it: ``{prompt}`` stands for the problem."""
        return f"{self.head}{{prompt}}{self.tail}"

    @property
    def has_words(self) -> bool:
        """Whether more than white space and signs stand around what is asked."""
        return re.search(r"[^\W_]", self.head + self.tail) is not None

    def is_of(self, text: str) -> bool:
        """Whether a prompt stands in the form, whatever white space it begins and ends with."""
        return text.strip().startswith(self.head.strip()) and text.strip().endswith(self.tail.strip())

    def around(self, prompt: str) -> tuple[str, str]:
        """What has to be put before and after ``prompt``: head and tail without what it begins and ends with itself."""
        before = self.head[: len(self.head) - overlap(self.head, prompt)]
        return before, self.tail[overlap(prompt, self.tail) :]


def row_forms(rows: Sequence[DataRow]) -> tuple[RowForm, ...]:
    """The forms that the prompts of ``rows`` may have: all that they share, or whole lines or words of it only.

    What all prompts share may be more than their form: of functions the first word is always ``def``. Nothing where
    too few rows have a prompt.
    """
    asked = [row for row in rows if row.prompt and row.completion]
    asked = asked[:: max(1, len(asked) // ROWS)]
    if len(asked) < FEWEST_ROWS:
        return ()
    prompts = [row.prompt for row in asked]
    head = prompts[0][: shared_prefix(prompts)]
    tail = prompts[0][len(prompts[0]) - shared_suffix(prompts) :]
    answers = [row.completion for row in asked]
    begin = answers[0][: shared_prefix(answers)]
    lead = begin[: len(begin) - len(begin.lstrip())]
    return tuple(dict.fromkeys(RowForm(h, t, lead) for h, t in _cuts(head, tail)))


def _cuts(head: str, tail: str) -> Iterator[tuple[str, str]]:
    """Head and tail, whole; the head up to the end of a line or a marker, the tail from the first marker or line on.

    And the head without its last word.
    """
    markers = [marker.span() for marker in _MARKER.finditer(head)]
    lines = head[: max([head.rfind("\n") + 1, *(end for _, end in markers)])]
    first = _MARKER.search(tail)
    rest = tail[tail.find("\n") + 1 if first is None else first.start() :]
    words = head.rstrip()
    without_word = words[: max(words.rfind(" "), words.rfind("\n")) + 1]
    for one in (lines, without_word, head):
        for other in (rest, tail):
            yield one, other


def overlap(one: str, other: str) -> int:
    """How many characters at the end of ``one`` are those that ``other`` begins with, at most."""
    return next(n for n in range(min(len(one), len(other)), -1, -1) if one[len(one) - n :] == other[:n])
