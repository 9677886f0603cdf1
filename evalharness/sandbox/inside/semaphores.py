"""Semaphores of multiprocessing without a file in /dev/shm: where no process can be started, threads' locks do.

``multiprocessing.pool.ThreadPool`` and its queues and locks are made of them.
"""

from __future__ import annotations

import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

_RECURSIVE = 0


class SemLock:
    """What ``_multiprocessing.SemLock`` is: a recursive mutex (``kind`` 0) or a semaphore (1), within one process."""

    SEM_VALUE_MAX = (1 << 31) - 1
    name = None  # a named one would be reported to a process that removes names

    def __init__(self, kind: int, value: int, maxvalue: int, name: str, unlink: bool) -> None:  # noqa: ARG002 - as its
        if not 0 <= value <= maxvalue:
            raise ValueError("invalid value")
        self.kind, self.maxvalue, self.handle = kind, maxvalue, id(self)
        self._value = value
        self._changed = threading.Condition(threading.Lock())
        self._owner, self._depth = 0, 0

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Take one; False if there is none in time."""
        me = threading.get_ident()
        if self.kind == _RECURSIVE and self._owner == me:
            self._depth += 1
            return True
        deadline_s = None if timeout is None else time.monotonic() + max(0.0, timeout)
        with self._changed:
            while self._value == 0:
                left_s = None if deadline_s is None else deadline_s - time.monotonic()
                if not block or (left_s is not None and left_s <= 0) or not self._changed.wait(left_s):
                    return False
            self._value -= 1
            self._owner, self._depth = me, self._depth + 1
        return True

    def release(self) -> None:
        """Give one back. Raises AssertionError or ValueError where there is none to give, as the original does."""
        if self.kind == _RECURSIVE:
            if not self._is_mine():
                raise AssertionError("attempt to release recursive lock not owned by thread")
            if self._depth > 1:
                self._depth -= 1
                return
        with self._changed:
            if self._value >= self.maxvalue:
                raise ValueError("semaphore or lock released too many times")
            self._value += 1
            self._depth -= 1
            self._owner = 0 if self.kind == _RECURSIVE else self._owner
            self._changed.notify()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.release()

    def _count(self) -> int:
        return max(0, self._depth)

    def _is_mine(self) -> bool:
        return self._depth > 0 and self._owner == threading.get_ident()

    def _get_value(self) -> int:
        return self._value

    def _is_zero(self) -> bool:
        return self._value == 0

    def _after_fork(self) -> None:
        """There is no fork."""


def install() -> None:
    """Have multiprocessing make its semaphores of this class."""
    try:
        module: Any = __import__("_multiprocessing")
    except ImportError:  # not every interpreter has it
        return
    module.SemLock = SemLock
    module.sem_unlink = lambda _: None
