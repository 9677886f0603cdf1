"""The journal of one kind of record: append-only JSONL, one line a record with the key of all that could change it.

A line that was torn by a kill, or damaged since, is ignored, and its record is made again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from typing import IO, TYPE_CHECKING, Any, Self

from evalharness.errors import StoreError
from evalharness.runs.files import cannot_write
from evalharness.runs.json_values import json_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DAMAGED = AttributeError, LookupError, RecursionError, TypeError, ValueError
"""What reading a line raises that this project did not write so."""


class Journal:
    """Records by key, on disk as they come. Use it in a ``with`` block; ``known`` is what an earlier run left.

    One process holds it at a time: entering raises :class:`StoreError` if another does.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self.known: dict[str, dict[str, Any]] = {}
        self.size_bytes = 0

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.size_bytes = self._take_in()
            # What stands behind the last whole line was torn; a new line appended to it would be lost with it.
            self._file.truncate(self.size_bytes)
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
        line = self.line(key, record).encode("utf-8", "surrogatepass")
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise cannot_write(self._path, error) from error
        self.size_bytes += len(line)

    def line(self, key: str, record: Mapping[str, Any]) -> str:
        """The line of a record, which may have more beside ``key`` and ``record``."""
        return json_line({"key": key, "record": record})

    def remember(self, key: str, record: dict[str, Any], at: int) -> None:  # noqa: ARG002 - for those who read it again
        """Take in a record of an earlier run, whose line begins ``at`` this byte.

        May raise one of ``DAMAGED``; the record is then made again.
        """
        self.known[key] = record

    def _take_in(self) -> int:
        """Take in what an earlier run left, and return where its last whole line ends."""
        whole = 0
        with self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                with contextlib.suppress(*DAMAGED):
                    entry = json.loads(line)
                    self.remember(entry["key"], entry["record"], whole)
                whole += len(line)
        return whole

    def remove(self) -> None:
        """Remove the file: what it holds is written elsewhere."""
        with contextlib.suppress(OSError):
            self._path.unlink()
