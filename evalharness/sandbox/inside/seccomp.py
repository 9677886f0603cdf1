"""The system calls that a program may make: a seccomp filter as an allow-list (seccomp(2)).

What is not in the table fails with EPERM, as the argument checks do. Some calls are PRETENDed: they return 0 and do
nothing, because programs go on well without what they would have done, and not without the 0. A call by a foreign
architecture's numbers (32-bit calls, x32) kills the process. The filter runs in every program's process, so it is put
together once, beforehand.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# Call, number on x86_64, number on aarch64, and its condition: nothing, a rule of RULES, or an error to fail with.
TABLE = """
# What is open already, but not what the kernel holds of it in memory (preadv2, fadvise64), which all programs share.
# sendfile and copy_file_range, by which shutil and pathlib copy, are a read and a write. A lock is
# pretended: no other process is to be kept off, and on a file that all programs may read it would be a channel.
read                    0       63
write                   1       64
readv                  19       65
writev                 20       66
pread64                17       67
pwrite64               18       68
preadv                295       69
pwritev               296       70
lseek                   8       62
sendfile               40       71
copy_file_range       326      285
fsync                  74       82
fdatasync              75       83
fallocate             285       47
ftruncate              77       46
close                   3       57
close_range           436      436
dup                    32       23
dup2                   33        -
dup3                  292       24
pipe                   22        -
pipe2                 293       59
fcntl                  72       25 fcntl
flock                  73       32 PRETEND
ioctl                  16       29 ioctl

# Files by name, but not how full their disk is (statfs), which others change; which files is for the root and for
# Landlock to say. No link, FIFO or device is made: whoever looks into the folder afterwards might follow it. Extended
# attributes are said not to exist, which shutil.copystat takes for an answer, as it does not EPERM.
open                    2        -
openat                257       56
openat2               437      437 ENOSYS
stat                    4        -
lstat                   6        -
fstat                   5       80
newfstatat            262       79
statx                 332      291
access                 21        -
faccessat             269       48
faccessat2            439      439
readlink               89        -
readlinkat            267       78
getdents64            217       61
getcwd                 79       17
chdir                  80       49
fchdir                 81       50
mkdir                  83        -
mkdirat               258       34
rmdir                  84        -
unlink                 87        -
unlinkat              263       35
rename                 82        -
renameat              264       38
renameat2             316      276
truncate               76       45
umask                  95      166
chmod                  90        -
fchmod                 91       52
fchmodat              268       53
fchmodat2             452      452
utimensat             280       88
listxattr             194       11 ENOTSUP
llistxattr            195       12 ENOTSUP
flistxattr            196       13 ENOTSUP

# Memory. Not memfd_create, whose pages neither RLIMIT_AS nor the size of the folder bounds; no shared memory.
brk                    12      214
mmap                    9      222
munmap                 11      215
mremap                 25      216
mprotect               10      226
madvise                28      233
msync                  26      227

# Threads and their locks. pthread_getattr_np, which CPython 3.14 calls, asks for the affinity by a thread's number. Of
# a lock that is not the process's own, waiting and waking are pretended: all programs could meet at a place of a file
# that they may read. pthread_join waits so, and looks again when it is woken.
clone                  56      220 thread
clone3                435      435 ENOSYS
futex                 202       98 own_lock
set_robust_list       273       99
set_tid_address       218       96
rseq                  334      293
sched_yield            24      124
sched_getaffinity     204      123
getcpu                309      168
gettid                186      178
prctl                 157      167 prctl

# Signals, handled and awaited. None is sent, not even to oneself: a filter can't tell whose number a pid is.
rt_sigaction           13      134
rt_sigprocmask         14      135
rt_sigreturn           15      139
rt_sigpending         127      136
rt_sigsuspend         130      133
rt_sigtimedwait       128      137
sigaltstack           131      132
pause                  34        -
alarm                  37        -
getitimer              36      102
setitimer              38      103

