"""Definitions that come again: the same function, or one whose name grows or counts on, until the text is cut.

The bodies may differ, so neither equal lines nor counting ones show it. An answer repeats the prompt's function once
and may give the answer twice; of the real completions that were read, none with three definitions of one name
is a loop, and all with five are.
"""

from __future__ import annotations

import re
from itertools import pairwise

from evalharness.degeneration.ending import Ending

MIN_SAME = 4
"""Definitions of one name: the prompt's, the answer, and the answer twice again."""

MIN_GROWN = 4
"""Names each of which is the one before with something added: ``unique``, ``unique_with_order``, and so on."""

MIN_COUNTED = 6
"""Names that count by one (``solve_1``, ``solve_2``): as many as branches that count (see ``ending``). Names of tests
count in sound code."""

_DEFINITION = re.compile(r"^(?P<decorator>@.*\n)?(?:async def|def|class) (?P<name>\w+)", re.MULTILINE)
_NUMBERED = re.compile(r"(.*?)(\d+)")
_TEST = "test"
_FENCE = "```"


def find_redefined(text: str) -> Ending | None:
    """Return the tail of ``text`` that defines one thing again and again, or None.

    Only definitions that are not indented count. One that a fence closes is another version in a chat answer.
    """
    defined = list(_DEFINITION.finditer(text))
    names = [match["name"] for match in defined]
    first = _first_of_tail(names, torn=not text.endswith("\n"))
    if first is None or any(match["decorator"] for match in defined[first:]):
        return None
    starts = [match.start() for match in defined[first:]]
    longest = max(later - earlier for earlier, later in pairwise(starts))
    last = text[starts[-1] :]
    if len(last) > 2 * longest or _FENCE in last:
        return None
    return Ending(starts[0], len(text.rstrip()), text[starts[0] : starts[1]], len(starts), True, 1.0)


def _first_of_tail(names: list[str], *, torn: bool) -> int | None:
    """The first of the definitions at the end that are one thing again and again, if there are enough.

    Functions that count are a whole program if the last of them is whole.
    """
    for least, goes_on in ((MIN_SAME, str.__eq__), (MIN_GROWN + 1, _grows), (MIN_COUNTED, _counts))[: 2 + torn]:
        first = len(names) - 1
        while first > 0 and goes_on(names[first - 1], names[first]):
            first -= 1
        if len(names) - first >= least:
            return first
    return None


def _grows(earlier: str, later: str) -> bool:
    """Whether a name is the one before, or longer: a prompt's name is repeated before it grows."""
    return later.startswith(earlier)


def _counts(earlier: str, later: str) -> bool:
    """Whether a name is the one before with the next number."""
    before, after = _NUMBERED.fullmatch(earlier), _NUMBERED.fullmatch(later)
    if before is None or after is None or earlier.startswith(_TEST):
        return False
    return before[1] == after[1] and int(after[2][-18:]) == int(before[2][-18:]) + 1
