"""What the steps of one run have in common: made for the first step that needs it, and used again for the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalharness.runs.stamps import states_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
    from pathlib import Path

    from evalharness.diagnosis import Split, WholeTexts
    from evalharness.records import Problem
    from evalharness.sandbox import Calibration


@dataclass(slots=True)
class Shared:
    """Calibrations by what was calibrated, rows of data by how they are read, and what whole files of data say."""

    _calibrations: dict[Hashable, Calibration] = field(default_factory=dict)
    _texts: dict[Hashable, WholeTexts] = field(default_factory=dict)
    _splits: dict[tuple[Path, Hashable, str], Split] = field(default_factory=dict)

    def calibration(
        self, problems: Iterable[Problem], sandbox: Hashable, calibrate: Callable[[], Calibration]
    ) -> Calibration:
        """The limits of ``problems`` in a ``sandbox`` of one kind, measured now unless they are known."""
        key = (_named(problems), sandbox)
        if key not in self._calibrations:
            self._calibrations[key] = calibrate()
        return self._calibrations[key]

    def split(self, file: Path, reading: Hashable, read: Callable[[], Split]) -> Split:
        """The rows of a file, read and encoded now unless ``reading`` has done so and the file has not changed."""
        key = (file, reading, repr(states_of([file])))
        if key not in self._splits:
            self._splits = {kept: split for kept, split in self._splits.items() if kept[:2] != key[:2]}
            self._splits[key] = read()
        return self._splits[key]

    def whole_texts(
        self, split: Split, problems: Sequence[Problem], others: Mapping[int, list[str]] | None = None
    ) -> WholeTexts:
        """What all texts of a split say of ``problems`` and of drawn rows of another file.

        Read again if the file or what is looked for has changed, or if the file is not known.
        """
        from evalharness.diagnosis import read_whole

        states = {} if split.file is None else states_of([split.file])
        key = (repr(states), _named(problems), tuple((i, " ".join(words)) for i, words in (others or {}).items()))
        if not states or key not in self._texts:
            self._texts[key] = read_whole(split.texts(), problems, others)
        return self._texts[key]


def _named(problems: Iterable[Problem]) -> Hashable:
    """What tells problems from others of the same names."""
    return tuple((p.task_id, p.prompt, p.canonical_solution, p.test) for p in problems)
