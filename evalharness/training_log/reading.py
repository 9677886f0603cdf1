"""From files to losses: the content says which form a file has, and several files become one run."""

from __future__ import annotations

import gc
import math
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Protocol

from evalharness.errors import ExtensionError, LogError
from evalharness.extensions import extensions, own_modules
from evalharness.records import EntropyPoint, LossPoint
from evalharness.training_log.discovery import find_logs
from evalharness.training_log.merging import merge
from evalharness.training_log.open_log import OpenLog

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from evalharness.records import LogPoint


class Reader(Protocol):
    """One form of training log: a module of this package, or a module or an object of another package.

    ``PRIORITY`` decides which of several forms that fit is tried first, from the lowest number; 0 if it is missing.
    ``NAMES`` (patterns such as ``trainer_state.json``) says that files of these names are of this form alone,
    ``SUFFIXES`` that files with these endings are also tried; both may be missing.
    """

    FORM: str

    def recognises(self, head: Sequence[str], /) -> bool:
        """Whether a log whose first lines are ``head`` may be of this form."""

    def read(self, log: OpenLog, /) -> Iterator[LogPoint]:
        """Yield its losses, and the entropy if it has some, in its order."""


@cache
def readers() -> Mapping[str, Reader]:
    """Every form that can be read, by its name, in the order in which they are tried."""
    found = [(module.FORM, module) for module in own_modules("evalharness.training_log", "FORM")]
    found += [(f"{e.value.FORM} (from {e.package})", e.guarded) for e in extensions("logs").loaded]
    return dict(sorted(found, key=lambda form: getattr(form[1], "PRIORITY", 0)))


@dataclass(frozen=True, slots=True)
class LogFile:
    """One log as it was read: its losses and entropies in its order, and its form.

    ``base_losses``: validation losses of the model that training starts from, at steps of that model's own training.
    """

    path: Path
    form: str
    points: tuple[LossPoint, ...]
    notes: tuple[str, ...]
    entropies: tuple[EntropyPoint, ...] = ()
    base_losses: tuple[LossPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """The losses of a run, from one file or several: by step, one a step and split; the entropies likewise.

    ``notes`` has a line for each thing that a user has to know: restarts, losses that are no numbers, what is left out.
    ``base_losses`` are not of this run: validation losses of the model that it starts from, at that model's own steps.
    """

    points: tuple[LossPoint, ...]
    files: tuple[LogFile, ...]
    notes: tuple[str, ...]
    entropies: tuple[EntropyPoint, ...] = ()
    base_losses: tuple[LossPoint, ...] = ()


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
    faults = list(extensions("logs").faults)
    named = _named(path)
    forms = named or _recognised(path, faults)
    for form in forms:
        try:
            found = _read_as(form, path)
        except ExtensionError as error:
            faults.append(str(error))
            continue
        if found.points or found.entropies:
            return replace(found, notes=(*faults, *found.notes))
    others = "" if named else f"; its first lines are not those of {', '.join(f for f in readers() if f not in forms)}"
    raise LogError("; ".join((f"{path}: no losses found in it, read as {', '.join(forms)}{others}", *faults)))


def _named(path: Path) -> list[str]:
    """The forms that a file has by its name, whatever it begins with."""
    patterns = {form: getattr(reader, "NAMES", ()) for form, reader in readers().items()}
    return [form for form, names in patterns.items() if any(fnmatchcase(path.name, name) for name in names)]


def _recognised(path: Path, faults: list[str]) -> list[str]:
    """The forms that a file may have by its first lines. ``faults`` takes a line for each reader that fails."""
    head = OpenLog(path).head()
    if not head:
        raise LogError(f"{path}: the file is empty")
    found = []
    for form, reader in readers().items():
        try:
            if reader.recognises(head) or path.suffix in getattr(reader, "SUFFIXES", ()):
                found.append(form)
        except ExtensionError as error:
            faults.append(str(error))
    return found


def _read_as(form: str, path: Path) -> LogFile:
    log = OpenLog(path)
    with _no_collection():
        points = list(readers()[form].read(log))
        losses = tuple(point for point in points if isinstance(point, LossPoint))
        entropies = tuple(point for point in points if isinstance(point, EntropyPoint))
        return LogFile(path, form, losses, tuple(log.notes), entropies, tuple(log.base_losses))


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
    # What they say of restarts is said of the losses.
    entropies, _ = merge([file.entropies for file in files])
    own = (f"{file.path.name}: {note}" for file in files for note in file.notes)
    base_losses = tuple(point for file in files for point in file.base_losses)
    notes = (*faults, *own, *merged, *_not_finite(points), *map(_of_the_base, base_losses))
    return TrainingLog(tuple(points), tuple(files), notes, tuple(entropies), base_losses)


def _of_the_base(point: LossPoint) -> str:
    return (
        f"the validation loss {point.loss_nats:g} at step {point.step:,} ({point.source}) is that of the model that "
        "training starts from, and no point of this run"
    )


def _not_finite(points: Sequence[LossPoint]) -> Iterator[str]:
    odd = [point for point in points if not math.isfinite(point.loss_nats)]
    if odd:
        losses = "1 loss is" if len(odd) == 1 else f"{len(odd):,} losses are"
        yield f"{losses} NaN or infinite, the first at step {odd[0].step:,} ({odd[0].source})"
