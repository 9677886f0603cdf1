"""Lines in which the regular expressions under ``[log]`` find a step and losses, by the names of their groups.

Beside an expression a name may stand: the figure of that name in the same lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.errors import LogError
from evalharness.records import LossPoint
from evalharness.training_log.columns import LOSSES, number
from evalharness.training_log.line_figures import LineFigures
from evalharness.training_log.open_log import TORN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.training_log.open_log import OpenLog

FORM = "lines by [log]'s regular expressions"
PRIORITY = 99


def recognises(_head: Sequence[str]) -> bool:
    """Never by itself: only where the user gives a regular expression."""
    return False


def read(log: OpenLog) -> Iterator[LossPoint]:
    """Yield what the groups ``train`` and ``validation`` hold; without ``step`` a line has the step before it.

    A role that is told by a name has the figure of that name.

    A group that is no number is left out, with a note. Raises :class:`LogError` where a loss comes before any step.
    """
    patterns = log.keys.patterns()
    log.understood.update({(role, f"(?P<{role}>…)"): "told" for p in patterns for role in p.groupindex})
    names = {role: name for role, name in log.keys.named() if "(?P<" not in name}
    log.understood.update(dict.fromkeys(names.items(), "told"))
    known = LineFigures(log.keys.train)
    step: float | None = None
    for at, line in enumerate(log.lines(), 1):
        groups = {name: text for p in patterns if (match := p.search(line)) for name, text in match.groupdict().items()}
        if names:
            figures = known.of(line)
            groups |= {role: figures[name] for role, name in names.items() if name in figures}
        counted = number(groups.get("step"))
        step = step if counted is None else counted
        for split in LOSSES:
            text = groups.get(split)
            if text is None:
                continue
            if not line.endswith("\n") and line.endswith(text):
                log.note(TORN)
            elif (loss := number(text)) is None:
                log.note(f"line {at}: {text!r} is no number, [log] {split} finds it: left out")
            elif step is None:
                raise LogError(
                    f"{log.path}: line {at}: a loss and no step; set [log] step = '(?P<step>\\d+)' to find it"
                )
            else:
                yield LossPoint(int(step), split, loss, f"{log.name}:{at}")
