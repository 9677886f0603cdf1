import errno
import platform
import re
import signal
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.sandbox.inside import seccomp

AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
COLUMN = {"x86_64": 1, "aarch64": 2}
ALLOW, KILL = 0x7FFF0000, 0x80000000
PRETENDED = 0x00050000
EPERM, ENOSYS, ENOTSUP = (0x00050000 | number for number in (errno.EPERM, errno.ENOSYS, errno.ENOTSUP))
MACHINES = list(AUDIT)
BOTH = [(machine, strict) for machine in MACHINES for strict in (False, True)]
PROGRAMS = {(machine, strict): seccomp.program(machine, deny_path_metadata=strict) for machine, strict in BOTH}

needs_filters = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in MACHINES, reason="seccomp filters: Linux on x86_64 or aarch64"
)


def decide(program, number, arguments=(), audit=None, machine="x86_64"):
    """What the kernel's BPF machine returns for a call (the instructions that our programs have, no others)."""
    packed = [argument & (1 << 64) - 1 for argument in arguments]
    data = struct.pack("<IIQ6Q", number, audit or AUDIT[machine], 0, *packed, *[0] * (6 - len(packed)))
    accumulator = at = 0
    instructions = list(struct.iter_unpack("=HBBI", program))
    while True:
        code, yes, no, operand = instructions[at]
        at += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, operand)[0]
        elif code == 0x54:
            accumulator &= operand
        else:
            holds = {0x15: accumulator == operand, 0x35: accumulator >= operand, 0x45: accumulator & operand}[code]
            at += yes if holds else no


def table(machine):
    """Number and rule of each call's name, as a reader of the table sees them."""
    rows = [line.split() for line in seccomp.TABLE.splitlines() if line and not line.startswith("#")]
    cells = {row[0]: (row[COLUMN[machine]], row[3] if len(row) > 3 else "") for row in rows}
    return {name: (int(number), rule) for name, (number, rule) in cells.items() if number != "-"}


def of(machine, name, *arguments, strict=False):
    return decide(PROGRAMS[machine, strict], table(machine)[name][0], arguments, machine=machine)


@pytest.mark.parametrize(("machine", "strict"), BOTH)
def test_every_number_is_decided_as_the_table_says(machine, strict):
    outcomes = {"": ALLOW, "EPERM": EPERM, "ENOSYS": ENOSYS, "ENOTSUP": ENOTSUP, "PRETEND": PRETENDED}
    rules = {number: (name, rule) for name, (number, rule) in table(machine).items()}
    for number in range(1000):
        name, rule = rules.get(number, ("", "EPERM"))
        rule = seccomp.PATH_METADATA.get(name, rule) if strict else rule
        if rule in outcomes:
            assert decide(PROGRAMS[machine, strict], number, machine=machine) == outcomes[rule], (number, name)


@pytest.mark.parametrize(("machine", "strict"), BOTH)
@given(number=st.integers(0, 600), arguments=st.lists(st.integers(0, (1 << 64) - 1), min_size=6, max_size=6))
def test_any_call_meets_its_conditions_or_fails(machine, strict, number, arguments):
    rules = {number: (name, rule) for name, (number, rule) in table(machine).items()}
    name, rule = rules.get(number, ("", "EPERM"))
    rule = seccomp.PATH_METADATA.get(name, rule) if strict else rule
    if rule in seccomp.RULES:
        met, pretended = (
            all(arguments[place] & mask in values for place, mask, values in seccomp.RULES.get(name, (None,)))
            if name
            else False
            for name in (rule, {"fcntl": "lock"}.get(rule))
        )
        expected = ALLOW if met else PRETENDED if pretended or rule == "own_lock" else EPERM
        assert decide(PROGRAMS[machine, strict], number, arguments, machine=machine) == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_those_of_the_kernel_s_headers(machine):
    header = {"x86_64": "x86_64-linux-gnu/asm/unistd_64.h", "aarch64": "asm-generic/unistd.h"}[machine]
    path = Path("/usr/include", header)
    if not path.exists():
        pytest.skip(f"{path} is not installed")
    found = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", path.read_text())}
    found["newfstatat"] = found.get("newfstatat", found.get("fstatat"))
    newer = {"fchmodat2"}
    for name, (number, _) in table(machine).items():
        assert found.get(name) == number or (name in newer and name not in found), name


