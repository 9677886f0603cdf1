"""Counts with exact intervals, and tables of them in Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scipy.stats import beta

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Count:
    """How many of how many."""

    hits: int
    of: int

    @property
    def upper(self) -> float:
        """The exact one-sided 95 % upper bound of the share (Clopper and Pearson 1934)."""
        return 1.0 if self.hits >= self.of else float(beta.ppf(0.95, self.hits + 1, self.of - self.hits))

    @property
    def interval(self) -> tuple[float, float]:
        """The exact two-sided 95 % interval of the share (Clopper and Pearson 1934)."""
        low = 0.0 if not self.hits else float(beta.ppf(0.025, self.hits, self.of - self.hits + 1))
        high = 1.0 if self.hits >= self.of else float(beta.ppf(0.975, self.hits + 1, self.of - self.hits))
        return low, high

    def percent(self) -> str:
        """The share in percent."""
        return f"{100 * self.hits / self.of:.2f} %" if self.of else "–"

    def with_interval(self) -> str:
        """The share in percent and its interval."""
        low, high = self.interval
        return f"{self.percent()} [{100 * low:.1f}, {100 * high:.1f}]" if self.of else "–"

    def as_json(self) -> dict[str, Any]:
        """Everything that the tables say of it, as shares."""
        low, high = self.interval
        return {"hits": self.hits, "of": self.of, "low": low, "high": high, "upper": self.upper}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The rows as a table in Markdown."""
    return "\n".join(
        ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *("| " + " | ".join(r) + " |" for r in rows)]
    )
