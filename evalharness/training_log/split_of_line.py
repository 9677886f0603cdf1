"""Which split a printed line is of, if its losses don't say it: ``[EVAL] Step 2000 | Loss``, ``validate step: 10``."""

from __future__ import annotations

import re
from typing import Literal

SplitOfLine = Literal["validation", "test"]

_RESULTS_OF_ESTIMATOR = "saving dict for global step"
"""What TensorFlow's estimators write before the results of an evaluation, which no other word names."""
WORDS_OF_SPLITS = ("val", "dev", "test", _RESULTS_OF_ESTIMATOR)
"""One of these is in every line that names a split."""
_VALIDATION = r"(?:val|valid|validation|validate|validating|eval|evaluation|evaluate|evaluating|dev)"
_TEST = r"(?:test|testing)"
_BEGIN = r"(?:^|\||\[)\W*"
"""A cell or a bracket begins, or the line."""
_AFTER_A_LOGGER = r"(?:\]| -|:) \W*"
_NO_SETTING = r"\b(?!\.\w| (?:steps|every)\b| step\b(?!\W*\d))"
"""``eval steps: 100`` tells how often, and ``[eval.py:31]`` which file logs."""
_OF_A_PLACE = (
    r"(?: (?:results?|metrics|set|summary|phase|pass|net output))?\b(?: \([^()]*\))?(?: (?:at|after|for|in)\b)?"
    r"(?=\s*[:|\])@-](?!\w)|\W*(?:step|iter|iteration|epoch|loss|\d))"
)
_OPENS_A_LIST = rf"[,;] *{_VALIDATION} *: *[^\d,;|]*$"
"""``epoch 1, validation: loss=``: it stands right before the first figure."""
_IN_PARENTHESES = rf"\({_VALIDATION}\)"
_OPENS_A_BRACKET = rf"\b{_VALIDATION}\b['\"]?\s*[:=]?\s*[({{\[][^(){{}}\[\]]*$"
"""``val: {loss``, ``val(acc=0.3, loss``: the loss stands in the bracket."""
_ON_TEST = r"\bon (?:the )?test\b"
_IN_BRACKET_OF_VALIDATION = re.compile(_OPENS_A_BRACKET)
_OF_VALIDATION = re.compile(
    rf"{_BEGIN}{_VALIDATION}{_NO_SETTING}|{_AFTER_A_LOGGER}{_VALIDATION}{_OF_A_PLACE}|{_IN_PARENTHESES}|{_OPENS_A_BRACKET}"
    rf"|{_OPENS_A_LIST}|{_RESULTS_OF_ESTIMATOR}"
)
_OF_TEST = re.compile(rf"(?:{_BEGIN}|{_AFTER_A_LOGGER}){_TEST}{_OF_A_PLACE}|{_ON_TEST}")
_KEY = r"\b(?:split|phase|mode|subset|stage|collection)\b\W{1,4}"
"""What a loop calls the split of a line: ``split=val``, ``'phase': 'eval'``, ``collection=eval/mix``."""
_VALIDATION_BY_KEY = re.compile(rf"{_KEY}{_VALIDATION}\b")
_TEST_BY_KEY = re.compile(rf"{_KEY}{_TEST}\b")
VALIDATION_BAR = re.compile(rf"\b{_VALIDATION}\b[^|]*?\d%\|")
TEST_BAR = re.compile(rf"\b{_TEST}\b[^|]*?\d%\|")
"""Progress bars of tqdm, of a validation and of a test."""


def is_in_bracket_of_validation(before: str) -> bool:
    """Whether what follows a text in lower case stands in a bracket of a validation, whatever stood before that."""
    return _IN_BRACKET_OF_VALIDATION.search(before) is not None


def split_of_line(line: str, end: int) -> SplitOfLine | None:
    """The split that a line in lower case names before ``end``, where a loss stands, or anywhere by a key.

    None for training, or where nothing says it.
    """
    before = line[:end]
    if "test" in line and (_OF_TEST.search(before) or _TEST_BY_KEY.search(line)):
        return "test"
    if _VALIDATION_BY_KEY.search(line):
        return "validation"
    is_validation = any(word in before for word in WORDS_OF_SPLITS) and (
        _OF_VALIDATION.search(before) or VALIDATION_BAR.search(before)
    )
    return "validation" if is_validation else None
