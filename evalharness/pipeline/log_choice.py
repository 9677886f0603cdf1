"""Which training log is a checkpoint's: one that lies beside it, or above it, may be the log of another.

A loss is judged against its log, so a log that is not known to be the checkpoint's is not read: it is named instead,
with whose it is. Nothing in a log is read as a sentence to decide it: only places, names and the trainer's own fields.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.models.torch import find_series, kind_of, weight_files_in
from evalharness.models.torch.step_names import is_last_name, is_step_name
from evalharness.models.torch.weight_names import GGUF_SUFFIX
from evalharness.pipeline.checkpoints_below import checkpoints_below
from evalharness.pipeline.paths_in_logs import names_path
from evalharness.records import LogChoice
from evalharness.settings.manifest import as_seen_from_here
from evalharness.training_log import find_logs
from evalharness.training_log.discovery import consoles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.models.torch import SeriesStep
    from evalharness.models.torch.locate import Kind
    from evalharness.records import LogRelation
    from evalharness.settings.manifest import Manifest

_FOLDERS = ("adapter", "huggingface")
"""The kinds that are a whole folder."""
HIGHEST = 3
"""How many folders above a checkpoint's a log is looked for: a console's lies beside ``out/full/final`` of litgpt."""
_WORDS_OF_LOGS = re.compile(r"[._-](?:log|logs|metrics|loss|losses)$")
"""What a log's name has more than that of its checkpoint: ``v1_log.jsonl``."""


def choose_log(path: Path, manifest: Manifest, given: tuple[Path, ...] = ()) -> LogChoice | None:
    """Choose the log of a checkpoint, or of a folder with a series; None if there is none.

    The logs that are ``given``, else the manifest's, else those in the checkpoint's folder or in the nearest above it.
    Another checkpoint's log is returned too, as what it is: :attr:`LogChoice.is_read` is false.
    """
    if given:
        return _choice(given, "named")
    place = _whole(Path(os.path.normpath(Path.cwd() / path)), manifest)
    if manifest.log.path:
        steps = _trained_over(place, manifest)
        return _choice(manifest.log.path, "of_another" if steps else "named", steps)
    for folder in _folders(place if place.is_dir() else place.parent):
        neighbours = _Neighbours(place, folder, manifest)
        if logs := tuple(find_logs(folder)):
            return neighbours.choice(logs)
        if (log := neighbours.only_one_that_names_it(consoles(folder))) is not None:
            return _choice([log], "names_it")
    return None


def _folders(start: Path) -> Iterator[Path]:
    """A checkpoint's folder, the one above it, and those above that within a project, or where the user works."""
    here, everyones = Path.cwd(), (Path.home(), Path(tempfile.gettempdir()))
    yield start
    folder = start
    for _ in range(HIGHEST):
        folder = folder.parent
        yield folder
        if here.is_relative_to(folder) or (folder / ".git").exists() or folder.parent in everyones:
            return


def _choice(logs: Sequence[Path], relation: LogRelation, others: Sequence[Path] = ()) -> LogChoice:
    return LogChoice(tuple(map(as_seen_from_here, logs)), relation, tuple(other.name for other in others))


def _whole(path: Path, manifest: Manifest) -> Path:
    """The folder of a checkpoint that is all that its folder holds, else its file; a folder with a series as it is."""
    if path.is_dir():
        is_file = _kind(path, manifest) == "weights" and not find_series(path, manifest) and _below(path, manifest)
        return weight_files_in(path)[0] if is_file and weight_files_in(path) else path
    if _kind(path, manifest) in _FOLDERS:
        return path.parent
    return path if _kind(path.parent, manifest) is None or _below(path.parent, manifest) else path.parent


def _kind(path: Path, manifest: Manifest) -> Kind | None:
    return kind_of(path, plain=manifest.model.factory is not None)


def _below(folder: Path, manifest: Manifest) -> bool:
    """Whether there is a checkpoint in one of the folders in ``folder``."""
    return any(_kind(child, manifest) is not None for child in _children(folder) if child.is_dir())


def _children(folder: Path) -> list[Path]:
    """What may be a checkpoint: folders that can be read, and files with whole weights."""
    folders = [child for child in folder.iterdir() if child.is_dir() and os.access(child, os.R_OK | os.X_OK)]
    return sorted([*folders, *weight_files_in(folder), *folder.glob(f"*{GGUF_SUFFIX}")])


