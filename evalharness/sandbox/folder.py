"""Removing what a program left behind, whatever it did to its folder."""

from __future__ import annotations

import contextlib
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def remove_folder(folder: Path) -> bool:
    """Remove ``folder`` and everything in it; False if something could not be removed. Follows no link.

    Nested folders are moved up beside their parent before they are emptied, so that no path grows and no call nests:
    a thousand folders inside each other are removed like two.
    """
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        with contextlib.suppress(OSError):
            _empty(folder)
        with contextlib.suppress(OSError):
            folder.rmdir()
    return not os.path.lexists(folder)


def _empty(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink()
        return
    pending = [folder]
    fresh_names = (folder.with_name(f"{folder.name}.{n}") for n in itertools.count())
    while pending:
        current = pending.pop()
        pending.extend(_empty_level(current, fresh_names))
        if current != folder:
            current.rmdir()


def _empty_level(folder: Path, fresh_names: Iterator[Path]) -> list[Path]:
    """Delete the files of one folder and move its folders out; returns where they are now."""
    folder.chmod(0o700)
    moved = []
    with os.scandir(folder) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                # A folder can be renamed to another parent only by who may write in it.
                os.chmod(entry.path, 0o700)  # noqa: PTH101 - a DirEntry has its path as text
                moved.append(Path(entry.path).rename(next(fresh_names)))
            else:
                os.unlink(entry.path)  # noqa: PTH108 - the same
    return moved
