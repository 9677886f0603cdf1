# ruff: noqa: E501 - the sentences of the result read best whole
"""Both kinds of error with each threshold at several values: where it comes from, seen."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from judging import Asked, evidence_against, in_use, missed_under, with_errors
from tables import table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor

    from planted import Plant

VALUES: dict[str, tuple[float, ...]] = {
    "loop_criteria.MIN_COPIES": (3, 4, 6),
    "loop_criteria.MIN_TOKENS": (24, 48, 96),
    "loop_criteria.MIN_CHARACTERS": (75, 150, 300),
    "loop_criteria.MIN_SHARE_ENDED": (0.1, 0.2, 0.4),
    "loop_criteria.DOMINANT_SHARE": (0.25, 0.5, 0.75),
    "loop_criteria.MIN_WHOLE": (0.4, 0.6, 0.8),
    "loop_criteria.OF_TOKENS.rate": (0.03, 0.07, 0.15),
    "interrupted.MIN_COPIES": (3, 5, 7),
    "interrupted.MAX_VARYING": (0.2, 0.4, 0.6),
    "interrupted.FEW_STRANGE": (0.0, 0.04, 0.08),
    "near.MIN_LINES": (4, 8, 12),
    "near.STEADY": (0.5, 0.8, 0.95),
    "near.FEW_NAMES": (0.2, 0.34, 0.6),
}
SWEPT = 240
"""Most functions, and most plants, that each value is tried on."""


@dataclass(frozen=True, slots=True)
class Swept:
    """Errors with one threshold at one value, the others as they are: by text, on the half that thresholds were set on.

    ``cut`` functions are as at a limit, those ``with_errors`` do not parse.
    """

    threshold: str
    value: float
    in_use: bool
    cut: int
    of_cut: int
    with_errors: int
    of_with_errors: int
    missed: int
    planted: int


def swept(pool: Executor, functions: Sequence[str], planted: Sequence[Plant], cut: int, size: int) -> list[Swept]:
    """Every threshold at each of its ``VALUES``, on ``size`` of the functions and of the plants at most."""
    draw = random.Random(0)
    long = [text[:cut] for text in functions if len(text) > cut]
    torn = [Asked(text, "max_new_tokens") for text in draw.sample(long, min(len(long), size))]
    some = draw.sample(list(functions), min(len(functions), size))
    wrong = [Asked(with_errors(text, len(text))) for text in some]
    loops = draw.sample(list(planted), min(len(planted), size))
    rows = []
    for name, values in VALUES.items():
        for value in values:
            under = ((name, value),)
            counts = [
                sum(map(bool, pool.map(evidence_against, [_under(a, under) for a in group], chunksize=32)))
                for group in (torn, wrong)
            ]
            missed = sum(pool.map(missed_under, loops, [under] * len(loops), chunksize=16))
            used = value == in_use(name)
            rows.append(Swept(name, value, used, counts[0], len(torn), counts[1], len(wrong), missed, len(loops)))
    return rows


def _under(asked: Asked, thresholds: tuple[tuple[str, float], ...]) -> Asked:
    return Asked(asked.text, asked.stop_reason, asked.by_tokens, thresholds)


def origin_table(rows: Sequence[Swept]) -> str:
    """The trade-off between the two kinds of error, a threshold a line."""
    by_name: dict[str, list[Swept]] = {}
    for row in rows:
        by_name.setdefault(row.threshold, []).append(row)
    first = rows[0]
    return (
        "## Where the thresholds come from\n\nEach threshold at several values, the others as they are; ← is the one in use. At each: "
        f"false positives among {first.of_cut} functions that are cut, among {first.of_with_errors} with errors, and misses among "
        f"{first.planted} planted loops, all by text and functions from the half that thresholds were set on. Where nothing changes "
        "from one value to the next, neither kind of error sets the threshold; its origin stands beside it in the code.\n\n"
        + table(
            ["threshold", *["cut / with errors / missed"] * 3],
            [
                [
                    f"`{name}`",
                    *(
                        f"{row.value:g}: {row.cut} / {row.with_errors} / {row.missed}" + (" ←" if row.in_use else "")
                        for row in members
                    ),
                ]
                for name, members in by_name.items()
            ],
        )
    )