def _trained_over(place: Path, manifest: Manifest) -> list[Path]:
    """The checkpoints of the series over ``place``, if the manifest says that it is their base."""
    base = manifest.model.weights
    if base is None or base.resolve() != place.resolve():
        return []
    return [step.path for step in find_series(place.parent, manifest) if step.path != place]


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """A checkpoint, and the folder whose logs may be its own: its folder, or one above that."""

    place: Path
    folder: Path
    manifest: Manifest

    def choice(self, logs: tuple[Path, ...]) -> LogChoice:
        if self.place == self.folder:
            return _choice(logs, "inside")
        others = list(self._others())
        named = [path for path in (self.place, *others) if any(is_called_like(path, log) for log in logs)]
        if named:
            return _choice(logs, "called_alike") if self.place in named else _choice(logs, "of_another", named)
        series = find_series(self.place.parent, self.manifest)
        holder = self._holder(logs[0])
        if self._is_step_with(series, holder) or self._is_run():
            is_of_run = self.folder == self.place.parent
            rivals = [] if is_of_run else list(filter(_is_step, self._elsewhere()))
            return self._of_one_of(logs, rivals) if rivals else _choice(logs, "of_its_run")
        if holder is not None:
            return _choice(logs, "of_another", [holder])
        return self._beside(logs, others) if others else self._alone_or_of_one(logs)

    def _is_run(self) -> bool:
        """Whether it is the folder of several steps."""
        return len(find_series(self.place, self.manifest)) > 1

    def _alone_or_of_one(self, logs: tuple[Path, ...]) -> LogChoice:
        """A log beside which no other checkpoint lies; farther below it there may be other runs."""
        others = list(self._elsewhere())
        if _is_step(self.place) and (rivals := list(filter(_is_step, others))):
            return self._of_one_of(logs, rivals)
        return self._beside(logs, others)

    def _of_one_of(self, logs: tuple[Path, ...], others: Sequence[Path]) -> LogChoice:
        """A log that may be of several: it is of the checkpoint whose folder it names.

        Where a step was saved counts for more than what else it names, such as the model that training started from.
        """
        is_step = _is_step(self.place) or self._is_run()
        is_own = self._is_named(self.place, logs) and (is_step or not any(self._is_named(o, logs) for o in others))
        return _choice(logs, "names_it") if is_own else _choice(logs, "unclear", others)

    def only_one_that_names_it(self, logs: Sequence[Path]) -> Path | None:
        """Of several logs the one that names the checkpoint's folder."""
        named = [log for log in logs if self._is_named(self.place, [log])]
        return named[0] if len(named) == 1 else None

    def _is_named(self, checkpoint: Path, logs: Sequence[Path]) -> bool:
        """Whether a log names a checkpoint, or the folder of the run that it is a step of, as seen from the log."""
        places = [checkpoint, *([checkpoint.parent] if _is_step(checkpoint) else [])]
        paths = [place.relative_to(self.folder) for place in places if self.folder in place.parents]
        return any(names_path(log, path) for log in logs for path in paths)

    def _elsewhere(self) -> Iterator[Path]:
        """The checkpoints below the log's folder that are not of the checkpoint's run."""
        run = self.place.parent if _is_step(self.place) else self.place
        return checkpoints_below(self.folder, (self.place, run), self.manifest)

    def _beside(self, logs: tuple[Path, ...], others: list[Path]) -> LogChoice:
        """A log that lies in no checkpoint, beside one that is no step of a series."""
        adapters = [other for other in others if _kind(other, self.manifest) == "adapter"]
        if _kind(self.place, self.manifest) == "adapter":  # another model beside it is what it was trained over
            others = adapters
        elif adapters:
            return _choice(logs, "of_another", adapters)
        if not others:
            return _choice(logs, "alone")
        if _is_step(self.place):
            return _choice(logs, "of_its_run")
        steps = list(filter(_is_step, others))
        return _choice(logs, "of_another", steps) if steps else self._of_one_of(logs, others)

    def _is_step_with(self, series: Sequence[SeriesStep], holder: Path | None) -> bool:
        """Whether the checkpoint is a step of the run that the log is of: its best, its last, or one by its number."""
        own = next((step for step in series if step.path == self.place), None)
        if own is None or own.is_best or is_last_name(own.path.name):
            return own is not None
        others = [step for step in series if step is not own and step.step is not None]
        run = others if holder in {None, self.folder} else [s for s in others if _pattern(s.path) == _pattern(holder)]
        is_copy = own.step in {step.step for step in run}
        return own.step is not None and (not run or is_copy or _pattern(own.path) in {_pattern(s.path) for s in run})

    def _holder(self, log: Path) -> Path | None:
        """The checkpoint whose folder the log lies in, if it lies in one."""
        inner = self.folder / log.relative_to(self.folder).parts[0]
        if inner.is_dir() and self._is_checkpoint(inner):
            return inner
        is_adapter = _kind(self.place, self.manifest) == "adapter"
        return self.folder if _kind(self.folder, self.manifest) in _FOLDERS and not is_adapter else None

    def _others(self) -> Iterator[Path]:
        """The checkpoints and folders of checkpoints beside this one, as far up as the log lies; not the base."""
        base = self.manifest.model.weights
        for child in chain.from_iterable(map(_children, dict.fromkeys((self.place.parent, self.folder)))):
            is_own = child == self.place or child in self.place.parents
            is_base = base is not None and child.resolve() == base.resolve()
            if not is_own and not is_base and self._is_checkpoint(child):
                yield child

    def _is_checkpoint(self, path: Path) -> bool:
        return _kind(path, self.manifest) is not None or bool(find_series(path, self.manifest))


def _is_step(checkpoint: Path) -> bool:
    """Whether its name, or that of the one weight file in its folder, says that it is a step of a run."""
    files = weight_files_in(checkpoint)
    return is_step_name(checkpoint.name) or (len(files) == 1 and is_step_name(files[0].name))


def is_called_like(checkpoint: Path, log: Path) -> bool:
    """``v1.pt`` and ``v1_step200`` are called like ``v1_log.jsonl``."""
    name = _WORDS_OF_LOGS.sub("", log.stem)
    stem = checkpoint.name if checkpoint.is_dir() else checkpoint.stem
    is_prefix = name != log.stem and stem.startswith((f"{name}_", f"{name}-", f"{name}."))
    return stem == name or is_prefix


def _pattern(path: Path) -> str:
    """A step's name without its number: ``checkpoint-200`` and ``checkpoint-400`` are of one run."""
    return re.sub(r"\d+", "", path.name)