@pytest.mark.parametrize("machine", MACHINES)
def test_a_foreign_architecture_is_killed(machine):
    for audit in {*AUDIT.values(), 0x40000003, 0x40000028} - {AUDIT[machine]}:
        assert decide(PROGRAMS[machine, False], 0, audit=audit, machine=machine) == KILL


def test_the_x32_calls_are_killed():
    assert {decide(PROGRAMS["x86_64", False], 0x40000000 | number) for number in range(600)} == {KILL}


def test_a_machine_without_a_table_is_said_so():
    with pytest.raises(seccomp.UnsupportedMachine, match="riscv64"):
        seccomp.program("riscv64", deny_path_metadata=False)


@pytest.mark.parametrize("machine", MACHINES)
def test_clone_makes_threads_and_nothing_else(machine):
    glibc, musl = 0x3D0F00, 0x7D0F00
    assert of(machine, "clone", glibc) == of(machine, "clone", musl) == ALLOW
    fork, vfork = 0x01200011, 0x4111
    new = [glibc | 1 << bit for bit in (7, 17, 25, 26, 27, 28, 29, 30, 12, 13, 14, 15, 32, 33)]
    less = [glibc & ~(1 << bit) for bit in (8, 9, 10, 11, 16, 18)]
    assert {of(machine, "clone", flags) for flags in (0, fork, vfork, glibc | signal.SIGCHLD, *new, *less)} == {EPERM}


@pytest.mark.parametrize("machine", MACHINES)
def test_only_unix_socket_pairs_are_made(machine):
    assert of(machine, "socketpair", 1) == ALLOW
    assert {of(machine, "socketpair", family) for family in (0, 2, 10, 16, 40, 45)} == {EPERM}


@pytest.mark.parametrize("machine", MACHINES)
def test_nothing_is_sent_to_an_address(machine):
    assert of(machine, "sendto", 3, 0, 1, 0, 0, 0) == ALLOW
    assert {of(machine, "sendto", 3, 0, 1, 0, address, 16) for address in (1, 1 << 32, 1 << 63)} == {EPERM}


@pytest.mark.parametrize("machine", MACHINES)
def test_prctl_sets_names_only(machine):
    assert {of(machine, "prctl", option) for option in (15, 16, 0x53564D41, 3)} == {ALLOW}
    others = {of(machine, "prctl", option) for option in (1, 4, 8, 22, 23, 24, 28, 35, 38, 47, 59, -1)}
    assert others == {EPERM}


@pytest.mark.parametrize("machine", MACHINES)
def test_fcntl_pretends_locks_and_sends_no_signal(machine):
    assert {of(machine, "fcntl", 3, command) for command in (0, 1, 2, 3, 4, 5, 36, 1030)} == {ALLOW}
    assert {of(machine, "fcntl", 3, command) for command in (6, 7, 37, 38)} == {PRETENDED}
    commands = (8, 10, 15, 1024, 1025, 1026, 1031, 1033)
    assert {of(machine, "fcntl", 3, command) for command in commands} == {EPERM}


@pytest.mark.parametrize("machine", MACHINES)
def test_only_locks_of_the_process_itself_are_waited_for(machine):
    wait, wake, requeue, private, by_clock = 0, 1, 3, 128, 256
    operations = wait, wake, requeue, wait | by_clock
    assert {of(machine, "futex", 0, operation | private) for operation in operations} == {ALLOW}
    assert {of(machine, "futex", 0, operation) for operation in operations} == {PRETENDED}


@pytest.mark.parametrize("machine", MACHINES)
def test_ioctl_can_not_type_into_a_terminal(machine):
    assert of(machine, "ioctl", 0, 0x5421) == of(machine, "ioctl", 0, 0x5401) == ALLOW
    # The kernel takes the low half alone: what stands in the high one must not make a difference.
    assert of(machine, "ioctl", 0, 0x5412) == of(machine, "ioctl", 0, 1 << 32 | 0x5412) == EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_limits_are_read_and_not_set(machine):
    assert of(machine, "prlimit64", 0, 7, 0, 1) == ALLOW
    assert {of(machine, "prlimit64", *call) for call in ((0, 7, 1), (0, 7, 1 << 32), (1, 7, 0))} == {EPERM}


