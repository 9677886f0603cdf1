"""From files to losses: the content says which form a file has, and several files become one run."""

from __future__ import annotations

import gc
import math
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Protocol, cast

from evalharness.errors import ExtensionError, LogError
from evalharness.extensions import extensions, own_modules
from evalharness.records import EntropyPoint, LossPoint
from evalharness.training_log import counted_lines, lines, patterns
from evalharness.training_log.columns import LOSSES
from evalharness.training_log.discovery import find_logs
from evalharness.training_log.file_split import of_validation_by_its_file
from evalharness.training_log.log_keys import NO_KEYS
from evalharness.training_log.merging import merge
from evalharness.training_log.open_log import OpenLog, Sure, UnplacedError
from evalharness.training_log.optimizer_steps import in_steps, iterations_per_step
from evalharness.training_log.placeholders import all_finite, without_placeholders
from evalharness.training_log.plausible import plausible
from evalharness.training_log.refusal import how_to_name_them
from evalharness.training_log.several_runs import files_of_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from evalharness.records import LogPoint, Split
    from evalharness.training_log.log_keys import LogKeys

EXAMPLES = 2
SEVERAL = 2
PRINTED = (lines.FORM, counted_lines.FORM, patterns.FORM)
LEAST_SURE_FIRST: tuple[Sure, ...] = ("form", "told", "name")


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
    forms = [(module.FORM, module) for module in own_modules("evalharness.training_log", "FORM")]
    forms += [(f"{e.value.FORM} (from {e.package})", e.guarded) for e in extensions("logs").loaded]
    return dict(sorted(forms, key=lambda form: getattr(form[1], "PRIORITY", 0)))


@dataclass(frozen=True, slots=True)
class UnderstoodColumn:
    """What a log's columns, tags or figures were taken for: ``role`` is step, train, validation or entropy.

    ``sure``: "told" under ``[log]``; "name", a known one; "form", because nothing else in the log has it. ``examples``
    are two of its values, as they were read.
    """

    role: str
    names: tuple[str, ...]
    sure: Sure
    examples: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LogFile:
    """One log as it was read: its losses and entropies in its order, and its form.

    ``base_losses``: validation losses of the model that training starts from, at steps of that model's own training.
    ``in_bits_per_byte``: names of losses that are left out because nobody says how many bytes a token has.
    """

    path: Path
    form: str
    points: tuple[LossPoint, ...]
    notes: tuple[str, ...]
    entropies: tuple[EntropyPoint, ...] = ()
    base_losses: tuple[LossPoint, ...] = ()
    columns: tuple[UnderstoodColumn, ...] = ()
    in_bits_per_byte: tuple[str, ...] = ()


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

    @property
    def in_bits_per_byte(self) -> tuple[str, ...]:
        """Names of losses that are left out because nobody says how many bytes a token has."""
        return tuple(dict.fromkeys(name for file in self.files for name in file.in_bits_per_byte))


def read_log(path: Path, keys: LogKeys = NO_KEYS) -> list[LossPoint]:
    """Read all losses of one file, in its order. Raises :class:`LogError` where it can't be read or holds none."""
    return list(_read(path, keys).points)


def read_logs(paths: Sequence[Path], keys: LogKeys = NO_KEYS) -> TrainingLog:
    """Read the logs of one run, a file for each restart; of what is logged twice the later counts (:func:`merge`).

    ``keys`` has what the user says of their names. Losses in bits per byte that can't be converted yet are left out.
    Raises :class:`LogError` where one can't be read or holds no losses, and without a path.
    """
    if not paths:
        raise LogError("no training log: expected at least one file")
    return _joined([_read(path, keys) for path in dict.fromkeys(paths)], ())


