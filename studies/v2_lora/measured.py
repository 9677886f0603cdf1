"""What was measured of every series, read from its records, and the differences that the claims are decided by."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from evalharness.records import Interval
from evalharness.statistics import share_interval
from evalharness.statistics.discordance import paired_loss_difference

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from evalharness.runs.frames import RunFrames

Rows = Literal["base", "tuning"]
"""Validation rows: those of the base (library functions), and those of the tuning."""


SETS = ("warmup", "humaneval")


@dataclass(frozen=True, slots=True)
class Point:
    """One scored checkpoint: losses in nats per token, shares of sampled completions, pass@1 by problem set.

    ``newlines`` are the completions that are a loop of newlines, which is what the write-up saw.
    """

    step: int
    cause: str | None
    logged: float
    honest: Interval
    newlines: Interval
    degenerate: Interval
    passes: tuple[Interval, ...]


def point(row: pd.Series, completions: pd.DataFrame) -> Point:
    """A checkpoint from its row and its sampled completions."""

    def measured(name: str) -> Interval:
        return Interval(*(float(row[f"{name}{end}"]) for end in ("", "_low", "_high")))

    return Point(
        step=int(row["step"]),
        cause=row["cause"] if isinstance(row["cause"], str) else None,
        logged=float(row["logged_nats"]),
        honest=measured("honest_nats"),
        newlines=share_that_are("newline", completions),
        degenerate=measured("degenerate_sampled"),
        passes=tuple(measured(f"{name}_sampled_pass_at_1") for name in SETS),
    )


def share_that_are(kind: str, completions: pd.DataFrame) -> Interval:
    flags = defaultdict(list)
    for _, row in completions.iterrows():
        flags[f"{row['problems']} {row['task_id']}"].append(row["kind"] == kind)
    return share_interval(flags)


@dataclass(frozen=True, slots=True)
class RowLosses:
    """The losses of one checkpoint, row by row: mean nats per token, and the number of targets. Shape ``(rows,)``."""

    nats: np.ndarray
    targets: np.ndarray

    @property
    def mean(self) -> float:
        return float((self.nats * self.targets).sum() / self.targets.sum())


def change(first: RowLosses, second: RowLosses) -> Interval:
    """The second loss less the first (nats per token), paired by row, with its 95 % interval."""
    return paired_loss_difference(first.nats, second.nats, first.targets)


@dataclass(frozen=True, slots=True)
class Tuning:
    """The losses of a tuning as its training measured them, by step and rows; step 0 is the base."""

    losses: dict[tuple[int, Rows], RowLosses]

    @property
    def last(self) -> int:
        return self.steps[-1]

    @property
    def steps(self) -> list[int]:
        return sorted({step for step, _ in self.losses})

    def change(self, rows: Rows, since: int = 0) -> Interval:
        """What the tuning changed, from a step to its end."""
        return change(self.losses[since, rows], self.losses[self.last, rows])

    @property
    def best(self) -> int:
        """The step with the lowest loss on the tuning's validation rows."""
        return min(self.steps, key=lambda step: self.losses[step, "tuning"].mean)

    def ends(self, rows: Rows) -> tuple[float, float]:
        """The mean loss before the tuning and after it."""
        return self.losses[0, rows].mean, self.losses[self.last, rows].mean


def read_tuning(path: Path) -> Tuning:
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    arrays = {(line["step"], line["rows"]): (np.array(line["nats"]), np.array(line["targets"])) for line in lines}
    return Tuning({key: RowLosses(*pair) for key, pair in arrays.items()})


@dataclass(frozen=True, slots=True)
class Original:
    """What the write-up's own files show: the end of the base's log, its floor, and what an earlier base wrote."""

    logged: float
    floor: float
    smoothing: float
    completions: int
    degenerate: Interval
    rows: int
    ends_in_newline: int


@dataclass(frozen=True, slots=True)
class Study:
    """The records of every series, by its name."""

    runs: dict[str, RunFrames]
    tunings: dict[str, Tuning]
    original: Original

    def steps(self, name: str) -> list[int]:
        return sorted(self.runs[name].checkpoints["step"])

    def at(self, name: str, step: int) -> Point:
        scored, written = self.runs[name].checkpoints, self.runs[name].completions
        sampled = written[(written["step"] == step) & (written["decoding"] == "sampled")]
        return point(scored[scored["step"] == step].iloc[0], sampled)

    def last(self, name: str) -> Point:
        return self.at(name, self.steps(name)[-1])

    def rows(self, name: str, step: int) -> RowLosses:
        """The loss of each validation row under the series' own attention; with a mask that is the honest one."""
        rows = self.runs[name].row_losses
        own = rows[rows["step"] == step].sort_values("row")
        return RowLosses(own["parallel_nats"].to_numpy(float), own["targets"].to_numpy(float))

    def shares_of_fall(self, name: str) -> dict[str, Interval]:
        """The share of a tuning's fall of the loss that each class of tokens has; empty if the loss did not fall."""
        run = self.runs[name]
        by_class = run.scorecards[run.last_step].loss.by_class
        return {part.name: part.share_of_fall for part in by_class if part.share_of_fall is not None}
