"""What a tracker is given of one score: a number for each figure, and the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.runs import paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from evalharness.records import Interval, Scorecard

STEP = "evalharness/step"


@dataclass(frozen=True, slots=True)
class Shown:
    """One score. ``figures`` are shares of 1 and nats per token by their names; ``page`` is None where none was made.

    ``step`` is None for a checkpoint of which none is known. ``folder`` is the score's own.
    """

    step: int | None
    figures: Mapping[str, float]
    folder: Path
    page: Path | None

    @property
    def place(self) -> str:
        """Where files of this step go: ``evalharness/step_500``."""
        return "evalharness" if self.step is None else f"evalharness/step_{self.step}"


def shown(card: Scorecard, folder: Path) -> Shown:
    """What is shown of a scorecard whose files lie in ``folder``."""
    page = folder / paths.REPORT_PAGE
    return Shown(card.checkpoint.step, figures(card), folder, page if page.is_file() else None)


def figures(card: Scorecard) -> dict[str, float]:
    """The figures of a scorecard as a flat mapping: shares of 1, nats per token, and the step that they are of.

    Each pass@k and the honest loss have the bounds of their 95 % intervals beside them, as ``…_low`` and ``…_high``.
    """
    values: dict[str, float] = {}
    if card.checkpoint.step is not None:
        values[STEP] = card.checkpoint.step
    for name, by_decoding in card.pass_at_k.items():
        for decoding, by_k in by_decoding.items():
            for k, share in by_k.items():
                values |= _with_bounds(f"{name}_{decoding}_pass@{k}", share)
    values |= {f"evalharness/degenerate_{decoding}": rate.rate for decoding, rate in card.degeneration.items()}
    if card.loss.honest_nats is not None:
        values |= _with_bounds("honest_loss", card.loss.honest_nats)
    values["evalharness/causes"] = len(card.causes)
    return values


def _with_bounds(name: str, interval: Interval) -> Iterator[tuple[str, float]]:
    yield f"evalharness/{name}", interval.estimate
    yield f"evalharness/{name}_low", interval.low
    yield f"evalharness/{name}_high", interval.high
