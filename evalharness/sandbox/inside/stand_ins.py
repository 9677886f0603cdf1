"""Calls of Python that are refused and that honest programs make, answered by what a program may know.

The system calls and files below them stay refused: they would tell what others do, or reach them.
"""

from __future__ import annotations

import _thread
import errno
import os
import pwd
import resource
import signal
import sys
import threading
import time

from . import errors_told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_BLOCK_BYTES = 4096
_LONGEST_NAME = 255
_COUNTS_OF_USAGE = 14
_USER = "program"
_STARTING_THREADS = ("start_new_thread", "start_new", "start_joinable_thread")


def install(work: str, disk_bytes: int, disk_files: int) -> None:
    """Answer in this interpreter, and in its forks. ``work`` is a program's own folder, with what may be left in it."""
    own_kill = os.kill

    def statvfs(path: Any) -> os.statvfs_result:
        """The program's own folder as if it were empty; no room anywhere else."""
        name = os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else os.path.abspath(os.fsdecode(path))
        is_own = f"{name}/".startswith((f"{work}/", "/tmp/"))  # noqa: S108 - where programs may write
        blocks, files = (disk_bytes // _BLOCK_BYTES, disk_files) if is_own else (0, 0)
        space = (_BLOCK_BYTES, _BLOCK_BYTES, blocks, blocks, blocks, files, files, files)
        return os.statvfs_result((*space, 0, _LONGEST_NAME))

    def kill(pid: int, number: int) -> None:
        """A signal to oneself."""
        if pid == os.getpid() and number != 0:
            raise_signal(number)
        else:
            own_kill(pid, number)

    def getpwuid(uid: int) -> pwd.struct_passwd:
        """A user of one's own, and nobody else."""
        if uid != os.getuid():
            raise KeyError(f"getpwuid(): uid not found: {uid}")
        return pwd.struct_passwd((_USER, "x", uid, os.getgid(), _USER, work, "/bin/sh"))

    def getpwnam(name: str) -> pwd.struct_passwd:
        """The same."""
        if name != _USER:
            raise KeyError(f"getpwnam(): name not found: {name!r}")
        return getpwuid(os.getuid())

    os.statvfs, os.kill = statvfs, kill
    pwd.getpwuid, pwd.getpwnam, pwd.getpwall = getpwuid, getpwnam, lambda: [getpwuid(os.getuid())]
    resource.getrusage = getrusage
    signal.raise_signal = raise_signal


def getrusage(who: int) -> resource.struct_rusage:
    """The CPU time of this process, all of it as the user's; of its children, of which there are none, and else, 0."""
    used_s = 0.0 if who == resource.RUSAGE_CHILDREN else time.process_time()
    return resource.struct_rusage((used_s, 0.0, *[0] * _COUNTS_OF_USAGE))


def raise_signal(number: int) -> None:
    """Call the handler that the program has for a signal. Raises PermissionError if it has none."""
    handler = signal.getsignal(number)
    if callable(handler):
        handler(number, sys._getframe(1))  # noqa: SLF001 - it is what Python itself hands over
    elif handler != signal.SIG_IGN:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def number_refused_threads() -> None:
    """Give Python's error of a thread that can't be started a number: all that it says by itself is a sentence."""
    for name in _STARTING_THREADS:  # which there are depends on the interpreter's version
        for module, known_as in ((_thread, name), (threading, f"_{name}")):
            if hasattr(module, known_as):
                setattr(module, known_as, _numbering(getattr(module, known_as)))


def _numbering(start: Callable[..., Any]) -> Callable[..., Any]:
    def start_thread(*arguments: Any, **named: Any) -> Any:
        try:
            return start(*arguments, **named)
        except RuntimeError as error:
            error.errno = errors_told.NO_THREAD_ERRNO  # type: ignore[attr-defined]
            raise

    return start_thread
