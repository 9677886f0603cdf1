"""Whether a log names a path, as training prints its settings and where it saves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalharness.training_log.discovery import SEARCHED_BYTES

if TYPE_CHECKING:
    from pathlib import Path

_ENDS = r"(?![\w-]|\.\w)"


def names_path(log: Path, path: Path) -> bool:
    """Whether the beginning or the end of a log has a relative path, whole.

    A lone name without a digit or a sign may be a word: it counts in quotes, or as a part of a path.
    """
    name = re.escape(path.as_posix())
    pattern = rf"(?<![\w.-]){name}{_ENDS}"
    if path.as_posix().isalpha():
        pattern = rf"/{name}{_ENDS}|(?<![\w.-]){name}/|(['\"]){name}\1"
    return re.search(pattern, _ends_of(log)) is not None


def _ends_of(log: Path) -> str:
    with log.open("rb") as file:
        beginning = file.read(SEARCHED_BYTES)
        file.seek(max(len(beginning), log.stat().st_size - SEARCHED_BYTES))
        return (beginning + file.read()).decode("utf-8", "replace")
