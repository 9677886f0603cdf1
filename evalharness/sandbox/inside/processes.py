"""What several of the sandbox's interpreters do to themselves."""

from __future__ import annotations

import contextlib
import errno
import os
import resource


def stay_on(core: int) -> None:
    """Run on one core only: judge and program take turns, and a hand-over on one core is the cheapest."""
    if core >= 0 and hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {core})


def volunteer_for_the_oom_killer() -> None:
    """Where the machine's memory ends, a program is to go, not the harness."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def allowed(number: int, wanted: int) -> int:
    """A limit that is not above what is already in force."""
    ceiling = resource.getrlimit(number)[1]
    return wanted if ceiling == resource.RLIM_INFINITY else min(wanted, ceiling)


def why_not_started(error: OSError) -> str:
    """Why there is no new process, with what to do about it."""
    hint = ": this user may start no more processes (ulimit -u)" if error.errno == errno.EAGAIN else ""
    return f"{error}{hint}"


def resident_kib() -> int:
    """What this process holds in memory, in KiB; 0 where /proc is hidden, so that nobody can tell.

    Not ``ru_maxrss``, which begins at the peak of the process that started this one: with a model in its caller,
    each judge would look full after its first program.
    """
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize() >> 10
    except OSError:
        return 0
