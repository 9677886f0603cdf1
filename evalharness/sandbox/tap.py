"""A pipe that a program writes and the harness reads, never waiting and never taking more than it should."""

from __future__ import annotations

import os
from typing import Self

_CHUNK_BYTES = 1 << 16


class Tap:
    """The reading end of a pipe. Counts what comes, keeps the first ``kept_bytes``, stops above ``limit_bytes``.

    ``write_fd`` is to be handed to the program and closed here with ``close_write_end``.

    Raises:
        OSError: there are no file descriptors left.
    """

    def __init__(self, *, limit_bytes: int, kept_bytes: int) -> None:
        self.fd, self.write_fd = os.pipe()
        os.set_blocking(self.fd, False)
        self.head = bytearray()
        self.at_end = False
        self._limit_bytes = limit_bytes
        self._kept_bytes = kept_bytes
        self._taken_bytes = 0

    @property
    def over_limit(self) -> bool:
        """More came than was allowed."""
        return self._taken_bytes > self._limit_bytes

    def drain(self) -> None:
        """Take what is in the pipe now."""
        while not (self.over_limit or self.at_end):
            try:
                part = os.read(self.fd, _CHUNK_BYTES)
            except BlockingIOError:
                return
            self.at_end = not part
            self._taken_bytes += len(part)
            self.head += part[: max(0, self._kept_bytes - len(self.head))]

    def close_write_end(self) -> None:
        """Close the program's end here, so that the program's death ends the pipe."""
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_write_end()
        os.close(self.fd)
