"""The user's own code and settings around a checkpoint, as far as they can be read without running anything."""

from __future__ import annotations

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
SETTINGS_FILES = ("config.json", "model_config.json", "hparams.json", "args.json", "params.json")


def code_near(place: Place) -> tuple[PythonClass, ...]:
    """The classes in the Python files of the checkpoint's folders and the folders in these, the nearest first."""
    files = dict.fromkeys(file.resolve() for folder in place.folders for file in _python_files(folder))
    return tuple(described for file in list(files)[:_MOST_FILES] for described in classes_in(file))


def values_near(place: Place) -> dict[str, Any]:
    """Every setting that was saved with the weights or in a JSON file beside them, by name."""
    files = (*SETTINGS_FILES, f"{place.weights.stem}.json")
    beside = {name: value for file in files for name, value in plain_values(place.beside(file)).items()}
    return beside | plain_values(place.saved)


def _python_files(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(folder.glob("*.py"))
        for inner in sorted(folder.iterdir()):
            if inner.is_dir() and not inner.name.startswith((".", *_NOT_CODE)):
                yield from sorted(inner.glob("*.py"))
    except OSError:
        return
