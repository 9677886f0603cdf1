"""Removing a folder that programs have written, whatever signals come meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

from evalharness.sandbox.inside.emptying import empty_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let signals that would end this process wait. Start no process meanwhile: it would inherit that."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
