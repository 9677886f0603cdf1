"""Frames over a descriptor: four bytes of length, then that many bytes, the first of which may be a token."""

from __future__ import annotations

import posix

_LENGTH_BYTES = 4
_CHUNK_BYTES = 1 << 16


class BadFrame(Exception):  # noqa: N818 - what arrived, not what went wrong here
    """The other side ended inside a frame, or named a length above the limit."""


def send(fd: int, payload: bytes, token: bytes = b"") -> None:
    """Write one frame whole: ``token``, then ``payload``.

    Raises:
        OSError: the other side is gone.
    """
    frame = b"".join(((len(token) + len(payload)).to_bytes(_LENGTH_BYTES, "little"), token, payload))
    sent = posix.write(fd, frame)
    while sent < len(frame):
        sent += posix.write(fd, frame[sent : sent + _CHUNK_BYTES])


class Receiver:
    """Reads frames of at most ``limit_bytes``; a length is judged before anything is allocated for it."""

    def __init__(self, fd: int, limit_bytes: int) -> None:
        self._fd = fd
        self._limit_bytes = limit_bytes
        self._buffer = b""
        self.token = b""

    def receive(self, token_bytes: int = 0) -> bytes | None:
        """The next frame, None where the other side has ended before it; without its token, which is then ``token``.

        Raises:
            BadFrame: it is too long, or the other side ended inside it.
            OSError: the descriptor can't be read.
        """
        buffer = self._buffer or posix.read(self._fd, _CHUNK_BYTES)
        if not buffer:
            return None
        while len(buffer) < _LENGTH_BYTES:
            buffer += self._read_more()
        end = int.from_bytes(buffer[:_LENGTH_BYTES], "little") + _LENGTH_BYTES
        if end > self._limit_bytes:
            raise BadFrame(f"more than {self._limit_bytes} bytes")
        if len(buffer) < end:
            parts, missing = [buffer], end - len(buffer)
            while missing > 0:
                parts.append(self._read_more())
                missing -= len(parts[-1])
            buffer = b"".join(parts)
        self._buffer = buffer[end:]
        start = _LENGTH_BYTES + token_bytes
        self.token = buffer[_LENGTH_BYTES : min(start, end)]
        return buffer[start:end]

    def _read_more(self) -> bytes:
        part = posix.read(self._fd, _CHUNK_BYTES)
        if not part:
            raise BadFrame("it ended inside an answer")
        return part
