"""How a fresh interpreter is started: its flags, its environment, its limits, and what it reads."""

from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from evalharness.sandbox.limits import MIB, Limits

_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
# Not -I: it implies -E, and then PYTHONHASHSEED is ignored and sets are ordered anew in each run.
# -B: as root, a bytecode cache written by one program would be read by the next.
_FLAGS = ("-P", "-s", "-S", "-B")
_OPEN_FILES = 256
# Between the soft and the hard limit of memory: what it takes to report that the soft one was reached.
_REPORT_ROOM_BYTES = 32 * MIB
# The CPU limit is kept from outside to the fiftieth of a second; the kernel's own, in whole seconds, stands behind it.
_CPU_SLACK_S = 1


@dataclass(frozen=True, slots=True)
class Host:
    """What every program of one sandbox is started with.

    ``task_ceiling`` is RLIMIT_NPROC, which counts all of the user's processes and threads; 0 leaves it as it is.
    """

    interpreter: str
    limits: Limits
    task_ceiling: int


@dataclass(frozen=True, slots=True)
class Descriptors:
    """What a program is given open: where it prints, where its end is reported, and what ties it to the harness."""

    output: int
    report: int
    lifeline: int


def spawn(program: bytes, *, token: str, folder: Path, host: Host, fds: Descriptors) -> int:
    """Start an interpreter on ``program`` with ``folder`` as its own, in a session of its own; returns its pid.

    Raises:
        OSError: no process, no memory, no disk, or no interpreter.
    """
    with tempfile.TemporaryFile(dir=folder.parent) as source:
        source.write(settings_line(token, fds, host) + program)
        source.seek(0)
        process = subprocess.Popen(  # noqa: S603 - no shell, and running what a model wrote is the purpose
            [host.interpreter, *_FLAGS, str(_BOOTSTRAP)],
            stdin=source,
            stdout=fds.output,
            stderr=fds.output,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
            pass_fds=(fds.report, fds.lifeline),
        )
    process.returncode = 0  # the caller reaps it with wait4, for its times; Popen is not to try
    return process.pid


def settings_line(token: str, fds: Descriptors, host: Host) -> bytes:
    """What ``bootstrap.main`` reads first: token, two descriptors, the harness's pid, and the limits."""
    limits = ",".join(f"{number}:{soft}:{hard}" for number, soft, hard in _kernel_limits(host))
    return f"{token} {fds.report} {fds.lifeline} {os.getpid()} {limits}\n".encode()


def _kernel_limits(host: Host) -> list[tuple[int, int, int]]:
    """The limits that the kernel keeps, as (RLIMIT number, soft, hard)."""
    limits = host.limits
    cpu_s = math.ceil(limits.cpu_s) + _CPU_SLACK_S
    kernel_limits = [
        (resource.RLIMIT_AS, limits.memory_bytes, limits.memory_bytes + _REPORT_ROOM_BYTES),
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 1),
        (resource.RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes),
        (resource.RLIMIT_NOFILE, _OPEN_FILES, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0, 0),
    ]
    if host.task_ceiling:
        kernel_limits.append((resource.RLIMIT_NPROC, host.task_ceiling, host.task_ceiling))
    return kernel_limits


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the caller's but where a shared libpython is found, without which some interpreters don't start."""
    own = {
        "HOME": str(folder),  # also the mark by which a process that left the session is known: see processes
        "TMPDIR": str(folder),
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        # glibc reserves 64 MiB of address space for each of 8 arenas a core, which would count as memory here.
        "MALLOC_ARENA_MAX": "2",
    }
    library_path = os.environ.get("LD_LIBRARY_PATH")
    return own | ({"LD_LIBRARY_PATH": library_path} if library_path and sys.platform == "linux" else {})
