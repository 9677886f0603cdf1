"""The sandbox in the places where people run it: rootless containers, a hidden /proc, closed streams, few processes."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import traceback

import pytest

from evalharness import sandbox
from evalharness.errors import SandboxError
from evalharness.records import Verdict
from evalharness.sandbox import Job, Sandbox

INTERPRETERS = (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs can't be isolated on this system")
needs_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can take it away")

JUDGE = """
import json, sys
from evalharness.errors import SandboxError
from evalharness.records import Problem
from evalharness.sandbox import Job, Sandbox
test = "def check(candidate):\\n    assert candidate(2, 3) == 5\\n"
problem = Problem("add", "def add(a, b):\\n", "add", "    return a + b\\n", test)
jobs = [Job("add", number, problem, f"    return a {sign} b\\n") for number, sign in enumerate("+-")]
answer = {}
try:
    with Sandbox(workers=1) as sandbox:
        answer["level"] = sandbox.isolation.level
        answer["verdicts"] = [e.verdict for e in sorted(sandbox.run(jobs), key=lambda e: e.completion_id)]
except SandboxError as error:
    answer["error"] = str(error)
with open(sys.argv[1], "w") as file:
    json.dump(answer, file)
"""


@pytest.fixture
def judged(tmp_path):
    """What two programs, one right and one wrong, come to in a process that is started by a command."""

    def judge(*command, **options):
        if command and shutil.which(command[0]) is None:
            pytest.skip(f"no {command[0]} here")
        answer = tmp_path / "answer.json"
        start = [*command, sys.executable, "-c", JUDGE, str(answer)]
        done = subprocess.run(start, capture_output=True, text=True, timeout=120, check=False, **options)
        if not answer.exists() and command:
            pytest.skip(f"not to be had here: {done.stderr.strip()[-200:]}")
        return json.loads(answer.read_text())

    return judge


JUDGED = ["passed", "failed"]


def test_a_user_namespace_that_maps_one_user_is_judged_at_a_level_that_isolates(judged):
    answer = judged("unshare", "--map-root-user")
    assert (answer["level"] in {"A", "C"}, answer["verdicts"]) == (True, JUDGED)


@needs_root
def test_root_without_capabilities_is_judged_at_a_level_that_isolates(judged):
    answer = judged("setpriv", "--bounding-set", "-all", "--inh-caps", "-all")
    assert (answer["level"] in {"A", "C"}, answer["verdicts"]) == (True, JUDGED)


@needs_root
def test_programs_are_judged_where_proc_is_hidden(judged):
    answer = judged("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh")
    assert (answer["level"] in {"A", "B", "C"}, answer["verdicts"]) == (True, JUDGED)


@pytest.mark.parametrize("closed", [(0,), (1,), (0, 1, 2)])
def test_programs_are_judged_where_standard_streams_are_closed(judged, closed):
    def close():
        for fd in closed:
            os.close(fd)

    assert judged(preexec_fn=close)["verdicts"] == JUDGED


@pytest.mark.parametrize("processes", [1, 5])
def test_where_few_processes_are_allowed_programs_are_judged_or_one_message_says_why_not(add, processes):
    told, telling = os.pipe()
    pid = os.fork()  # the interpreter may lie where only this user can execute it, so a fork becomes another
    if pid == 0:
        said = _judged_by_few(processes, add)
        os.write(telling, said.encode())
        os._exit(0)
    os.close(telling)
    with os.fdopen(told) as pipe:
        assert pipe.read() == ""
    os.waitpid(pid, 0)


def _judged_by_few(processes, problem):
    """Nothing if both verdicts are right or a message names the limit, else what came, in a process with so many."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(61_999, 61_999, 61_999)
        os.setresuid(61_999, 61_999, 61_999)
    resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
    interpreter = next((p for p in INTERPRETERS if os.access(p, os.X_OK)), None)
    if interpreter is None or not os.access(sandbox.__file__, os.R_OK):
        return ""
    jobs = [Job("add", number, problem, f"    return a {sign} b\n") for number, sign in enumerate("+-")]
    try:
        with Sandbox(workers=2, interpreter=interpreter) as judges:
            done = {(e.completion_id, e.verdict): e.detail for e in judges.run(jobs)}
    except SandboxError as error:
        return "" if "Resource temporarily unavailable" in str(error) else str(error)
    except BaseException:  # what pytest would print is another process's
        return traceback.format_exc()
    allowed = {(0, Verdict.PASSED), (1, Verdict.FAILED), (0, Verdict.NOT_JUDGED), (1, Verdict.NOT_JUDGED)}
    return "" if allowed.issuperset(done) else str(done)
