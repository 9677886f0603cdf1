"""Calls of Python that seccomp refuses and honest programs make, answered by what a program may know.

The system calls below them stay refused: they would tell what others do, or reach them.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BLOCK_BYTES = 4096
_LONGEST_NAME = 255
_COUNTS_OF_USAGE = 14


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

    os.statvfs, os.kill = statvfs, kill
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