# Time, without getrusage, which counts what had to be read from the disk. The clocks with negative numbers are those of
# other processes.
clock_gettime         228      113 own_clock
clock_getres          229      114 own_clock
clock_nanosleep       230      115 own_clock
nanosleep              35      101
gettimeofday           96      169
time                  201        -
times                 100      153

# Waiting, and asyncio's event loop, which wakes itself through a socket pair by send and recv. sendmsg and recvmsg
# are not needed, and would carry descriptors, and an address that no filter sees.
select                 23        -
pselect6              270       72
poll                    7        -
ppoll                 271       73
epoll_create1         291       20
epoll_ctl             233       21
epoll_wait            232        -
epoll_pwait           281       22
epoll_pwait2          441      441
eventfd2              290       19
socketpair             53      199 local
sendto                 44      206 unaddressed
recvfrom               45      207
shutdown               48      210
getsockname            51      204
getpeername            52      205
getsockopt             55      209 kind

# Who and where one is.
getpid                 39      172
getppid               110      173
getpgrp               111        -
getpgid               121      155 own
getsid                124      156 own
getuid                102      174
geteuid               107      175
getgid                104      176
getegid               108      177
getresuid             118      148
getresgid             120      150
getgroups             115      158
getrlimit              97      163
prlimit64             302      261 own_reading
uname                  63      160
getrandom             318      278

# The end. There is no child to wait for.
wait4                  61      260
waitid                247       95
restart_syscall       219      128
exit                   60       93
exit_group            231       94
"""
"""The allowed calls, and those that must fail otherwise than with EPERM for a library to do without them."""

# No version of Landlock looks at a change of mode or times, by name or by descriptor: the change is pretended, and
# shutil.copy succeeds. At truncation Landlock looks from version 3 on. Before that, O_TRUNC truncates a file that is
# opened for reading, or for neither (O_ACCMODE's fourth value): Landlock asks only for what the descriptor can do, and
# the rest of the kernel only whether the user may write. ftruncate needs a descriptor that was opened for writing,
# which Landlock refuses outside the program's folder.
PATH_METADATA: Mapping[str, str] = {
    "chmod": "PRETEND",
    "fchmod": "PRETEND",
    "fchmodat": "PRETEND",
    "fchmodat2": "PRETEND",
    "utimensat": "PRETEND",
    "truncate": "EPERM",
    "open": "open_flags",
    "openat": "openat_flags",
}
"""What takes the place of the table's column where nothing but Landlock keeps programs to their folder."""


class Condition(NamedTuple):
    """What an argument (0 to 5) must be: with ``mask`` laid over it, one of ``values``, each under 2**32.

    Of an argument that the kernel takes for an int the mask has 32 bits, as the kernel looks at no more.
    """

    argument: int
    mask: int
    values: tuple[int, ...]


_INT = (1 << 32) - 1
_LONG = (1 << 64) - 1

_F_GETLK, _F_SETLK, _F_SETLKW, _F_OFD_GETLK, _F_OFD_SETLK, _F_OFD_SETLKW = 5, 6, 7, 36, 37, 38
_F_DUPFD, _F_GETFD, _F_SETFD, _F_GETFL, _F_SETFL, _F_DUPFD_CLOEXEC = 0, 1, 2, 3, 4, 1030
_FIOCLEX, _FIONCLEX, _FIONREAD, _FIONBIO, _TCGETS, _FICLONE = 0x5451, 0x5450, 0x541B, 0x5421, 0x5401, 0x40049409
_PR_GET_DUMPABLE, _PR_SET_NAME, _PR_GET_NAME, _PR_SET_VMA = 3, 15, 16, 0x53564D41
_AF_UNIX = 1
_SOL_SOCKET, _SO_TYPE, _SO_ERROR, _SO_PROTOCOL, _SO_DOMAIN = 1, 3, 4, 38, 39
_WRITING = 3  # O_ACCMODE
_O_TRUNC = 0o1000
_NEGATIVE = 1 << 31
_FUTEX_PRIVATE = 128