@pytest.mark.parametrize("machine", MACHINES)
def test_truncating_by_a_descriptor_without_the_right_to_write_fails_where_asked(machine):
    def opened(flags, strict):
        return of(machine, "openat", -100, 0, flags, strict=strict)

    truncate, create = 0o1000, 0o100
    assert {opened(flags, True) for flags in (0, create | 1, truncate | create | 1, truncate | 2)} == {ALLOW}
    assert opened(truncate, True) == opened(truncate | 3, True) == EPERM
    assert opened(truncate, False) == ALLOW


def run_filtered(program, *, deny_path_metadata=False, folder=None):
    """Run a program in a fresh interpreter that has the filter; what it prints, and how it ended."""
    start = (
        "import os, sys\n"
        "from evalharness.sandbox.inside import seccomp\n"
        f"rules = seccomp.program(os.uname().machine, deny_path_metadata={deny_path_metadata})\n"
        "seccomp.Filter(rules).install()\n"
    )
    code = start + textwrap.dedent(program)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=folder, check=False
    )


@needs_filters
@pytest.mark.parametrize(
    "attempt",
    [
        "os.fork()",
        "os.kill(os.getpid(), 0)",
        "os.killpg(0, 0)",
        "import socket; socket.socket()",
        "import socket; socket.socket(socket.AF_UNIX)",
        "import subprocess; subprocess.run(['true'])",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "import multiprocessing; multiprocessing.get_context('fork').Process(target=print).start()",
        "os.symlink('a', 'b')",
        "os.mkfifo('fifo')",
        "os.chown('.', 0, 0)",
        "os.nice(0)",
        "os.sched_setaffinity(0, {0})",
        "os.memfd_create('a')",
        "os.pidfd_open(os.getpid())",
        "import socket; socket.socketpair(type=socket.SOCK_DGRAM)[0].sendto(b'a', '/dev/log')",
        "import socket; socket.socketpair()[0].sendmsg([b'a'])",
        "import socket; socket.socketpair()[0].getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)",
    ],
)
def test_what_reaches_out_fails_with_eperm(attempt, tmp_path):
    done = run_filtered(attempt, folder=tmp_path)
    assert done.returncode == 1
    assert "PermissionError: [Errno 1]" in done.stderr


@needs_filters
def test_a_pool_ends_with_a_plain_exception(tmp_path):
    done = run_filtered("import multiprocessing; multiprocessing.get_context('fork').Pool(1)", folder=tmp_path)
    assert done.returncode == 1
    assert "PermissionError" in done.stderr


@needs_filters
def test_no_limit_is_set():
    done = run_filtered("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))")
    assert "not allowed to raise maximum limit" in done.stderr  # what CPython makes of EPERM


@needs_filters
def test_io_uring_is_refused():
    done = run_filtered(
        "import ctypes; l = ctypes.CDLL(None, use_errno=True); print(l.syscall(425, 1, 0), ctypes.get_errno())"
    )
    assert done.stdout == f"-1 {errno.EPERM}\n"


@needs_filters
@pytest.mark.skipif(platform.machine() != "x86_64", reason="32-bit calls by int 0x80: x86_64")
def test_a_32_bit_call_kills():
    done = run_filtered(
        """
        import ctypes, mmap
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(bytes.fromhex("b814000000 cd80 c3"))  # mov eax, 20 (getpid); int 0x80; ret
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
        print("survived")
        """
    )
    assert (done.returncode, done.stdout) == (-signal.SIGSYS, "")


@needs_filters
@pytest.mark.parametrize("call", ["chmod('f', 0o600)", "utime('f', (1, 1))"])
def test_a_change_of_mode_or_times_is_pretended_only_where_asked(call, tmp_path):
    (tmp_path / "f").write_text("text")
    before = (tmp_path / "f").stat()
    assert run_filtered(f"os.{call}", deny_path_metadata=True, folder=tmp_path).returncode == 0
    assert (tmp_path / "f").stat() == before
    assert run_filtered(f"os.{call}", folder=tmp_path).returncode == 0
    assert (tmp_path / "f").stat() != before


@needs_filters
def test_a_lock_is_pretended(tmp_path):
    lock = "f = open('f', 'w'); fcntl.lockf(f, fcntl.LOCK_EX); fcntl.flock(f, fcntl.LOCK_EX)"
    done = run_filtered(f"import fcntl; {lock}; print(open('/proc/locks').read())", folder=tmp_path)
    inode = f":{(tmp_path / 'f').stat().st_ino} "
    assert (done.returncode, inode in done.stdout) == (0, False)


