"""Three things people use now to tell that a completion loops, each with the threshold that it is used with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalharness.degeneration.ratios import compression

if TYPE_CHECKING:
    from collections.abc import Callable

HUMAN_SEQ_REP_4 = 0.0192  # a public project's threshold: the 95th percentile of human text
USUAL_SEQ_REP_4 = 0.5
WHISPER_COMPRESSION = 2.4
PATTERNS = re.compile(
    r"(?:\breturn\s+){3,}|\n{10,}|(?:\):){4,}|[ \t]{200,}|(?:\bself\b[.,\s]*){8,}|(.)\1{60,}|(?:pass\s+){4,}"
    r"|(?:0[,\s]*){40,}"
)


def repeated_4_grams(text: str) -> float:
    """seq-rep-4 on words parted by whitespace, as it is mostly computed."""
    words = text.split()
    grams = [tuple(words[i : i + 4]) for i in range(len(words) - 3)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


RIVALS: dict[str, Callable[[str], bool]] = {
    f"seq-rep-4 of words above {USUAL_SEQ_REP_4}": lambda text: repeated_4_grams(text) > USUAL_SEQ_REP_4,
    f"seq-rep-4 of words above {HUMAN_SEQ_REP_4}": lambda text: repeated_4_grams(text) > HUMAN_SEQ_REP_4,
    f"zlib ratio above {WHISPER_COMPRESSION}": lambda text: compression(text) > WHISPER_COMPRESSION,
    "a list of patterns": lambda text: PATTERNS.search(text) is not None,
}

SCORES: dict[str, Callable[[str], float]] = {
    "seq-rep-4 of words, threshold at 0.1 % false positives": repeated_4_grams,
    "zlib ratio, threshold at 0.1 % false positives": compression,
}