# CLONE_VM, _FS, _FILES, _SIGHAND, _THREAD and _SYSVSEM: all that makes a thread of what would be a process.
_OF_A_THREAD = 0x00000100 | 0x00000200 | 0x00000400 | 0x00000800 | 0x00010000 | 0x00040000
# CLONE_SETTLS, _PARENT_SETTID, _CHILD_CLEARTID, _DETACHED (musl) and _CHILD_SETTID.
_OF_ITS_LIBRARY = 0x00080000 | 0x00100000 | 0x00200000 | 0x00400000 | 0x01000000

_HARMLESS_OPENING = (0, 1, 2, 1 | _O_TRUNC, 2 | _O_TRUNC)

RULES: Mapping[str, tuple[Condition, ...]] = {
    # Both architectures hand the flags over first.
    "thread": (Condition(0, _LONG & ~_OF_ITS_LIBRARY, (_OF_A_THREAD,)),),
    # No leases, notifications, owners, seals; a pipe stays as small as it was made. Whether somebody has a lock is
    # asked truly: nobody has one.
    "fcntl": (
        Condition(
            1,
            _INT,
            (_F_DUPFD, _F_GETFD, _F_SETFD, _F_GETFL, _F_SETFL, _F_DUPFD_CLOEXEC, _F_GETLK, _F_OFD_GETLK),
        ),
    ),
    "lock": (Condition(1, _INT, (_F_SETLK, _F_SETLKW, _F_OFD_SETLK, _F_OFD_SETLKW)),),
    # FICLONE copies a file's blocks like copy_file_range; pathlib asks for it first and takes EPERM for a fault.
    "ioctl": (Condition(1, _INT, (_FIOCLEX, _FIONCLEX, _FIONREAD, _FIONBIO, _TCGETS, _FICLONE)),),
    # PR_SET_VMA names a piece of memory: glibc and CPython do, for those who look into /proc.
    "prctl": (Condition(0, _INT, (_PR_SET_NAME, _PR_GET_NAME, _PR_SET_VMA, _PR_GET_DUMPABLE)),),
    "local": (Condition(0, _INT, (_AF_UNIX,)),),
    # A pair of datagram sockets could send to any pathname socket of the machine.
    "unaddressed": (Condition(4, _LONG, (0,)),),
    # What socket.socket asks of a descriptor; not who is at the other end.
    "kind": (Condition(1, _INT, (_SOL_SOCKET,)), Condition(2, _INT, (_SO_TYPE, _SO_ERROR, _SO_PROTOCOL, _SO_DOMAIN))),
    "own_clock": (Condition(0, _NEGATIVE, (0,)),),
    "own": (Condition(0, _INT, (0,)),),
    "own_lock": (Condition(1, _FUTEX_PRIVATE, (_FUTEX_PRIVATE,)),),
    # The pointer to new limits is null.
    "own_reading": (Condition(0, _INT, (0,)), Condition(2, _LONG, (0,))),
    "open_flags": (Condition(1, _WRITING | _O_TRUNC, _HARMLESS_OPENING),),
    "openat_flags": (Condition(2, _WRITING | _O_TRUNC, _HARMLESS_OPENING),),
}
"""What is asked of the arguments, by the name that the table gives it."""

_OTHERWISE = {"fcntl": "lock", "own_lock": "PRETEND"}
"""The rule to try, or what becomes of a call, if the first does not hold."""
_PRETENDED_RULES = frozenset({"lock"})


class UnsupportedMachine(Exception):  # noqa: N818 - it names the fault, as WorkerDied does
    """The table has no numbers for this machine."""


class _Machine(NamedTuple):
    """An architecture's AUDIT_ARCH (linux/audit.h), its column, and a bit of the number that marks foreign calls."""

    audit: int
    column: int
    foreign_bit: int


