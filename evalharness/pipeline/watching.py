"""Scoring each checkpoint as training writes it, and never one that is half written."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from evalharness.errors import CheckpointError
from evalharness.pipeline.series import Choice, RunResult, StepEnd, run_series, steps_of
from evalharness.pipeline.shared import Shared
from evalharness.progress import SayingOnce, Silent, Watcher
from evalharness.runs.stamps import states_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from evalharness.settings.manifest import Manifest

POLL_S = 2.0
REPORT_SHARE = 0.05
"""At most this share of the time goes into reports."""
SETTLE_S = 10.0
"""A checkpoint counts as written once none of its files has changed for so long: a loop that writes one writes on."""


class PacedReports:
    """Reports that take :data:`REPORT_SHARE` of the time at most, so that what a watch costs grows with its steps.

    A report is about all steps, and takes the longer the more there are; written after each, it would soon take longer
    than the scores.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: Callable[[], Path] | None = None
        self._next = clock()

    def pace(self, write: Callable[[], Path]) -> Path | None:
        """Write a report now, or keep it for :meth:`catch_up` if it is too early."""
        self._waiting = write
        return self.catch_up()

    def catch_up(self, *, at_once: bool = False) -> Path | None:
        """Write the report that waits, if there is one and it is time for it."""
        if self._waiting is None or (self._clock() < self._next and not at_once):
            return None
        write, self._waiting, begun = self._waiting, None, self._clock()
        report = write()
        self._next = self._clock() + (self._clock() - begun) / REPORT_SHARE
        return report


def watch(
    folder: Path,
    asked: Mapping[str, Any],
    watcher: Watcher | None = None,
    *,
    settle_s: float = SETTLE_S,
    idle_s: float | None = None,
    ended: Callable[[StepEnd], object] = lambda _: None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[RunResult]:
    """Yield a result whenever steps of a series were scored that were not before, those that failed among them.

    What was scored in an earlier watch or run and still holds is not scored again. Ends when nothing was written for
    ``idle_s`` seconds, never where that is None. One that can't be loaded is tried again once its files change.
    ``ended`` is called with each step as it ends. Raises :class:`EvalHarnessError` where the folder is none.
    """
    from evalharness.settings.manifest import find_manifest

    if folder.is_file():
        raise CheckpointError(f"{folder}: is a file; watch takes the folder that training writes checkpoints to")
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder; watch takes the one that training writes checkpoints to")
    watcher = SayingOnce(watcher or Silent())
    until = "until Ctrl-C" if idle_s is None else f"until nothing new comes for {idle_s:g} s"
    watcher.say(f"watching {folder} {until}; what does not change for {settle_s:g} s is taken as written")
    manifest, done = find_manifest(folder), dict[int, object]()
    last_news, reports, shared = clock(), PacedReports(clock), Shared()
    try:
        while idle_s is None or clock() - last_news < idle_s:
            states = _settled(folder, manifest, clock() - settle_s)
            new = [step for step, state in states.items() if done.get(step) != state]
            if new:
                done |= {step: states[step] for step in new}
                yield run_series(
                    folder, asked, Choice(steps=tuple(new)), watcher, shared=shared, pace=reports.pace, ended=ended
                )
                last_news = clock()
            else:
                reports.catch_up()
                sleep(min(POLL_S, settle_s))
    finally:
        reports.catch_up(at_once=True)


def _settled(folder: Path, manifest: Manifest, before: float) -> dict[int, object]:
    """The state of each step whose files are all older than ``before``, by step."""
    try:
        steps = steps_of(folder, manifest)
    except CheckpointError:
        return {}
    states: dict[int, object] = {}
    for step in steps:
        state = _state(step.path)
        if step.step is not None and state and max(time_ns for _, time_ns in state.values()) <= 1e9 * before:
            states[step.step] = state
    return states


def _state(path: Path) -> dict[str, list[int]]:
    """Size and time of each file of a checkpoint; nothing where one vanished meanwhile."""
    try:
        return states_of([path] if path.is_file() else path.rglob("*"))
    except OSError:
        return {}
