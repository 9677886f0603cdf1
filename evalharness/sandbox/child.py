"""One program, watched from outside: wait for its end or its first limit, kill what is left, say what was seen."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evalharness.sandbox.folder import remove_folder
from evalharness.sandbox.processes import Family
from evalharness.sandbox.spawn import Descriptors, Host, spawn
from evalharness.sandbox.tap import Tap

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

Cause = Literal["ended", "wall", "cpu", "memory", "processes", "output", "channel"]

# How often limits are looked at while nothing happens. A fork bomb makes about a hundred processes in this time.
_TICK_S = 0.02
_LONGEST_REPORT_BYTES = 16384
_MESSAGES_KEPT_BYTES = 2048
# ru_maxrss is in KiB on Linux and in bytes on macOS.
_MAXRSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Ending:
    """What was seen of one program. ``report`` is what came on the private pipe; only ``token`` makes it believed.

    ``cause`` says who ended it: itself, or the harness because of a limit (``channel``: it filled the private pipe).
    ``exit_code`` is minus the signal where one ended it. ``messages`` is the start of what it printed.
    """

    cause: Cause
    report: bytes
    token: bytes
    messages: bytes
    exit_code: int
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int


class Cancelled(Exception):  # noqa: N818 - no error: the caller wants no more results
    """The program was killed because nobody waits for it any longer."""


def run_program(program: bytes, *, folder: Path, host: Host, cancelled: threading.Event) -> Ending:
    """Run ``program`` in ``folder``, which is made for it and removed with all that is in it.

    Blocks until it has ended, by itself or by a limit, and nothing of it is left.

    Raises:
        OSError: it could not be started (no process, no memory, no disk, no interpreter).
        Cancelled: ``cancelled`` was set meanwhile.
    """
    folder.mkdir(mode=0o700)
    try:
        return _run_in(folder, program, host, cancelled)
    finally:
        remove_folder(folder)


def _run_in(folder: Path, program: bytes, host: Host, cancelled: threading.Event) -> Ending:
    started_s = time.monotonic()
    token = os.urandom(16).hex()
    with contextlib.ExitStack() as pipes:
        report = pipes.enter_context(Tap(limit_bytes=_LONGEST_REPORT_BYTES, kept_bytes=_LONGEST_REPORT_BYTES))
        output = pipes.enter_context(Tap(limit_bytes=host.limits.output_bytes, kept_bytes=_MESSAGES_KEPT_BYTES))
        lifeline_fd = pipes.enter_context(_lifeline())
        fds = Descriptors(output=output.write_fd, report=report.write_fd, lifeline=lifeline_fd)
        child = _Child(spawn(program, token=token, folder=folder, host=host, fds=fds), folder, report, output)
        try:
            cause = child.watch(host, cancelled, started_s)
        finally:
            child.end()
    return Ending(
        cause=cause,
        report=bytes(report.head),
        token=token.encode(),
        messages=bytes(output.head),
        exit_code=child.exit_code,
        wall_s=time.monotonic() - started_s,
        cpu_s=child.cpu_s,
        peak_memory_bytes=child.peak_memory_bytes,
    )


@contextlib.contextmanager
def _lifeline() -> Iterator[int]:
    """The read end of a pipe that only this process holds open: when it closes, the program is killed.

    One for each program, because the kernel keeps whom to signal with the open pipe and not with the descriptor.
    """
    read_fd, write_fd = os.pipe()
    try:
        yield read_fd
    finally:
        os.close(read_fd)
        os.close(write_fd)


class _Child:
    """A running program: ``watch`` once, then ``end``; what ``end`` learned is in the attributes."""

    exit_code: int
    cpu_s: float

    def __init__(self, pid: int, folder: Path, report: Tap, output: Tap) -> None:
        self.peak_memory_bytes = 0
        self._pid = pid
        self._report, self._output = report, output
        self._family = Family(pid, folder)
        self._exit_fd = _open_exit_fd(pid)
        self._reaped = False

    def watch(self, host: Host, cancelled: threading.Event, started_s: float) -> Cause:
        """Wait for the program's end or its first limit."""
        self._report.close_write_end()
        self._output.close_write_end()
        next_look_s = started_s + _TICK_S
        while True:
            exited = self._wait_until(next_look_s)
            # The report first: what was printed before it is then in the other pipe.
            self._report.drain()
            self._output.drain()
            if self._output.over_limit or self._report.over_limit:
                return "output" if self._output.over_limit else "channel"
            if exited or self._report.head.count(b"\n") >= 2:
                return "ended"
            if time.monotonic() >= next_look_s:
                if cancelled.is_set():
                    raise Cancelled
                if cause := self._broken_limit(host, time.monotonic() - started_s):
                    return cause
                next_look_s = time.monotonic() + _TICK_S

    def end(self) -> None:
        """Kill what is left and reap the program."""
        self._family.kill()
        if not self._reaped:
            self._reap(0)
        if self._exit_fd >= 0:
            os.close(self._exit_fd)

    def _wait_until(self, moment_s: float) -> bool:
        """Sleep until something happens; True if the program has exited."""
        poll = select.poll()
        for tap in (self._report, self._output):
            if not tap.at_end:
                poll.register(tap.fd, select.POLLIN)
        if self._exit_fd >= 0:
            poll.register(self._exit_fd, select.POLLIN)
        ready = poll.poll(max(0.0, moment_s - time.monotonic()) * 1000)
        if self._exit_fd >= 0:
            return any(fd == self._exit_fd for fd, _ in ready)
        return self._reap(os.WNOHANG)

    def _reap(self, options: int) -> bool:
        pid, status, usage = os.wait4(self._pid, options)
        if pid == 0:
            return False
        self._reaped = True
        self.exit_code = os.waitstatus_to_exitcode(status)
        self.cpu_s = usage.ru_utime + usage.ru_stime
        peak_bytes = usage.ru_maxrss * _MAXRSS_UNIT_BYTES
        # Linux carries the harness's own peak over exec into the child's: only what is above it is the child's.
        if sys.platform != "linux" or peak_bytes > _own_peak_bytes():
            self.peak_memory_bytes = max(self.peak_memory_bytes, peak_bytes)
        return True

    def _broken_limit(self, host: Host, wall_s: float) -> Cause | None:
        usage = self._family.usage()
        self.peak_memory_bytes = max(self.peak_memory_bytes, usage.resident_bytes)
        if usage.processes > host.limits.processes:
            return "processes"
        if usage.resident_bytes > host.limits.memory_bytes:
            return "memory"
        if usage.cpu_s > host.limits.cpu_s:
            return "cpu"
        return "wall" if wall_s > host.limits.wall_s else None


def _own_peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT_BYTES


def _open_exit_fd(pid: int) -> int:
    """A descriptor that is readable when the process has exited, -1 where the system has none."""
    if not hasattr(os, "pidfd_open"):
        return -1
    try:
        return os.pidfd_open(pid)
    except OSError:  # an old or an emulated kernel, or no descriptors left: look at each tick
        return -1
