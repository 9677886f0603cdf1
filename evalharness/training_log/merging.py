"""Several stretches of one run, each begun by a restart, as one."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter, lt
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.records import EntropyPoint, LossPoint, Split

Point = TypeVar("Point", "LossPoint", "EntropyPoint")
"""Whatever is logged of a split at a step."""
_PLACE = attrgetter("step", "split")


@dataclass(slots=True)
class _Stretch(Generic[Point]):
    """What was logged without the steps going backwards. ``last`` is the last step of each split."""

    first: int
    points: list[Point] = field(default_factory=list)
    last: dict[Split, int] = field(default_factory=dict)

    def add(self, point: Point) -> None:
        self.first = min(self.first, point.step)
        self.points.append(point)
        self.last[point.split] = max(point.step, self.last.get(point.split, point.step))


def merge(logs: Sequence[Sequence[Point]]) -> tuple[list[Point], list[str]]:
    """Return the losses, or entropies, of all logs by step, one a step and split, and notes on what was resolved.

    Where the steps of training go backwards, and where a file begins, a stretch begins: a restart. It repeats the steps
    from its first to its last of each split, and what earlier stretches have there is left out; what they have beyond
    is kept, for the checkpoints of those steps are still theirs. Files count in the order of their times where all have
    some, else in the order that they are given in.
    """
    notes: list[str] = []
    if len(logs) == 1 and _is_in_order(logs[0]):
        return list(logs[0]), notes
    stretches = [stretch for log in _in_order(logs) for stretch in _stretches(log, notes)]
    chosen: dict[tuple[int, Split], Point] = {}
    repeated: dict[Split, list[tuple[int, int]]] = {"train": [], "validation": []}
    left_out, beyond, earliest = 0, list[int](), None
    for stretch in reversed(stretches):
        own: dict[tuple[int, Split], Point] = {}
        for point in stretch.points:
            if any(low <= point.step <= high for low, high in repeated[point.split]):
                left_out += 1
            else:
                own[point.step, point.split] = point
        if earliest is not None:
            beyond += [step for step, split in own if repeated[split] and step > earliest]
        chosen |= own
        earliest = stretch.first if earliest is None else min(earliest, stretch.first)
        for split, last in stretch.last.items():
            repeated[split] = _with_range(repeated[split], stretch.first, last)
    if left_out:
        notes.append(f"{left_out:,} losses were logged again after a restart: the later ones count")
    if beyond:
        notes.append(
            f"steps {min(beyond):,} to {max(beyond):,} have losses from before a restart that did not repeat them"
        )
    return sorted(chosen.values(), key=_PLACE), notes


def _is_in_order(log: Sequence[Point]) -> bool:
    """Whether each loss comes after the one before it: nothing is to be resolved, nor a million losses looked up."""
    places = list(map(_PLACE, log))
    return all(map(lt, places, places[1:]))


def _in_order(logs: Sequence[Sequence[Point]]) -> Sequence[Sequence[Point]]:
    begun = [next((point.time_s for point in log if point.time_s is not None), None) for log in logs]
    times = [time for time in begun if time is not None]
    if len(times) < len(logs):
        return logs
    return [log for _, log in sorted(zip(times, logs, strict=True), key=lambda pair: pair[0])]


def _stretches(log: Sequence[Point], notes: list[str]) -> Iterator[_Stretch[Point]]:
    if not log:
        return
    stretch, backwards = _Stretch[Point](log[0].step), list[str]()
    trained = any(point.split == "train" for point in log)
    for point in log:
        last = stretch.last.get(point.split)
        # A validation of an earlier checkpoint is no restart; in a file of validations nothing else tells of one.
        if last is not None and point.step < last and (point.split == "train" or not trained):
            backwards.append(f"from {last:,} to {point.step:,} at {point.source}")
            yield stretch
            stretch = _Stretch[Point](point.step)
        stretch.add(point)
    if backwards:
        times = "once" if len(backwards) == 1 else f"{len(backwards):,} times, first"
        notes.append(f"steps go backwards {times} {backwards[0]}: taken as a restart")
    yield stretch


def _with_range(ranges: list[tuple[int, int]], low: int, high: int) -> list[tuple[int, int]]:
    """The ranges and one more, joined where they overlap, so that they stay few."""
    apart = [(a, b) for a, b in ranges if b < low or high < a]
    joined = [(a, b) for a, b in ranges if not (b < low or high < a)]
    return [*apart, (min([low, *(a for a, _ in joined)]), max([high, *(b for _, b in joined)]))]
