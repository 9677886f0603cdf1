"""The user's own code and settings around a checkpoint, as far as they can be read without running anything."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any

from evalharness.models.torch.projects.python_classes import classes_in
from evalharness.models.torch.saved_values import plain_values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evalharness.models.torch.projects.proposal import Place
    from evalharness.models.torch.projects.python_classes import PythonClass

_MOST_FILES = 300
_NOT_CODE = ("test", "venv", "env", "node_modules", "site-packages", "build", "dist", "__pycache__")
SETTINGS_FILES = ("config", "model_config", "hparams", "args", "params")
_SETTINGS_SUFFIXES = (".yml", ".yaml", ".json")
_SETTINGS_FOLDERS = 2
"""The checkpoint's own folder and the one above it, in which a run keeps its settings for all its steps."""


def code_near(place: Place) -> tuple[PythonClass, ...]:
    """The classes in the Python files of the checkpoint's folders and the folders in these, the nearest first."""
    files = dict.fromkeys(file.resolve() for folder in place.folders for file in _python_files(folder))
    return tuple(described for file in list(files)[:_MOST_FILES] for described in classes_in(file))


def values_near(place: Place) -> dict[str, Any]:
    """Every setting that was saved with the weights, or in a JSON or YAML file beside or above them, by name."""
    beside: dict[str, Any] = {}
    for folder in reversed(place.folders[:_SETTINGS_FOLDERS]):
        for stem, suffix in product((*SETTINGS_FILES, place.weights.stem), _SETTINGS_SUFFIXES):
            beside |= plain_values(_settings_in(folder / f"{stem}{suffix}"))
    return beside | plain_values(place.saved)


def _settings_in(file: Path) -> Any:
    """What a file of settings holds; None where there is none, or where it can't be read."""
    import yaml  # noqa: PLC0415 - few projects have such files

    try:
        text = file.read_text(encoding="utf-8")
        return json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _python_files(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(folder.glob("*.py"))
        for inner in sorted(folder.iterdir()):
            if inner.is_dir() and not inner.name.startswith((".", *_NOT_CODE)):
                yield from sorted(inner.glob("*.py"))
    except OSError:
        return
