"""Whether a scored checkpoint is as it would be scored now, without loading torch or reading a weight.

A training log grows with every step: what counts of it are the losses up to the step that was scored.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.errors import LogError, StoreError
from evalharness.pipeline.loading import losses_of, up_to
from evalharness.pipeline.log_choice import choose_log
from evalharness.progress import Silent
from evalharness.runs import paths, scorecard_json
from evalharness.runs.json_values import digest
from evalharness.runs.owner import folders_called
from evalharness.runs.stamps import Stamp, contents_of, read_stamp, states_of
from evalharness.settings.declaration import names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalharness.pipeline.target import Target
    from evalharness.pipeline.work import Work
    from evalharness.records import LogChoice, LossPoint, Scorecard
    from evalharness.settings.manifest import LogSettings, Manifest
    from evalharness.settings.score import ScoreOptions


def stamp_of(work: Work) -> Stamp:
    """What a score is made of and how. Taken before scoring: a file may change meanwhile."""
    target, manifest = work.target, work.manifest
    problem_files = (*map(Path, work.options.problems), *(work.options.problem_paths or {}).values())
    named = (manifest.data.train, manifest.data.validation, *problem_files)
    return Stamp(
        options=key_of(work.options),
        checkpoint=str(target.located.path.resolve()),
        manifest=str(manifest.path),
        step=work.checkpoint.info.step,
        log=_digest_of_losses(work.log),
        log_files=states_of(_log_files(work.log_choice)),
        files=contents_of([*work.checkpoint.files, *(file for file in named if file is not None)]),
        bytes_per_token=_measured_bytes(manifest.log, target.manifest.log),
    )


def _measured_bytes(used: LogSettings, given: LogSettings) -> float | None:
    """How many bytes a token has, if the data said it and no manifest."""
    return None if used.bytes_per_token == given.bytes_per_token else used.bytes_per_token


def kept_folder(target: Target) -> Path | None:
    """The folder of a whole score of a target that still holds; None if it has to be scored.

    The step of a checkpoint may not be known before it is loaded: all folders of its run are looked into.
    """
    checkpoint, manifest = str(target.located.path.resolve()), str(target.manifest.path)
    for run in folders_called(target.options.out, target.run_name):
        for folder in paths.scored_steps(run):
            stamp = read_stamp(folder)
            is_of_target = stamp is not None and (stamp.checkpoint, stamp.manifest) == (checkpoint, manifest)
            if is_of_target and is_fresh(folder, target.place, target.manifest, target.options):
                return folder
    return None


def is_fresh(folder: Path, path: Path, manifest: Manifest, options: ScoreOptions) -> bool:
    """Whether ``folder`` holds a whole score under these options, and nothing that it was made of has changed."""
    stamp = read_stamp(folder)
    try:
        return (
            stamp is not None
            and stamp.options == key_of(options)
            and stamp.files_are_unchanged()
            and _is_logged_alike(stamp, choose_log(path, manifest, options.log), manifest.log)
        )
    except (OSError, LogError):
        return False


def _log_files(choice: LogChoice | None) -> tuple[Path, ...]:
    """The files that are read."""
    return tuple(map(Path, choice.files)) if choice is not None and choice.is_read else ()


def _is_logged_alike(stamp: Stamp, choice: LogChoice | None, settings: LogSettings) -> bool:
    """Whether the losses up to the step are what they were; the logs are read only if their files changed."""
    states = states_of(_log_files(choice))
    if stamp.log_files == states:
        return True
    if settings.bytes_per_token is None:  # the data, which are unchanged, would say the same again
        settings = replace(settings, bytes_per_token=stamp.bytes_per_token)
    return stamp.log == _digest_of_losses(up_to(stamp.step, _losses(choice, settings, str(states))))


@lru_cache(maxsize=1)
def _losses(choice: LogChoice | None, settings: LogSettings, _states: str) -> tuple[LossPoint, ...]:
    """The losses that are logged now, read once for all steps of a run."""
    return losses_of(choice, settings, Silent())


def _digest_of_losses(points: Iterable[LossPoint]) -> str:
    return digest([(point.step, point.split, str(point.loss_nats)) for point in points])


def kept_scorecard(folder: Path) -> Scorecard | None:
    """The scorecard that is there; None if it is of a version that is not read, or broken."""
    try:
        return scorecard_json.read(folder)
    except StoreError:
        return None


def key_of(options: ScoreOptions) -> str:
    """A digest of the options that could change a score, and of the versions that make it."""
    asked = {name: getattr(options, name) for name in names(type(options), "completions", "score", "back_end")}
    # A file of problems is the same from wherever it is named.
    asked["problems"] = [str(Path(name).resolve()) if Path(name).is_file() else name for name in options.problems]
    versions = {name: version(name) for name in ("evalharness", "torch")}
    return digest({"options": {name: str(value) for name, value in asked.items()}, "versions": versions})
