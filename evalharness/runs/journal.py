"""The journal of one kind of record: append-only JSONL, one line a record with the key of all that could change it.

A line that was torn by a kill is ignored, and its record is made again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from typing import IO, TYPE_CHECKING, Any

from evalharness.errors import StoreError
from evalharness.runs.files import cannot_write
from evalharness.runs.json_values import json_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class Journal:
    """Records by key, on disk as they come. Use it in a ``with`` block; ``known`` is what an earlier run left.

    One process holds it at a time: entering raises :class:`StoreError` if another does.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self.known: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Journal:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            data = self._path.read_bytes()
            whole = data.rfind(b"\n") + 1
            self.known = dict(_entries(data[:whole]))
            # What stands behind the last whole line was torn; a new line appended to it would be lost with it.
            self._file.truncate(whole)
        except BlockingIOError:
            self.__exit__()
            raise StoreError(f"{self._path}: another evalharness is writing it; wait until it has ended") from None
        except OSError as error:
            raise cannot_write(self._path, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            # A full disk has been told of already, by the append that failed.
            with contextlib.suppress(OSError):
                self._file.close()

    def append(self, key: str, record: Mapping[str, Any]) -> None:
        """Keep one record; it has left this process when this returns. Raises :class:`StoreError`."""
        if self._file is None:
            raise StoreError(f"{self._path}: the journal is not open")
        try:
            self._file.write(self.line(key, record).encode("utf-8", "surrogatepass"))
            self._file.flush()
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def line(self, key: str, record: Mapping[str, Any]) -> str:
        """The line of a record, which may have more beside ``key`` and ``record``."""
        return json_line({"key": key, "record": record})

    def remove(self) -> None:
        """Remove the file: what it holds is written elsewhere."""
        with contextlib.suppress(OSError):
            self._path.unlink()


def _entries(data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in data.split(b"\n"):
        try:
            entry = json.loads(line)
            yield entry["key"], entry["record"]
        except (ValueError, KeyError, TypeError):
            continue
