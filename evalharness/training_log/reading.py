"""From files to losses: the form is told by the content, several files become one run."""

from __future__ import annotations

import gc
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from evalharness.errors import LogError
from evalharness.training_log import (
    jsonl,
    lines,
    markdown_tables,
    mlflow,
    tables,
    tensorboard,
    trainer_state,
)
from evalharness.training_log.discovery import find_logs
from evalharness.training_log.merging import merge
from evalharness.training_log.open_log import OpenLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from evalharness.records import LossPoint


class Reader(Protocol):
    """One form of log. A module is one."""

    FORM: str

    def recognises(self, head: Sequence[str], /) -> bool:
        """Whether a log whose first lines are ``head`` may be of this form."""

    def read(self, log: OpenLog, /) -> Iterator[LossPoint]:
        """Yield its losses in its order."""


READERS: tuple[Reader, ...] = (trainer_state, jsonl, mlflow, markdown_tables, tables, lines)
"""The forms of text, in the order in which they are tried; TensorBoard's files are told by their name."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One log as it was read: its losses in its order, and its form."""

    path: Path
    form: str
    points: tuple[LossPoint, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """The losses of a run, from one file or several: by step, one a step and split.

    ``notes`` has a line for each thing that a user has to know: restarts, losses that are no numbers, what is left out.
    """

    points: tuple[LossPoint, ...]
    files: tuple[LogFile, ...]
    notes: tuple[str, ...]


def read_log(path: Path) -> list[LossPoint]:
    """Read all losses of one file, in its order. Raises :class:`LogError` where it can't be read or holds none."""
    return list(_read(path).points)


def read_logs(paths: Sequence[Path]) -> TrainingLog:
    """Read the logs of one run, a file for each restart; of what is logged twice the later counts (:func:`merge`).

    Raises :class:`LogError` where one can't be read or holds no losses, and without a path.
    """
    if not paths:
        raise LogError("no training log: expected at least one file")
    return _joined([_read(path) for path in dict.fromkeys(paths)], ())


def read_folder(folder: Path) -> TrainingLog:
    """Find the logs of a run by their usual names and read them; one that can't be read is among the notes.

    Raises :class:`LogError` where there is none, or none that can be read.
    """
    files: list[LogFile] = []
    faults: list[str] = []
    for path in find_logs(folder):
        try:
            files.append(_read(path))
        except LogError as error:
            faults.append(str(error))
    if not files:
        raise LogError("; ".join(faults) or f"{folder}: no training log under a usual name (train.log, log.jsonl, …)")
    return _joined(files, faults)


def logged_validation(points: Iterable[LossPoint], step: int | None) -> LossPoint | None:
    """The last logged validation loss at ``step`` (anywhere, where the step isn't known); None where there is none."""
    validation = [p for p in points if p.split == "validation" and step in {None, p.step}]
    return validation[-1] if validation else None


def _read(path: Path) -> LogFile:
    if tensorboard.is_event_file(path.name):
        found = _read_as(tensorboard.FORM, tensorboard.read, path)
        if not found.points:
            raise LogError(f"{path}: no losses found in it as {tensorboard.FORM} (expected tags such as train/loss)")
        return found
    head = OpenLog(path).head()
    if not head:
        raise LogError(f"{path}: is empty")
    readers = [reader for reader in READERS if _may_be(reader, path, head)]
    for reader in readers:
        found = _read_as(reader.FORM, reader.read, path)
        if found.points:
            return found
    tried = ", ".join(reader.FORM for reader in readers)
    others = ", ".join(reader.FORM for reader in READERS if reader not in readers)
    raise LogError(f"{path}: no losses found in it as {tried}; it does not begin as {others}, {tensorboard.FORM}")


def _may_be(reader: Reader, path: Path, head: Sequence[str]) -> bool:
    if path.name == "trainer_state.json":
        return reader is trainer_state
    # A table of losses may stand far down in a document.
    return reader.recognises(head) or (reader is markdown_tables and path.suffix == ".md")


def _read_as(form: str, read: Callable[[OpenLog], Iterator[LossPoint]], path: Path) -> LogFile:
    log = OpenLog(path)
    with _no_collection():
        return LogFile(path, form, tuple(read(log)), tuple(log.notes))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Records have no cycles: looking for some in a million of them, again and again, is a quarter of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _joined(files: Sequence[LogFile], faults: Iterable[str]) -> TrainingLog:
    points, merged = merge([file.points for file in files])
    own = (f"{file.path.name}: {note}" for file in files for note in file.notes)
    return TrainingLog(tuple(points), tuple(files), (*faults, *own, *merged, *_not_finite(points)))


def _not_finite(points: Sequence[LossPoint]) -> Iterator[str]:
    odd = [point for point in points if not math.isfinite(point.loss_nats)]
    if odd:
        yield f"{len(odd):,} losses are NaN or infinite, the first at step {odd[0].step:,} ({odd[0].source})"
