"""Removing a folder that programs have written."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from evalharness.sandbox.inside.emptying import empty_folder

if TYPE_CHECKING:
    from pathlib import Path


def remove_folder(folder: Path) -> bool:
    """Remove ``folder`` and everything in it; False if something could not be removed. Follows no link."""
    with contextlib.suppress(OSError):
        if folder.is_symlink() or not folder.is_dir():
            folder.unlink()
        else:
            folder.chmod(0o700)
            empty_folder(str(folder))
            folder.rmdir()
    return not os.path.lexists(folder)
