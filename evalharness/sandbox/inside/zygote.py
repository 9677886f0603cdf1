"""The interpreter that forks programs: started before any problem is read, it never sees a test or a source.

It is the init of its namespace (level A), keeps each program's clock, output and folder from outside, and leaves
nothing of one program to the next. It talks to the judge of the same worker over a socket of packets: ``run`` with the
program's end of a fresh socket pair, ``kill``; back goes one report for each program.
"""

from __future__ import annotations

import _socket
import contextlib
import gc
import marshal
import math
import os
import resource
import select
import signal
import sys
import time
import warnings

from . import candidate, codec, isolation, kernel, processes, protocol, semaphores, stand_ins
from .settings import DEVICES, OPEN_FILES, Settings

if sys.platform == "linux":
    from . import landlock, seccomp

# What many programs import, so that each of them need not load it: a fork gets it for nothing.
PRELOADED = ("collections", "copy", "functools", "itertools", "math", "operator", "random", "re", "string", "typing")
_TICK_S = 0.02
_CHUNK_BYTES = 1 << 16
_SIGKILL = 9
# A process closes its descriptors before its end can be waited for, both within a millisecond.
_TIME_TO_DIE_S = 0.2


def main() -> None:
    """Serve programs until the other end of the socket closes. Standard input holds the settings."""
    settings = Settings.parse(marshal.loads(sys.stdin.buffer.read()))
    control_fd, lifeline = _above_a_program_s(int(sys.argv[1]), int(sys.argv[2]))
    control = _socket.socket(fileno=control_fd)
    try:
        kernel.die_with_writer(lifeline)
        zygote = Zygote(settings, control)
    except Exception as error:  # noqa: BLE001 - whatever it is, the harness is to hear of it
        control.send(protocol.report(protocol.FAILED + str(error).encode()))
        return
    control.send(protocol.report(protocol.ENTERED))
    zygote.serve()