# Both are little-endian, which the offsets of the halves of an argument rest on.
_MACHINES = {
    "x86_64": _Machine(audit=0xC000003E, column=1, foreign_bit=0x40000000),  # x32
    "aarch64": _Machine(audit=0xC00000B7, column=2, foreign_bit=0),
}

# Offsets in struct seccomp_data.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
# Instructions of classic BPF (linux/filter.h).
_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT = 0x15, 0x35, 0x45
_LONGEST_JUMP = 255

_KILL_PROCESS, _FAIL, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_ALLOWED = "allowed"
_ERRORS = {"EPERM": errno.EPERM, "ENOSYS": errno.ENOSYS, "ENOTSUP": errno.ENOTSUP, "PRETEND": 0}

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _SECCOMP_MODE_FILTER = 22, 38, 2


class _Step(NamedTuple):
    """An instruction whose jumps go to labels; to the next instruction where there is none."""

    code: int
    operand: int = 0
    yes: str = ""
    no: str = ""


EXECUTING = """
execve                 59      221
arch_prctl            158        -
"""
"""What a process needs beside the table to become an interpreter of another language."""


def program(machine: str, *, deny_path_metadata: bool, executes: bool = False) -> bytes:
    """The filter's instructions (an array of struct sock_filter) for ``machine``, as os.uname calls it.

    ``deny_path_metadata`` refuses what Landlock can't keep to the program's own folder, see PATH_METADATA.
    ``executes``: files may be executed, which Landlock keeps to an interpreter.

    Raises:
        UnsupportedMachine: neither x86_64 nor aarch64.
    """
    if machine not in _MACHINES:
        raise UnsupportedMachine(f"machine {machine!r}: expected one of {', '.join(_MACHINES)}")
    kind = _MACHINES[machine]
    table = TABLE + EXECUTING if executes else TABLE
    verdicts = dict(_verdicts(table, kind.column, PATH_METADATA if deny_path_metadata else {}))
    rules = sorted(set(verdicts.values()) & set(RULES))
    rules += [_OTHERWISE[rule] for rule in rules if _OTHERWISE.get(rule) in RULES]
    return _assemble(
        [
            *_native_only(kind),
            *_search(list(_spans(verdicts))),
            *(step for rule in rules for step in _check(rule)),
            *_endings(),
        ]
    )


class Filter:
    """A program made ready, so that ``install`` is two system calls."""

    def __init__(self, instructions: bytes) -> None:
        self._instructions = ctypes.create_string_buffer(instructions, len(instructions))
        self._program = _Program(len(instructions) // 8, ctypes.addressof(self._instructions))
        self._address = ctypes.addressof(self._program)

    def install(self) -> None:
        """Lay the filter on this thread and all that it starts, for good.

        Raises:
            OSError: the kernel has no seccomp filters, or a filter that is there already forbids another.
        """
        # Of this prctl a success is seccomp(2) with no flags, without a number that differs by architecture.
        if _prctl(_PR_SET_NO_NEW_PRIVS, 1, None, 0, 0) or _prctl(
            _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, self._address, 0, 0
        ):
            number = ctypes.get_errno()
            raise OSError(number, f"seccomp: {os.strerror(number)}")


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


_prctl = ctypes.CDLL(None, use_errno=True).prctl
_prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong)


