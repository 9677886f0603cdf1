"""The run folder, held by one process at a time. While a stage works, each record goes to a journal at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from evalharness.errors import StoreError
from evalharness.runs import paths
from evalharness.runs.files import write_file
from evalharness.runs.journal import Journal
from evalharness.runs.json_values import json_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


class RunFolder:
    """``reports/<run>/<step>/``, held by one process at a time. Use it in a ``with`` block."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / paths.LOCK)

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
        return Journal(self.path / paths.journal(name))

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a whole file in one step; a reader sees the old one or the new one. Raises :class:`StoreError`."""
        return write_file(self.path / name, content)

    def write_pages(self, pages: Mapping[str, str]) -> None:
        """Write the pages of a report by their names; parts of an earlier one that had more of them go."""
        for name, page in pages.items():
            self.write(name, page)
        for part in self.path.glob(paths.PAGE_PARTS_PATTERN):
            if part.name not in pages:
                part.unlink(missing_ok=True)

    def write_rows(self, name: str, rows: Iterable[Mapping[str, Any]], *, allow_nan: bool = False) -> Path:
        """Write rows as JSONL; ``allow_nan`` for rows of others (see :func:`json_line`)."""
        return self.write(name, "".join(json_line(row, allow_nan=allow_nan) for row in rows))
