r"""Loops that a short limit cut: too short for the rule by length, and all that was written, or blank.

Thirty-two newlines at a limit of 32 tokens are the newline loop, a dozen copies of ``):`` and nothing else are one, and
so are a dozen line ends after one line of code. A dozen commas after sound code need not be one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.degeneration.loops import Repetition, find_loops

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_COPIES = 10
"""Copies of what is all that was written. Three or four equal signs are common in code; a dozen are not."""

NEARLY_ALL = 0.90
"""Share of the text that those copies cover: a word may stand before them."""

MIN_LINE_ENDS = 10
"""Line ends at the end of a text that was cut: sound completions of 17 models end in up to six, loops in eleven."""

MIN_BLANKS = 32
"""Blanks and nothing else, without a line end: fewer are the indentation of something that was not written."""

LONGEST = 512
"""Characters of a text that is searched for copies: in a longer one the rule by length finds them."""


def find_short(text: str) -> Repetition | None:
    """Return the characters of the short loop at the end of ``text``, or None."""
    written = len(text.rstrip())
    line_ends = text.count("\n", written)
    if line_ends >= MIN_LINE_ENDS or (not written and not line_ends and len(text) >= MIN_BLANKS):
        return _blank(text, written)
    if not written or len(text) > LONGEST:
        return None
    runs = find_loops(text, min_length=MIN_COPIES, min_copies=MIN_COPIES)
    reaching = [run for run in runs if run.end >= written and run.length >= NEARLY_ALL * len(text)]
    return max(reaching, key=lambda run: run.length, default=None)


def _blank(text: str, written: int) -> Repetition:
    """The blank end of a text as a loop: its period is that of most of it, or one line."""
    blank = text[written:]
    runs = find_loops(blank, min_length=2, min_copies=4)
    if runs:
        longest = max(runs, key=lambda run: run.length)
        return Repetition(longest.period, written + longest.onset, longest.length)
    return Repetition(max(1, len(blank) // max(1, blank.count("\n"))), written, len(blank))


def in_tokens(token_ids: Sequence[int], share: float) -> Repetition | None:
    """Return the run of equal tokens, or of few in turn, that ends ``token_ids`` and covers about ``share`` of them."""
    runs = find_loops(token_ids, min_length=4, min_copies=4)
    reaching = [run for run in runs if run.end == len(token_ids)]
    best = max(reaching, key=lambda run: run.length, default=None)
    return best if best is not None and best.length >= share * len(token_ids) / 2 else None
