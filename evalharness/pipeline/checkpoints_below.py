"""The checkpoints of other runs below a folder, so that a log that lies there is not taken for another run's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from evalharness.models.torch import kind_of, weight_files_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from evalharness.settings.manifest import Manifest

DEEPEST = 4
"""How many folders down they are looked for."""
MOST_FOLDERS = 2_000
_NOT_LOOKED_INTO = frozenset(("node_modules", "site-packages", "__pycache__"))


def checkpoints_below(folder: Path, without: Collection[Path], manifest: Manifest) -> Iterator[Path]:
    """Whole models and adapters, nearest first; not those in ``without``, nor the base that a manifest names."""
    base = manifest.model.weights
    left_out = {*without, *([] if base is None else [base.resolve()])}
    folders = [(folder, 0)]
    for looked_into, (place, depth) in enumerate(folders):  # it grows while it is gone through
        yield from (file for file in weight_files_in(place) if file not in left_out)
        for child in _folders_in(place) if depth < DEEPEST and looked_into < MOST_FOLDERS else ():
            if child in left_out:
                continue
            if kind_of(child, plain=manifest.model.factory is not None) is None:
                folders.append((child, depth + 1))
            else:
                yield child


def _folders_in(folder: Path) -> list[Path]:
    """The folders that can be read, but for hidden ones and those of packages."""
    folders = (child for child in folder.iterdir() if child.is_dir() and os.access(child, os.R_OK | os.X_OK))
    return sorted(child for child in folders if not child.name.startswith(".") and child.name not in _NOT_LOOKED_INTO)
