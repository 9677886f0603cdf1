"""How texts begin and end, in a few signs, so that what a model writes can be held beside what it was trained on."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

BLANK = ""
"""The beginning of a text that has nothing but whitespace."""
MOST_SIGNS = 24
"""Signs that are kept of a word: a name as long as this tells as much as a longer one."""
_BEGINNING = re.compile(r"(\s*)(\w+|[^\w\s]+)")
_ENDING = re.compile(r"(\w+|([^\w\s])\2*)(\s*)\Z")


def beginning(text: str) -> str:
    """Return the whitespace that ``text`` begins with and its first word or signs; :data:`BLANK` without a word."""
    match = _BEGINNING.match(text)
    return BLANK if match is None else match[1][-MOST_SIGNS:] + match[2][:MOST_SIGNS]


def ending(text: str) -> str:
    """Return the last word or run of one sign of ``text``, with the whitespace after it; else :data:`BLANK`."""
    match = _ENDING.search(text[-4 * MOST_SIGNS :])
    return BLANK if match is None else match[1][-MOST_SIGNS:] + match[3][-MOST_SIGNS:]


def most_frequent(values: Iterable[str], at_most: int) -> tuple[tuple[str, int], ...]:
    """Return the most frequent values with their counts, the most frequent first, equal ones in their order."""
    counts = Counter(values)
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:at_most])
