"""What the steps of one run have in common: made for the first step that needs it, and used again for the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalharness.runs.stamps import states_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from evalharness.diagnosis import Split, WholeTexts
    from evalharness.records import Problem
    from evalharness.sandbox import Calibration


@dataclass(slots=True)
class Shared:
    """Calibrations by what was calibrated, and what whole files of data say, by file and problems."""

    _calibrations: dict[Hashable, Calibration] = field(default_factory=dict)
    _texts: dict[Hashable, WholeTexts] = field(default_factory=dict)

    def calibration(
        self, problems: Iterable[Problem], sandbox: Hashable, calibrate: Callable[[], Calibration]
    ) -> Calibration:
        """The limits of ``problems`` in a ``sandbox`` of one kind, measured now unless they are known."""
        key = (_named(problems), sandbox)
        if key not in self._calibrations:
            self._calibrations[key] = calibrate()
        return self._calibrations[key]

    def whole_texts(self, split: Split, problems: Sequence[Problem]) -> WholeTexts:
        """What all texts of a split say of ``problems``; read again if the file has changed, or is not known."""
        from evalharness.diagnosis import read_whole

        states = {} if split.file is None else states_of([split.file])
        key = (repr(states), _named(problems))
        if not states or key not in self._texts:
            self._texts[key] = read_whole(split.texts(), problems)
        return self._texts[key]


def _named(problems: Iterable[Problem]) -> Hashable:
    """What tells problems from others of the same names."""
    return tuple((p.task_id, p.prompt, p.canonical_solution, p.test) for p in problems)
