"""The processes that one program started, seen from outside through /proc, and how all of them are killed.

Most are in the program's own session and die with its process group. One that left the session is known by its
parent, by the environment or by the working folder that it inherited. On systems without /proc only the group is seen.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_HAS_PROC = sys.platform == "linux"
_KILL_ROUNDS = 500
_KILL_PAUSE_S = 0.002


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    state: str
    parent_pid: int
    session: int
    cpu_ticks: int
    started_ticks: int
    resident_pages: int

    @property
    def key(self) -> tuple[int, int]:
        """A pid alone can be used again."""
        return self.pid, self.started_ticks


@dataclass(frozen=True, slots=True)
class Usage:
    """What all the living processes of one program use together."""

    processes: int
    cpu_s: float
    resident_bytes: int


class Family:
    """The processes that descend from the program whose session leader is ``leader_pid`` and whose folder is named."""

    def __init__(self, leader_pid: int, folder: Path) -> None:
        self._leader_pid = leader_pid
        self._folder = os.fsencode(folder)
        self._members: set[tuple[int, int]] = set()
        self._member_pids: set[int] = set()
        self._strangers: set[tuple[int, int]] = set()

    def usage(self) -> Usage:
        """What they use now; zeros where there is no /proc."""
        alive = self._alive()
        return Usage(
            processes=len(alive),
            cpu_s=sum(p.cpu_ticks for p in alive) / os.sysconf("SC_CLK_TCK"),
            resident_bytes=sum(p.resident_pages for p in alive) * os.sysconf("SC_PAGE_SIZE"),
        )

    def kill(self) -> None:
        """Kill every one of them; the leader is left to be reaped. Gives up on what no signal ends after a second."""
        for _ in range(_KILL_ROUNDS):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._leader_pid, signal.SIGKILL)
            others = [p for p in self._alive() if p.pid != self._leader_pid]
            if not others:
                return
            for process in others:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process.pid, signal.SIGKILL)
            time.sleep(_KILL_PAUSE_S)

    def _alive(self) -> list[_Process]:
        processes = [p for p in map(_read_process, self._recent_pids()) if p is not None and p.state not in "ZX"]
        while any(self._belongs(p) for p in processes if p.key not in self._members):
            pass  # a child's pid can be lower than its parent's, so one pass is not enough
        return [p for p in processes if p.key in self._members]

    def _recent_pids(self) -> list[int]:
        """Every pid that was given after the leader's: nothing older can descend from it."""
        if not _HAS_PROC:
            return []
        pids = [int(name) for name in os.listdir(_PROC) if name.isdecimal()]  # noqa: PTH208 - four times as fast
        first, last = self._leader_pid, _last_pid()
        if last < first:  # the kernel has started again from the bottom
            return [pid for pid in pids if pid >= first or pid <= last]
        return [pid for pid in pids if first <= pid <= last]

    def _belongs(self, process: _Process) -> bool:
        belongs = process.session == self._leader_pid or process.parent_pid in self._member_pids
        if not belongs and process.key not in self._strangers:
            belongs = self._carries_mark(process.pid)
        if belongs:
            self._members.add(process.key)
            self._member_pids.add(process.pid)
        else:
            self._strangers.add(process.key)
        return belongs

    def _carries_mark(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            if b"HOME=" + self._folder + b"\0" in (_PROC / str(pid) / "environ").read_bytes():
                return True
        with contextlib.suppress(OSError):
            working_folder = os.fsencode((_PROC / str(pid) / "cwd").readlink())
            return (working_folder + b"/").startswith((self._folder + b"/", self._folder + b" "))  # " (deleted)"
        return False


def tasks_of_user() -> int:
    """How many processes and threads this user has now, as RLIMIT_NPROC counts them; 0 where there is no /proc."""
    if not _HAS_PROC:
        return 0
    tasks = 0
    for entry in _PROC.iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and entry.stat().st_uid == os.getuid():
                tasks += sum(1 for _ in (entry / "task").iterdir())
    return tasks


def _last_pid() -> int:
    return int((_PROC / "loadavg").read_bytes().split()[-1])


def _read_process(pid: int) -> _Process | None:
    """One process from its stat line (proc(5), the fields after the name), None if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - read for each process, several times a second
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return _Process(
        pid=pid,
        state=fields[0].decode(),
        parent_pid=int(fields[1]),
        session=int(fields[3]),
        cpu_ticks=sum(map(int, fields[11:15])),
        started_ticks=int(fields[19]),
        resident_pages=int(fields[21]),
    )
