"""Files are written whole, beside their place, and put there in one step: a reader sees the old one or the new one."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from filelock import FileLock

from evalharness.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def write_file(target: Path, content: str | bytes) -> Path:
    """Write a whole file in one step, its folder too; a reader sees the old one or the new one. Raises StoreError."""
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _put_in_place(target, data)
    except OSError as error:
        raise cannot_write(target, error) from error
    return target


def write_lines(target: Path, lines: Iterable[str]) -> Path:
    """The same for a file that is made line by line. Raises StoreError."""
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.writelines(line.encode("utf-8", "surrogatepass") for line in lines)
        temporary.chmod(0o644)
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise cannot_write(target, error) from error
        raise
    return target


def check_writable(folder: Path) -> None:
    """Raise StoreError if no file can be written there; to be asked before long work."""
    tried = folder / f".{secrets.token_hex(8)}.try"
    try:
        _put_in_place(tried, b"")
        tried.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error


def _put_in_place(target: Path, data: bytes) -> None:
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        temporary.chmod(0o644)
        temporary.replace(target)
    except BaseException:  # a signal, too, leaves nothing beside the file
        temporary.unlink(missing_ok=True)
        raise


def append_file(target: Path, text: str, *, largest_bytes: int) -> bool:
    """Append to a file, unless that would grow beyond ``largest_bytes``; say whether it was done. Raises StoreError."""
    data = text.encode("utf-8", "replace")
    try:
        if len(data) + (target.stat().st_size if target.exists() else 0) > largest_bytes:
            return False
        with target.open("ab") as file:
            file.write(data)
    except OSError as error:
        raise cannot_write(target, error) from error
    return True


@contextlib.contextmanager
def turn(lock: Path) -> Iterator[None]:
    """Wait until no other process is in its turn, and keep them waiting meanwhile. Raises StoreError."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file_lock = FileLock(lock)
        file_lock.acquire()
    except OSError as error:
        raise cannot_write(lock, error) from error
    try:
        yield
    finally:
        file_lock.release()


def cannot_write(path: Path, error: OSError) -> StoreError:
    """The error of a file or folder that could not be written, in one line."""
    return StoreError(f"{path}: can't be written: {os.strerror(error.errno) if error.errno else error}")
