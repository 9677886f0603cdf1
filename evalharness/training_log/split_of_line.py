"""Which split a printed line is of, if its losses don't say it: ``[EVAL] Step 2000 | Loss``, ``validate step: 10``."""

from __future__ import annotations

import re
from typing import Literal

SplitOfLine = Literal["validation", "test"]

WORDS_OF_SPLITS = ("val", "dev", "test")
"""One of these is in every line that names a split."""
_VALIDATION = r"(?:val|valid|validation|validate|validating|eval|evaluation|evaluate|evaluating|dev)"
_TEST = r"(?:test|testing)"
_BEGIN = r"(?:^|\||\[)\W*"
"""A cell or a bracket begins, or the line."""
_AFTER_A_LOGGER = r"(?:\]| -|:) \W*"
_NO_SETTING = r"\b(?!\.\w| (?:steps|every)\b| step\b(?!\W*\d))"
"""``eval steps: 100`` tells how often, and ``[eval.py:31]`` which file logs."""
_OF_A_PLACE = (
    r"(?: (?:results?|metrics|set|summary|phase|pass))?\b"
    r"(?=\s*[:|\])@-](?!\w)|\W*(?:step|iter|iteration|epoch|loss|\d))"
)
_ON_TEST = r"\bon (?:the )?test\b"
_OF_VALIDATION = re.compile(rf"{_BEGIN}{_VALIDATION}{_NO_SETTING}|{_AFTER_A_LOGGER}{_VALIDATION}{_OF_A_PLACE}")
_OF_TEST = re.compile(rf"(?:{_BEGIN}|{_AFTER_A_LOGGER}){_TEST}{_OF_A_PLACE}|{_ON_TEST}")
VALIDATION_BAR = re.compile(rf"\b{_VALIDATION}\b[^|]*?\d%\|")
TEST_BAR = re.compile(rf"\b{_TEST}\b[^|]*?\d%\|")
"""Progress bars of tqdm, of a validation and of a test."""


def split_of_line(before: str) -> SplitOfLine | None:
    """The split that the text before a loss names, in lower case; None for training, or where nothing says it."""
    if "test" in before and _OF_TEST.search(before):
        return "test"
    is_validation = ("val" in before or "dev" in before) and (
        _OF_VALIDATION.search(before) or VALIDATION_BAR.search(before)
    )
    return "validation" if is_validation else None
