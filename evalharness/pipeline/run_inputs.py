"""The files that a run came from: code, manifest, logs, base weights and data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalharness.settings.manifest import CODE_SPEC, as_seen_from_here

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evalharness.settings.manifest import Manifest
    from evalharness.training_log import TrainingLog

MOST_SCRIPTS = 5
"""Python files beside the checkpoints that are named: more of them are a package, and no training script."""


def run_inputs(manifest: Manifest, place: Path, log: TrainingLog | None) -> Iterator[tuple[str, str]]:
    """Yield each file that is there as its path and what it is. ``place`` is the folder of the checkpoints."""
    for path, words in _inputs(manifest, place, log):
        if path.exists():
            yield as_seen_from_here(path), words


def _inputs(manifest: Manifest, place: Path, log: TrainingLog | None) -> Iterator[tuple[Path, str]]:
    code = _code(manifest)
    own = {path.resolve() for path in code}
    scripts = sorted(path for path in place.glob("*.py") if path.resolve() not in own) if place.is_dir() else []
    yield from ((path, "script beside the checkpoints") for path in scripts[:MOST_SCRIPTS])
    yield from ((path, "code of the model") for path in code)
    yield from ((path, "manifest") for path in (manifest.path,) if path is not None)
    yield from ((file.path, "training log") for file in (() if log is None else log.files))
    yield from ((path, "base weights") for path in (manifest.model.weights,) if path is not None)
    yield from ((path, "training data") for path in (manifest.data.train,) if path is not None)
    yield from ((path, "validation data") for path in (manifest.data.validation,) if path is not None)
    yield place, "checkpoints"


def _code(manifest: Manifest) -> list[Path]:
    """The file of the model's code, if the manifest names one."""
    match = CODE_SPEC.fullmatch(manifest.model.factory or "")
    return [manifest.folder / match["module"]] if match is not None and match["module"].endswith(".py") else []
