"""What the error of a log that can't be read says of it: the figures of its lines, and the settings that name them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from evalharness.training_log import tables
from evalharness.training_log.columns import is_of_rewards
from evalharness.training_log.line_figures import OF_A_TOTAL, LineFigures
from evalharness.training_log.open_log import OpenLog
from evalharness.training_log.printed_lines import printed_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SEEN_LINES = 1_000
EXAMPLES = 2
MOST_NAMES = 8


def how_to_name_them(path: Path) -> str:
    """The keys of ``[log]`` that help, with the names of figures that come again and again in the file."""
    figures = _figures(path)
    if reward := next(filter(is_of_rewards, figures), None):
        return f"losses beside {reward!r} are not read: they are of a policy or of preferences, not of the tokens"
    shown = ", ".join(f"{name!r} ({', '.join(values)})" for name, values in [*figures.items()][:MOST_NAMES])
    beginning = f"its lines have {shown}; " if shown else ""
    return (
        f"{beginning}set [log] step, train and validation to what it calls them, or to regular expressions "
        "with the groups (?P<step>…), (?P<train>…) and (?P<validation>…)"
    )


def _figures(path: Path) -> Mapping[str, Sequence[str]]:
    """Names of figures that stand in more than one line, or of columns, each with its first values."""
    if tables.recognises(OpenLog(path).head()):
        return {name: values[:EXAMPLES] for name, values in tables.first_values(OpenLog(path)).items() if name}
    known = LineFigures()
    values: dict[str, list[str]] = {}
    for _, line in itertools.islice(printed_lines(OpenLog(path)), SEEN_LINES):
        if "\0" in line:  # of no text
            return {}
        for name, text in known.of(line).items():
            if not name.startswith(OF_A_TOTAL):
                values.setdefault(name, []).append(text)
    return {name: texts[:EXAMPLES] for name, texts in values.items() if len(texts) >= EXAMPLES}