def read_named(paths: Sequence[Path], keys: LogKeys = NO_KEYS) -> TrainingLog:
    """Read files of one run, or the logs in one folder.

    Raises :class:`LogError` also for a folder beside others, and where all losses are bits per byte, not converted.
    """
    folders = [path for path in paths if path.is_dir()]
    if folders and len(paths) > 1:
        raise LogError(f"{folders[0]}: a folder is a run of its own: name it alone, or name the files in it")
    log = read_folder(folders[0], keys) if folders else read_logs(paths, keys)
    if log.in_bits_per_byte and not (log.points or log.entropies):
        raise LogError(
            f"{log.files[0].path}: {', '.join(log.in_bits_per_byte)}: bits per byte alone; "
            "set [log] bytes_per_token to how many bytes a token has"
        )
    return log


def read_folder(folder: Path, keys: LogKeys = NO_KEYS) -> TrainingLog:
    """Find the logs of a run by their usual names and read them; one that can't be read is among the notes.

    Raises :class:`LogError` where there is none, or none that can be read.
    """
    if not (paths := find_logs(folder)):
        raise LogError(f"{folder}: no training log under a usual name (train.log, log.jsonl, …)")
    return read_found(paths, keys)


def read_found(paths: Sequence[Path], keys: LogKeys = NO_KEYS) -> TrainingLog:
    """Read logs that nobody named; one that can't be read is among the notes.

    Raises :class:`LogError` if none can be read, or if they are of several runs and ``keys`` names none.
    """
    files: list[LogFile] = []
    faults: list[str] = []
    for path in files_of_run(paths, keys):
        try:
            files.append(_read(path, keys))
        except LogError as error:
            faults.append(str(error))
    if not files:
        raise LogError("; ".join(faults))
    return _joined(files, faults)


def logged_validation(points: Iterable[LossPoint], step: int | None) -> LossPoint | None:
    """The last logged validation loss at ``step`` (anywhere, where the step isn't known); None where there is none.

    A log that counts its steps from 0, as Lightning's loggers do, has it one step earlier.
    """
    points = list(points)
    if step is not None and _counts_from_zero(points, step):
        step -= 1
    validation = [p for p in points if p.split == "validation" and step in {None, p.step}]
    return validation[-1] if validation else None


def _counts_from_zero(points: Iterable[LossPoint], step: int) -> bool:
    """Whether all validations are one step before a multiple of their interval, and none is at ``step``.

    Training that is logged at ``step`` is of the step after it if the log begins with step 0; else it counts from 1.
    """
    points = list(points)
    validated = {p.step + 1 for p in points if p.split == "validation"}
    if step not in validated or step + 1 in validated or math.gcd(*validated) == 1:
        return False
    return all(p.step != step for p in points) or any(p.step == 0 for p in points)


def _read(path: Path, keys: LogKeys) -> LogFile:
    faults = list(extensions("logs").faults)
    unplaced: UnplacedError | None = None
    in_bits: LogFile | None = None
    named = _named(path)
    forms = [patterns.FORM] if keys.patterns() else named or _recognised(path, faults)
    if any(keys.named()) and not keys.patterns() and not named:
        # It knows its own names alone; the same lines are read by the names that are told.
        forms = [*dict.fromkeys([*(form for form in forms if form != lines.FORM), counted_lines.FORM])]
    for form in forms:
        try:
            log_file = _read_as(form, path, keys)
        except ExtensionError as error:
            faults.append(str(error))
            continue
        except UnplacedError as error:
            unplaced = error
            continue
        if log_file.points or log_file.entropies:
            return replace(log_file, notes=(*faults, *log_file.notes))
        if log_file.in_bits_per_byte:
            in_bits = in_bits or log_file
    if in_bits is not None:
        return replace(in_bits, notes=(*faults, *in_bits.notes))
    if unplaced is not None:
        raise LogError("; ".join((str(unplaced), how_to_name_them(path), *faults)))
    read_as = f"{path}: no losses found in it, read as {', '.join(forms)}"
    raise LogError("; ".join((read_as, how_to_name_them(path), *faults)))


def _named(path: Path) -> list[str]:
    """The forms that a file has by its name, whatever it begins with."""
    patterns = {form: getattr(reader, "NAMES", ()) for form, reader in readers().items()}
    return [form for form, names in patterns.items() if any(fnmatchcase(path.name, name) for name in names)]


