"""The run folder. Nothing else writes files.

While a stage works, each record goes to a journal: append-only JSONL, one line a record with the key of everything that
could change it. A line that was torn by a kill is ignored and its record made again. The files that people open are
written whole, beside it, and put in place in one step.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from evalharness.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class RunFolder:
    """``reports/<run>/<step>/``, held by one process at a time. Use it in a ``with`` block."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / ".lock")

    def __enter__(self) -> RunFolder:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise StoreError(f"{self.path}: another evalharness is writing there; wait for it or give --out") from None
        except OSError as error:
            raise StoreError(f"{self.path}: can't be written: {error.strerror or error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        # The lock's file stays: removing it could leave two processes with a lock each, on the old file and a new one.
        self._lock.release()

    def journal(self, name: str) -> Journal:
        """The journal of one kind of record."""
        return Journal(self.path / ".journal" / f"{name}.jsonl")

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a whole file in one step; a reader sees the old one or the new one. Raises :class:`StoreError`."""
        return write_file(self.path / name, content)

    def write_rows(self, name: str, rows: Iterable[Mapping[str, Any]]) -> Path:
        """Write rows as JSONL."""
        return self.write(name, "".join(json_line(row) for row in rows))


def write_file(target: Path, content: str | bytes) -> Path:
    """Write a whole file in one step, its folder too; a reader sees the old one or the new one. Raises StoreError."""
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", suffix=".tmp", delete=False) as file:
            try:
                file.write(data)
                file.flush()
                Path(file.name).chmod(0o644)
                Path(file.name).replace(target)
            except OSError:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise _cannot_write(target, error) from error
    return target


def append_file(target: Path, text: str, *, largest_bytes: int) -> bool:
    """Append to a file, unless that would grow beyond ``largest_bytes``; say whether it was done. Raises StoreError."""
    data = text.encode("utf-8", "replace")
    try:
        if len(data) + (target.stat().st_size if target.exists() else 0) > largest_bytes:
            return False
        with target.open("ab") as file:
            file.write(data)
    except OSError as error:
        raise _cannot_write(target, error) from error
    return True


@contextlib.contextmanager
def turn(lock: Path) -> Iterator[None]:
    """Wait until no other process is in its turn, and keep them waiting meanwhile. Raises StoreError."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock)
        held.acquire()
    except OSError as error:
        raise _cannot_write(lock, error) from error
    try:
        yield
    finally:
        held.release()


class Journal:
    """Records by key, on disk as they come. Use it in a ``with`` block; ``known`` is what an earlier run left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self.known: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Journal:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            whole = 0
            if self._path.exists():
                data = self._path.read_bytes()
                whole = data.rfind(b"\n") + 1
                self.known = dict(_entries(data[:whole]))
            self._file = self._path.open("ab")
            # What stands behind the last whole line was torn; a new line appended to it would be lost with it.
            self._file.truncate(whole)
        except OSError as error:
            raise _cannot_write(self._path, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            # A full disk has been told of already, by the append that failed.
            with contextlib.suppress(OSError):
                self._file.close()

    def append(self, key: str, record: Mapping[str, Any]) -> None:
        """Keep one record; it has left this process when this returns. Raises :class:`StoreError`."""
        if self._file is None:
            raise StoreError(f"{self._path}: not open")
        try:
            self._file.write(json_line({"key": key, "record": record}).encode("utf-8", "surrogatepass"))
            self._file.flush()
        except OSError as error:
            raise _cannot_write(self._path, error) from error


def json_line(row: Mapping[str, Any]) -> str:
    """One line of JSONL. Lone surrogates are escaped, so that the line is valid UTF-8 whatever a model wrote."""
    text = json.dumps(row, ensure_ascii=False, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps(row, ensure_ascii=True, allow_nan=False)
    # These end a line for some readers of JSONL.
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\x85", "\\u0085") + "\n"


def _entries(data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in data.split(b"\n"):
        try:
            entry = json.loads(line)
            yield entry["key"], entry["record"]
        except (ValueError, KeyError, TypeError):
            continue


def _cannot_write(path: Path, error: OSError) -> StoreError:
    return StoreError(f"{path}: can't be written: {os.strerror(error.errno) if error.errno else error}")