@needs_filters
@pytest.mark.parametrize("call", ["truncate('f', 0)", "open('f', os.O_TRUNC)"])
def test_truncating_by_path_is_refused_only_where_asked(call, tmp_path):
    (tmp_path / "f").write_text("text")
    refused = run_filtered(f"os.{call}", deny_path_metadata=True, folder=tmp_path)
    assert "PermissionError: [Errno 1]" in refused.stderr
    assert (tmp_path / "f").read_text() == "text"
    assert run_filtered(f"os.{call}", folder=tmp_path).returncode == 0


HONEST = {
    "threads": "import threading; t = threading.Thread(target=print); t.start(); t.join()",
    "a thread of C that is joined": """
        import ctypes
        libc, thread = ctypes.CDLL(None), ctypes.c_void_p()
        work = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda _: __import__("time").sleep(0.1))
        assert libc.pthread_create(ctypes.byref(thread), None, work, None) == 0
        assert libc.pthread_join(thread, None) == 0
        """,
    "a pool of threads": """
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(4) as pool: assert list(pool.map(abs, range(9))) == list(range(9))
        """,
    "asyncio": """
        import asyncio
        async def main(): return await asyncio.gather(*(asyncio.sleep(0.01, i) for i in range(3)))
        assert asyncio.run(main()) == [0, 1, 2]
        """,
    "asyncio's threads": "import asyncio; assert asyncio.run(asyncio.to_thread(abs, -1)) == 1",
    "temporary files": """
        import tempfile
        with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"a"); file.flush(); assert os.path.getsize(file.name) == 1
        """,
    "copies": """
        import shutil
        open("a", "w").write("text"); shutil.copy("a", "b")
        shutil.copy2("a", "c"); os.mkdir("d"); shutil.copytree("d", "e")
        os.replace("b", "d/b"); assert open("d/b").read() == "text"; shutil.rmtree("d")
        """,
    "time": "import time, datetime; time.sleep(0.01); datetime.datetime.now(); time.process_time(); time.thread_time()",
    "random bytes": "import random, secrets; os.urandom(9); secrets.token_hex(); random.SystemRandom().random()",
    "sqlite3 in a file": """
        import sqlite3
        for mode in ("delete", "persist", "wal"):
            base = sqlite3.connect(mode)
            base.execute(f"pragma journal_mode={mode}")
            base.execute("create table t (n)"); base.execute("insert into t values (5)"); base.commit()
            assert sqlite3.connect(mode).execute("select n from t").fetchone() == (5,)
        """,
    "sqlite3 in memory": "import sqlite3; assert sqlite3.connect(':memory:').execute('select 1').fetchone() == (1,)",
    "the locale": "import locale; locale.setlocale(locale.LC_ALL, 'C'); locale.getpreferredencoding()",
    "numbers and hashes": "import hashlib, decimal; hashlib.sha256(b'').hexdigest(); decimal.Decimal(2).sqrt()",
    "recursion": "f = lambda n: n and f(n - 1)\nf(900)",
    "memory": "a = [0] * (50 << 17); b = bytearray(50 << 20); del a, b",
    "signals": """
        import signal
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        signal.pause()
        """,
    "select": """
        import selectors, socket
        a, b = socket.socketpair()
        s = selectors.DefaultSelector()
        s.register(a, 1)
        b.send(b'a')
        assert s.select(5)
        """,
    "limits that are read": """
        import resource
        resource.getrlimit(resource.RLIMIT_AS)
        os.cpu_count()
        os.sched_getaffinity(0)
        """,
}


@needs_filters
@pytest.mark.parametrize("name", HONEST)
def test_an_honest_program_runs(name, tmp_path):
    done = run_filtered(HONEST[name], folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@needs_filters
def test_numpy_is_imported_and_multiplies():
    done = run_filtered("import numpy as np; a = np.ones((300, 300)); print(int((a @ a).sum()))")
    assert (done.stdout, done.stderr) == ("27000000\n", "")


def test_no_comparison_jumps_further_than_it_can():
    # program() raises ValueError if one does; a row more in the table must leave room on every machine.
    assert all(len(instructions) // 8 < 250 for instructions in PROGRAMS.values())
