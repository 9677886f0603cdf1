"""How long a program has really waited, on a machine that may be busy with other things."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_RUNNABLE = "R"


class Busy(NamedTuple):
    """Seconds of computing, and of waiting for a core to compute on; ``now``: one or the other at this moment.

    A thread takes its seconds along when it ends. Of short threads ``now`` tells, asked again and again.
    """

    computed: float
    waited: float
    now: bool


def busy_s(pid: int) -> Busy:
    """What a process and all below it have been busy with since their start.

    Zeros where the system does not tell (schedstat, proc(5)). Of a process that has gone nothing is counted.
    """
    computed_ns, waited_ns, now = 0, 0, False
    for member in _with_descendants(pid):
        for thread in _threads(member):
            try:
                computed, waited, _ = (thread / "schedstat").read_text().split()
                now = now or _state(thread) == _RUNNABLE
            except (OSError, ValueError):
                now = now or not thread.exists()  # one that has ended since it was listed was running
            else:
                computed_ns += int(computed)
                waited_ns += int(waited)
    return Busy(computed_ns / 1e9, waited_ns / 1e9, now)


def _threads(pid: int) -> list[Path]:
    try:
        return list((_PROC / str(pid) / "task").iterdir())
    except OSError:
        return []


def _state(thread: Path) -> str:
    """A thread's state as one letter, see proc_pid_stat(5); its name, in parentheses, can be anything."""
    return (thread / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]


def _with_descendants(pid: int) -> list[int]:
    pids = [pid]
    for member in pids:  # grows while it is walked
        with contextlib.suppress(OSError):
            children = (_PROC / str(member) / "task" / str(member) / "children").read_text()
            pids.extend(map(int, children.split()))
    return pids


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