class Zygote:
    """Forks one program at a time.

    Raises:
        OSError: the level can't be entered.
    """

    def __init__(self, settings: Settings, control: _socket.socket) -> None:
        self._settings = settings._replace(tasks=processes.allowed(resource.RLIMIT_NPROC, settings.tasks))
        self._control = control
        processes.stay_on(settings.core)
        processes.volunteer_for_the_oom_killer()
        _preload()
        stand_ins.number_refused_threads()
        if settings.level != "D":
            stand_ins.install(settings.work, settings.disk_bytes, settings.disk_files)
        warnings.simplefilter("ignore")
        self._rules = _seccomp(settings, executes=False)
        self._other_rules = _seccomp(settings, executes=True) if settings.command else None
        self._place = isolation.enter(settings)
        self._ruleset = _landlock(settings)
        _forget_the_start(settings)
        for number, soft, hard in settings.kernel_limits:
            resource.setrlimit(number, (processes.allowed(number, soft), processes.allowed(number, hard)))
        kernel.forbid_new_privileges()
        self._poll = select.poll()
        self._poll.register(control.fileno(), select.POLLIN)
        self._bell = _bell_for_children()
        self._poll.register(self._bell, select.POLLIN)
        candidate.warm_up()
        gc.collect()
        gc.freeze()
        gc.disable()

    def serve(self) -> None:
        """Run programs until the judge is gone."""
        while True:
            order, ancillary, *_ = self._control.recvmsg(protocol.ORDER_BYTES, _socket.CMSG_LEN(4))
            if not order:
                return
            word, _, number = order.partition(b" ")
            if ancillary:  # a KILL that comes now is for a program that has ended by itself
                fd = int.from_bytes(ancillary[0][2], sys.byteorder)
                command = self._settings.command if word == protocol.EXECUTE.strip() else ()
                self._control.send(protocol.report(self._run(fd, float(number), command)))

    def _run(self, channel_fd: int, cpu_s: float, command: tuple[str, ...]) -> bytes:
        output, output_end = os.pipe()
        self._place.before_program()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(output)
            return protocol.FAILED + processes.why_not_started(error).encode()
        else:
            if pid == 0:
                rules = self._other_rules if command else self._rules
                candidate.live(
                    (channel_fd, output_end), cpu_s, self._settings, self._place, self._ruleset, rules, command
                )
        finally:
            os.close(channel_fd)
            os.close(output_end)
        os.set_blocking(output, False)
        cause, status, usage = self._watch(pid, output, cpu_s)
        os.close(output)
        self._sweep()
        cpu_us = int((usage.ru_utime + usage.ru_stime) * 1e6)
        return f"{cause} {os.waitstatus_to_exitcode(status)} {cpu_us} {usage.ru_maxrss}".encode()

    def _watch(self, pid: int, output: int, cpu_s: float) -> tuple[str, int, resource.struct_rusage]:
        """Wait until the program has ended or must, and see to it that it has.

        Returns why it ended (ended, killed, cpu, output or disk), its wait status, and what it used.
        """
        control, poll, limit_s = self._control.fileno(), self._poll, cpu_s
        poll.register(output, select.POLLIN)
        cause, taken_bytes, next_look_s = "", 0, time.monotonic() + _TICK_S
        reaped, gone_until_s = 0, math.inf
        while not cause:
            ready = [fd for fd, _ in poll.poll(_TICK_S * 1000)]
            if output in ready:
                taken_bytes += _take(output, poll)
                cause = "output" if taken_bytes > self._settings.output_bytes else ""
            if self._bell in ready:
                self._silence()
                reaped, status, usage = os.wait4(pid, os.WNOHANG)  # the bell may still be ringing for the one before
            if reaped:
                cause = cause or "ended"
            elif control in ready:
                word, _, number = self._control.recv(protocol.ORDER_BYTES).partition(b" ")
                if word == protocol.ALLOW:
                    limit_s = min(cpu_s, _used_s(pid) + float(number))
                else:
                    gone_until_s = time.monotonic() + (_TIME_TO_DIE_S if word == protocol.GONE else -1)
            if time.monotonic() > gone_until_s:
                cause = cause or "killed"
            elif time.monotonic() >= next_look_s:
                cause = cause or self._over_limit(pid, limit_s)
                next_look_s = time.monotonic() + _TICK_S
        with contextlib.suppress(KeyError):
            poll.unregister(output)
        if not reaped:
            os.kill(pid, _SIGKILL)
            _, status, usage = os.wait4(pid, 0)
        return cause, status, usage

    def _silence(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._bell, _CHUNK_BYTES)

    def _over_limit(self, pid: int, cpu_s: float) -> str:
        if _used_s(pid) > cpu_s:
            return "cpu"
        return "disk" if self._place.over_limit() else ""

    def _sweep(self) -> None:
        """Nothing of the program is to be there when the next one starts."""
        if self._settings.level == "A":
            try:
                os.kill(-1, _SIGKILL)
                while True:
                    os.waitpid(-1, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
        if self._place.renew() and self._ruleset is not None:
            # Landlock's rules are about the folder itself, not about its name.
            self._ruleset.close()
            self._ruleset = _landlock(self._settings)


def _preload() -> None:
    """Import what programs import; all of them find random in one state, so that a program's verdict is the same."""
    register, os.register_at_fork = os.register_at_fork, lambda **_: None  # random would draw a new seed in each fork
    for name in PRELOADED:
        __import__(name)
    os.register_at_fork = register
    sys.modules["random"].seed(0)
    semaphores.install()
    codec.accept_arrays()  # of the judge, which sends them if a problem's tests do


def _above_a_program_s(*fds: int) -> list[int]:
    """Move ``fds`` right above a program's descriptors, fill those with what reads nothing, and close the rest.

    A caller with many open files gives numbers above those that each program closes.
    """
    null = os.open(os.devnull, os.O_RDWR)
    kept = [os.dup(fd) for fd in fds]
    while min(kept) <= candidate.CHANNEL_FD:
        kept = [os.dup(fd) if fd <= candidate.CHANNEL_FD else fd for fd in kept]
    for fd in range(OPEN_FILES):
        if fd <= candidate.CHANNEL_FD:
            os.dup2(null, fd)
        elif fd not in kept:
            with contextlib.suppress(OSError):
                os.close(fd)
    os.closerange(OPEN_FILES, max(fds) + 1)
    return kept


def _bell_for_children() -> int:
    """A descriptor that can be read when a child has ended."""
    bell, rope = os.pipe()
    os.set_blocking(bell, False)
    os.set_blocking(rope, False)
    signal.set_wakeup_fd(rope, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler there is nothing to wake up for
    return bell


def _seccomp(settings: Settings, *, executes: bool) -> seccomp.Filter | None:
    """The system calls that are allowed; None at the level that has no walls."""
    if settings.level == "D":
        return None
    denies = settings.level in "BC"
    return seccomp.Filter(seccomp.program(os.uname().machine, deny_path_metadata=denies, executes=executes))


def _landlock(settings: Settings) -> landlock.Ruleset | None:
    """Files by name, as a second wall (A, B) or the first (C); None where the kernel has no Landlock."""
    if settings.level == "D":
        return None
    if landlock.abi() == 0:
        return None
    if settings.level in "AB":
        return landlock.Ruleset(
            readable=["/"], writable=[settings.work], devices=_present(DEVICES), executable=settings.executable
        )
    readable, listable = landlock.library_rules(settings.view.folders, settings.view.hidden)
    return landlock.Ruleset(
        readable=[*readable, *settings.view.files],
        # Where a package lies among others, importlib lists their folder; it sees names, and can read none of them.
        listable=[*listable, *filter(os.path.isdir, settings.view.search_path)],
        writable=[settings.work],
        devices=_present(DEVICES),
        executable=settings.executable,
    )


def _present(paths: tuple[str, ...]) -> list[str]:
    return [path for path in paths if os.path.exists(path)]


def _forget_the_start(settings: Settings) -> None:
    """Leave in this interpreter only what a program may know."""
    sys.path[:] = settings.view.search_path
    sys.argv[:] = [""]
    sys.orig_argv[:] = []
    for name in ("PYTHONHASHSEED", "PYTHONIOENCODING"):
        os.environ.pop(name, None)


def _used_s(pid: int) -> float:
    """The CPU time of another process; 0 if it has just ended, and where RLIMIT_CPU alone keeps the limit."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return time.clock_gettime((~pid << 3) | 2)  # its CPU clock, as clock_getcpuclockid(3) makes it
    return 0.0


def _take(output: int, poll: select.poll) -> int:
    """Take what a program has printed and count it; at the pipe's end look no more."""
    try:
        part = os.read(output, _CHUNK_BYTES)
    except BlockingIOError:
        return 0
    if not part:
        poll.unregister(output)
    return len(part)