def _verdicts(table: str, column: int, instead: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Each call's number with what becomes of it: "allowed", the name of an error, or a rule's."""
    for line in table.splitlines():
        name, *cells = line.partition("#")[0].split() or [""]
        if name and cells[column - 1] != "-":
            yield int(cells[column - 1]), instead.get(name, cells[2] if len(cells) > 2 else _ALLOWED)


def _spans(verdicts: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    """The first number of each run with the same verdict, from 0 on; the last run goes on for ever."""
    previous = None
    for number in range(max(verdicts) + 2):
        verdict = verdicts.get(number, "EPERM")
        if verdict != previous:
            yield number, verdict
        previous = verdict


def _native_only(kind: _Machine) -> Iterator[_Step | str]:
    yield _Step(_LOAD, _ARCHITECTURE)
    yield _Step(_JUMP_EQUAL, kind.audit, no="kill")
    yield _Step(_LOAD, _NUMBER)
    if kind.foreign_bit:
        yield _Step(_JUMP_ANY_BIT, kind.foreign_bit, yes="kill")


def _search(spans: list[tuple[int, str]]) -> Iterator[_Step | str]:
    """A binary search, seven comparisons deep, that ends in a jump to the verdict.

    It holds nothing but comparisons with constants, so that the kernel sees beforehand which numbers are always allowed
    and runs the filter for them no more. The kernel compiles the filter anew for every program: each instruction more
    costs it 0.2 µs.
    """
    if len(spans) == 1:
        return
    lower, upper = spans[: len(spans) // 2], spans[len(spans) // 2 :]
    yield _Step(_JUMP_AT_LEAST, upper[0][0], _label(upper), _label(lower))
    for half in (lower, upper):
        yield from (_label(half), *_search(half)) if len(half) > 1 else ()


def _label(spans: list[tuple[int, str]]) -> str:
    return f"{spans[0][0]} to {spans[-1][0]}" if len(spans) > 1 else spans[0][1]


def _check(rule: str) -> Iterator[_Step | str]:
    """Fail unless every condition holds."""
    yield rule
    *parts, last = _parts(RULES[rule])
    otherwise = _OTHERWISE.get(rule, "EPERM")
    for number, part in enumerate(parts):
        yield from _one_of(part, f"{rule} {number}", otherwise)
        yield f"{rule} {number}"
    yield from _one_of(last, "PRETEND" if rule in _PRETENDED_RULES else _ALLOWED, otherwise)


def _parts(conditions: Iterable[Condition]) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Offset, mask and values of each half of an argument that is looked at: a filter loads 32 bits at a time."""
    for argument, mask, values in conditions:
        offset = _ARGUMENTS + 8 * argument
        if mask >> 32:
            yield offset + 4, mask >> 32, (0,)
        yield offset, mask & _INT, values


def _one_of(part: tuple[int, int, tuple[int, ...]], label: str, otherwise: str) -> Iterator[_Step | str]:
    """Go to ``label`` where the word at an offset, with a mask laid over it, is one of the values."""
    offset, mask, values = part
    yield _Step(_LOAD, offset)
    if mask != _INT:
        yield _Step(_AND, mask)
    for value in values[:-1]:
        yield _Step(_JUMP_EQUAL, value, yes=label)
    yield _Step(_JUMP_EQUAL, values[-1], yes=label, no=otherwise)


def _endings() -> Iterator[_Step | str]:
    yield "kill"
    yield _Step(_RETURN, _KILL_PROCESS)
    yield _ALLOWED
    yield _Step(_RETURN, _ALLOW)
    for name, number in _ERRORS.items():
        yield name
        yield _Step(_RETURN, _FAIL | number)


def _assemble(listing: Iterable[_Step | str]) -> bytes:
    """The instructions, with each label (a string before the instruction that it stands for) made a distance."""
    steps: list[_Step] = []
    labels: dict[str, int] = {}
    for item in listing:
        if isinstance(item, str):
            labels[item] = len(steps)
        else:
            steps.append(item)
    return b"".join(_encode(step, position + 1, labels) for position, step in enumerate(steps))


def _encode(step: _Step, following: int, labels: Mapping[str, int]) -> bytes:
    yes, no = (labels[label] - following if label else 0 for label in (step.yes, step.no))
    if not (0 <= yes <= _LONGEST_JUMP and 0 <= no <= _LONGEST_JUMP):
        raise ValueError(f"{step} jumps {yes} and {no} instructions ahead, expected 0 to {_LONGEST_JUMP}")
    return struct.pack("=HBBI", step.code, yes, no, step.operand)