def _recognised(path: Path, faults: list[str]) -> list[str]:
    """The forms that a file may have by its first lines. ``faults`` takes a line for each reader that fails."""
    head = OpenLog(path).head()
    if not head:
        raise LogError(f"{path}: the file is empty")
    forms = []
    for form, reader in readers().items():
        try:
            if reader.recognises(head) or path.suffix in getattr(reader, "SUFFIXES", ()):
                forms.append(form)
        except ExtensionError as error:
            faults.append(str(error))
    return forms


def _read_as(form: str, path: Path, keys: LogKeys) -> LogFile:
    log = OpenLog(path, keys=keys)
    with _no_collection():
        points = list(readers()[form].read(log))
        if points and (per_step := iterations_per_step(log, is_printed=form in PRINTED)) > 1:
            points = list(in_steps(points, per_step))
        has_entropies = EntropyPoint in set(map(type, points))
        entropies = tuple(point for point in points if isinstance(point, EntropyPoint)) if has_entropies else ()
        logged = [p for p in points if isinstance(p, LossPoint)] if has_entropies else cast("list[LossPoint]", points)
        losses = tuple(plausible(of_validation_by_its_file(without_placeholders(logged, log), log), log))
        columns = tuple(_understood(log, [*entropies, *losses]))
        for role, name in keys.named():
            if role in LOSSES and not any(point.split == role for point in losses):
                log.note(f"[log] {role} = {name!r}: nothing is read under that name")
        return LogFile(
            path=path,
            form=form,
            points=losses,
            notes=tuple(log.notes),
            entropies=entropies,
            base_losses=tuple(log.base_losses),
            columns=columns,
            in_bits_per_byte=tuple(log.in_bits_per_byte),
        )


def _understood(log: OpenLog, points: Sequence[LogPoint]) -> Iterator[UnderstoodColumn]:
    """A column for each role that has a name, with the first two values that were read of it."""
    values: dict[str, Iterable[float]] = {
        "step": dict.fromkeys(point.step for point in points[:1_000]),
        "entropy": (point.entropy_nats for point in points if isinstance(point, EntropyPoint)),
        **{split: _losses_of(split, points) for split in LOSSES},
    }
    for role, figures in values.items():
        names = {name: sure for (named_role, name), sure in log.understood.items() if named_role == role}
        if names and (examples := tuple(islice(figures, EXAMPLES))):
            sure = next(sure for sure in LEAST_SURE_FIRST if sure in names.values())
            yield UnderstoodColumn(role, tuple(names), sure, examples)


def _losses_of(split: Split, points: Iterable[LogPoint]) -> Iterator[float]:
    return (point.loss_nats for point in points if isinstance(point, LossPoint) and point.split == split)


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
    notes = (
        *faults,
        *own,
        *merged,
        *_several_a_step(files, points),
        *_not_finite(points),
        *map(_base_loss_note, base_losses),
    )
    return TrainingLog(tuple(points), tuple(files), notes, tuple(entropies), base_losses)


def _base_loss_note(point: LossPoint) -> str:
    at = f"at step {point.step:,}" if point.step else "before the first step"
    return (
        f"the validation loss {point.loss_nats:g} {at} ({point.source}) is that of the model that "
        "training starts from, and no point of this run"
    )


def _several_a_step(files: Sequence[LogFile], points: Sequence[LossPoint]) -> Iterator[str]:
    """A note if most steps have several training losses: of accumulated batches, or of bars that are drawn again."""
    if sum(len(file.points) for file in files) >= SEVERAL * len(points) > 0:
        logged = sum(point.split == "train" for file in files for point in file.points)
        steps = sum(point.split == "train" for point in points)
        if logged >= SEVERAL * steps > 0:
            yield f"{logged:,} training losses of {steps:,} steps: the last of each step counts"


def _not_finite(points: Sequence[LossPoint]) -> Iterator[str]:
    odd = [] if all_finite(points) else [point for point in points if not math.isfinite(point.loss_nats)]
    if odd:
        losses = "1 loss is" if len(odd) == 1 else f"{len(odd):,} losses are"
        yield f"{losses} NaN or infinite, the first at step {odd[0].step:,} ({odd[0].source})"
