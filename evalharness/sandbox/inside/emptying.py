"""Emptying a folder that a program has written, whatever it made of it."""

from __future__ import annotations

import os


def empty_folder(folder: str) -> None:
    """Remove everything in ``folder``, whatever was done to it. Follows no link.

    Nested folders are moved up before they are emptied, so that no path grows and no call nests: a thousand folders
    inside each other are removed like two.

    Raises:
        OSError: something could not be removed.
    """
    pending, number = [folder], 0
    while pending:
        current = pending.pop()
        for entry in list(os.scandir(current)):
            if entry.is_dir(follow_symlinks=False):
                os.chmod(entry.path, 0o700)
                moved = f"{folder}/.{number}"
                while os.path.lexists(moved):
                    number += 1
                    moved = f"{folder}/.{number}"
                os.rename(entry.path, moved)
                pending.append(moved)
            else:
                os.unlink(entry.path)
        if current != folder:
            os.rmdir(current)
