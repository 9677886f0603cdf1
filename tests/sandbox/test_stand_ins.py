"""What seccomp refuses and honest programs ask for is answered with what they may know."""

from __future__ import annotations

import sys

import pytest

from evalharness.records import Verdict

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs can't be isolated on this system")

HONEST = {
    "the room on the disk": "import shutil\nassert shutil.disk_usage('.').free > 0\nreturn a + b",
    "the time that it used": "import resource\nassert resource.getrusage(resource.RUSAGE_SELF)[0] > 0\nreturn a + b",
    "a value that processes would share": (
        "import multiprocessing as m\nv = m.Value('i', a)\nwith v.get_lock():\n    v.value += b\nreturn v.value"
    ),
    "an array that processes would share": "import multiprocessing as m\nreturn sum(m.Array('i', [a, b]))",
    "a signal to itself": (
        "import os, signal\nheard = []\nsignal.signal(signal.SIGUSR1, lambda *_: heard.append(b))\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\nreturn a + heard[0]"
    ),
    "its user": (
        "import getpass, os, pathlib, pwd\nme = pwd.getpwuid(os.getuid())\n"
        "assert pwd.getpwnam(getpass.getuser()) == me and pwd.getpwall() == [me]\n"
        "assert os.path.expanduser(f'~{me.pw_name}') == os.path.expanduser('~') == me.pw_dir\n"
        "pathlib.Path('mine').touch()\nassert pathlib.Path('mine').owner() == me.pw_name\nreturn a + b"
    ),
    "another user": "import pwd\ntry:\n    pwd.getpwuid(12345)\nexcept KeyError:\n    return a + b",
    "the number of a refused thread": (
        "import errno, threading\nthreading.stack_size(1 << 40)\ntry:\n    threading.Thread(target=print).start()\n"
        "except RuntimeError as error:\n    assert error.errno == errno.EAGAIN\nreturn a + b"
    ),
    "a base in a file": (
        "import sqlite3\nwith sqlite3.connect(f'{a}.db') as c:\n    c.execute('create table t(a)')\n"
        "    c.execute('insert into t values (?)', (a + b,))\n"
        "return sqlite3.connect(f'{a}.db').execute('select a from t').fetchone()[0]"
    ),
}
REFUSED = {
    "a process": "import multiprocessing as m\nm.Process(target=print).start()\nreturn a + b",
    "a link": "import os\nos.symlink('a', f'{a}')\nreturn a + b",
    "a signal that nobody handles": "import signal\nsignal.raise_signal(signal.SIGUSR1)\nreturn a + b",
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_program_gets_what_it_asks_for(run, name):
    execution = run(HONEST[name])
    assert (execution.verdict, execution.detail) == (Verdict.PASSED, "")


@pytest.mark.parametrize("name", REFUSED)
def test_a_program_that_needs_what_is_refused_is_not_supported(run, name):
    assert run(REFUSED[name]).verdict is Verdict.NOT_SUPPORTED


@pytest.mark.parametrize("value", ["object()", "lambda: 1", "[object()]", "type('A', (), {})()"])
def test_a_value_that_can_not_cross_is_true_or_false_and_equals_nothing(sandboxes, tight, value):
    from dataclasses import replace

    from evalharness.records import Problem
    from evalharness.sandbox import Job

    problem = Problem("p", "def f():\n", "f", "", "def check(candidate):\n    assert candidate()\n")
    other = replace(problem, test="def check(candidate):\n    assert candidate() in ([], [None], 0)\n")
    jobs = [Job("p", number, each, f"    return {value}\n") for number, each in enumerate((problem, other))]
    by_number = {e.completion_id: e.verdict for e in sandboxes(tight).run(jobs)}
    assert by_number == {0: Verdict.PASSED, 1: Verdict.FAILED}
