"""Whether a scored step is as it would be scored now, told without loading torch or reading a weight.

What was read is known by the sizes and times of its files and by a sample of their contents, the whole of small ones: a
file that was changed and has all of these as before is not noticed. What is scored again goes by the whole. A training
log grows with every step: of it what counts is the losses up to the step that was scored.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.errors import LogError
from evalharness.pipeline.completing import digest
from evalharness.pipeline.loading import log_files, series_name, training_log, up_to
from evalharness.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from evalharness.pipeline.work import Work
    from evalharness.records import LossPoint, Scorecard
    from evalharness.settings.manifest import LogSettings, Manifest
    from evalharness.settings.score_options import ScoreOptions

NAME = ".journal/stamp.json"
_WHOLE_BYTES, _BLOCKS, _BLOCK_BYTES = 1 << 20, 64, 1 << 12
"""A file of up to a mebibyte is read whole, of a larger one so many blocks."""
_CHANGE_NOTHING = ("batch_size", "workers", "out", "step", "trust")


def stamp(work: Work, path: Path) -> str:
    """What the score of a path is made of and how, as JSON. Taken before scoring: a file may change meanwhile."""
    data = (work.manifest.data.train, work.manifest.data.validation)
    problems = [Path(name) for name in work.options.problems]
    named = (*data, *problems, work.options.mbpp)
    content = {
        "options": key_of(work.options),
        **_meant(path, work.manifest, work.options),
        "step": work.checkpoint.info.step,
        "log": _digest_of_losses(work.log),
        "log_files": states_of(log_files(path, work.manifest.log)),
        "files": contents_of([*work.checkpoint.files, *(file for file in named if file is not None)]),
    }
    return json.dumps(content, indent=2) + "\n"


def kept_folder(path: Path, manifest: Manifest, options: ScoreOptions) -> Path | None:
    """The folder of a whole score of a path that still holds; None where it has to be scored.

    Which checkpoint a path means is told without loading it, only its step is not: all of its run's folders are looked
    into. Raises CheckpointError where there is no checkpoint.
    """
    meant = _meant(path, manifest, options)
    for found in sorted((options.out / series_name(path, manifest, options.step)).glob(f"*/{NAME}")):
        folder = found.parent.parent
        if meant.items() <= _read(folder).items() and is_fresh(folder, path, manifest, options):
            return folder
    return None


def is_fresh(folder: Path, path: Path, manifest: Manifest, options: ScoreOptions) -> bool:
    """Whether ``folder`` holds a whole score under these options, and nothing that it was made of has changed."""
    held = _read(folder)
    try:
        files = [Path(file) for file in held["files"]]
        return bool(
            held["options"] == key_of(options)
            and held["files"] == contents_of(files)
            and _is_logged_alike(held, path, manifest.log)
        )
    except (OSError, KeyError, TypeError, LogError):
        return False


def _is_logged_alike(held: Mapping[str, Any], path: Path, settings: LogSettings) -> bool:
    """Whether the losses up to the step are what they were; the logs are read only where their files changed."""
    states = states_of(log_files(path, settings))
    if held["log_files"] == states:
        return True
    return bool(held["log"] == _digest_of_losses(up_to(held["step"], _losses(path, settings, str(states)))))


@lru_cache(maxsize=1)
def _losses(path: Path, settings: LogSettings, _states: str) -> tuple[LossPoint, ...]:
    """The losses that are logged now, read once for all steps of a run."""
    return training_log(path, settings, Silent())


def _digest_of_losses(points: Iterable[LossPoint]) -> str:
    return digest([(point.step, point.split, str(point.loss_nats)) for point in points])


def kept_scorecard(folder: Path) -> Scorecard | None:
    """The scorecard that is there; None where it is of another version or broken."""
    from evalharness.errors import StoreError
    from evalharness.runs import scorecard_json

    try:
        return scorecard_json.from_json((folder / "scorecard.json").read_text(encoding="utf-8"))
    except (OSError, StoreError):
        return None


def _read(folder: Path) -> dict[str, Any]:
    try:
        held = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}


def _meant(path: Path, manifest: Manifest, options: ScoreOptions) -> dict[str, str]:
    """Which checkpoint a path means now, and by which manifest."""
    from evalharness.models.torch import locate

    return {
        "checkpoint": str(locate(path, manifest, options.step).path.resolve()),
        "manifest": str(manifest.path),
    }


def key_of(options: ScoreOptions) -> str:
    """A digest of the options that could change a score, and of the versions that make it."""
    asked = {name: value for name, value in dataclasses.asdict(options).items() if name not in _CHANGE_NOTHING}
    # A file of problems is the same from wherever it is named.
    asked["problems"] = [str(Path(name).resolve()) if Path(name).is_file() else name for name in options.problems]
    versions = {name: version(name) for name in ("evalharness", "torch")}
    return digest({"options": {name: str(value) for name, value in asked.items()}, "versions": versions})


def contents_of(files: Iterable[Path]) -> dict[str, list[int | str]]:
    """Size, time and a digest of a sample of the content of each file that is there."""
    return {name: [*state, _sampled(Path(name), state[0])] for name, state in states_of(files).items()}


def _sampled(file: Path, size: int) -> str:
    """The sha256, in hex, of a small file, or of blocks all over a large one: training changes every one of them."""
    with file.open("rb") as opened:
        if size <= _WHOLE_BYTES:
            return hashlib.sha256(opened.read()).hexdigest()
        found = hashlib.sha256()
        for number in range(_BLOCKS):
            opened.seek(number * (size - _BLOCK_BYTES) // (_BLOCKS - 1))
            found.update(opened.read(_BLOCK_BYTES))
        return found.hexdigest()


def states_of(files: Iterable[Path]) -> dict[str, list[int]]:
    """Size and time of each file that is there."""
    states = {}
    for file in sorted({file.resolve() for file in files if file.is_file()}):
        found = file.stat()
        states[str(file)] = [found.st_size, found.st_mtime_ns]
    return states
