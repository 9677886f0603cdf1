"""What a log says of its run beside the losses: batch size, steps planned, warm-up, speed, duration, share trained."""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

MOST_BYTES = 4 * 2**20
"""Of a log so much is searched: arguments, warm-up and the highest learning rate stand early."""
BETWEEN = r"['\"]?\s*[:= ]\s*['\"]?"
NUMBER = r"(\d+\.?\d*(?:e[-+]?\d+)?)"
WHOLE = r"(\d{1,3}(?:,\d{3})+|\d+)(?![\d.])"


def _named(names: str, value: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z])(?:{names}){BETWEEN}{value}")


# All are sought in lower case.
RATE = re.compile(rf"\b(?:lr|learning[_ ]rate)\W{{1,4}}{NUMBER}")
"""``LR: 1.00e-04`` in a line, ``"lr": 0.0001`` in JSON."""
BATCHES = (
    _named(r"(?:global|effective|total)[_ ](?:train[_ ])?batch[_ ]size(?: \(.{0,60}\))?", WHOLE),
    _named(r"(?:train[_ ]|training[_ ])?batch[_ ]size", WHOLE),
    _named(r"per[_ ]device[_ ]train[_ ]batch[_ ]size", WHOLE),
)
"""The whole batch of a step before that of one device."""
COUNTED_TO = re.compile(rf"\b(?:step|iter(?:ation)?)\b\s*:?\s*\[?\d+\s*/\s*{WHOLE}")
"""``Step 50/20000``."""
PLANNED = (
    _named(r"(?:total|max|num)[_ ](?:train(?:ing)?[_ ])?(?:optimization[_ ])?(?:steps|iters|iterations)", WHOLE),
)
WARM_UP = (
    _named(r"(?:lr[_ ])?warm[-_ ]?up[_ ]?(?:steps|iters|iterations)?", WHOLE + "(?! ?%)"),
    re.compile(rf"warm[-_ ]?up (?:of |for |over )?{WHOLE} (?:steps|iters|iterations)"),
)
SPEED = (
    re.compile(rf"(?<![\w.]){NUMBER} (?:steps|it|iters)/s(?:ec)?\b"),
    _named(r"(?:train[_ ])?steps[_ ]per[_ ]sec(?:ond)?|it/sec|steps/sec", NUMBER),
)
RUN_TIME = _named(r"train[_ ]runtime", NUMBER)
TRAINED = re.compile(r"trainable params: ([\d,]+) \|\| all params: ([\d,]+)")
"""As PEFT prints it."""


@dataclass(frozen=True, slots=True)
class LoggedFacts:
    """What logs say in words; None where they don't. Learning rates as they come; times in seconds."""

    rates: tuple[float, ...] = ()
    batch_size: int | None = None
    planned_steps: int | None = None
    warm_up_steps: int | None = None
    steps_per_s: float | None = None
    run_time_s: float | None = None
    trained_share: float | None = None


def logged_facts(files: Iterable[Path]) -> LoggedFacts:
    """Search the beginnings of the logs of a run."""
    text = "\n".join(map(_beginning, files))
    trained = TRAINED.findall(text)
    speeds = next((matches for pattern in SPEED if (matches := pattern.findall(text))), [])
    times = RUN_TIME.findall(text)
    return LoggedFacts(
        rates=tuple(map(float, RATE.findall(text))),
        batch_size=_first(BATCHES, text),
        planned_steps=_planned(text),
        warm_up_steps=_first(WARM_UP, text),
        steps_per_s=statistics.median(map(float, speeds)) if speeds else None,
        run_time_s=float(times[-1]) if times else None,
        trained_share=_whole(trained[-1][0]) / _whole(trained[-1][1]) if trained else None,
    )


def _planned(text: str) -> int | None:
    """The most steps that any line counts to: a second stage goes on from the first, an evaluation has fewer."""
    ends = map(_whole, COUNTED_TO.findall(text))
    return max(ends, default=_first(PLANNED, text))


def _first(patterns: Sequence[re.Pattern[str]], text: str) -> int | None:
    match = next((match for pattern in patterns if (match := pattern.search(text))), None)
    return _whole(match[1]) if match else None


def _whole(text: str) -> int:
    return int(text.replace(",", ""))


def _beginning(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode("utf-8", "replace").lower()
    except OSError:
        return ""
