"""This user's folder for what can be had again: files of problem sets, and what canonical solutions answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def cache_folder(environment: Mapping[str, str]) -> Path:
    """``evalharness`` in ``XDG_CACHE_HOME``, else in ``~/.cache``. It need not exist."""
    named = environment.get("XDG_CACHE_HOME", "")
    return (Path(named) if Path(named).is_absolute() else Path.home() / ".cache") / "evalharness"


def usable(folder: Path) -> Path | None:
    """The folder, made if it is not there; None if it can't be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder
